"""What must be true of events: each is applied once, a claim holds, the suppressed get nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from almanac.intake import inbox
from almanac.storage.versions import Current, Manifest
from tests.support.outside import OWNED, PLANNED, SHARED, photograph
from tests.support.simulation.inspector import Inspector
from tests.support.simulation.outsiders import (
    Claim,
    Outsiders,
    SentEvent,
    identity_of,
    planned,
    rows_of,
)

# tables that events write, beside those of the scheduler
INTAKE = {
    *("contacts", "suppressions", "tracking_clicks", "contact_events", "intake_log"),
    *("message_deliveries", "sqlite_sequence"),
}
# what an event leaves in the database: how many rows, once it is applied
_TRACES = {
    "contacts": "SELECT count(*) AS n FROM contacts WHERE email = '{email}'",
    "campaigns": "SELECT count(*) AS n FROM campaign_types WHERE name = '{name}'",
    "targets": "SELECT count(*) AS n FROM contact_campaigns WHERE metadata LIKE '%\"n\":_{n}}}'"
    " OR metadata LIKE '%\"n\":{n}}}'",
    "activity": "SELECT count(*) AS n FROM tracking_clicks WHERE url = '{url}'",
}


class EventInspector(Inspector):
    """Watches a world in which events come in."""

    outsiders: Outsiders

    def _check_untouched(self, before: Path, after: Path, manifest: Manifest) -> None:
        was, now = logged(before), logged(after)
        assert len(now) == len(set(now)), f"an event is applied twice: {now}"
        assert set(was) <= set(now), f"{after}: events are no longer applied"
        news = {event_id for event_id, _ in set(now) - set(was)}
        if news:
            self._check_others(before, after, manifest, news)
        else:
            super()._check_untouched(before, after, manifest)
        org = manifest.path.split("/")[1]
        self._check_effects(org, after, {event_id for event_id, _ in now})

    def _check_others(self, before: Path, after: Path, manifest: Manifest, news: set[str]) -> None:
        """What no event is about is what it was, as after any run."""
        about = [each for each in self.outsiders.events if each.event_id in news]
        marked = {each.entry["id"] for each in about if each.kind == "deliveries"}
        old, new = photograph(before), photograph(after)
        for name, table in old.tables.items():
            if name not in OWNED and name not in SHARED and name not in INTAKE:
                assert new.tables[name] == table, f"{after}: {name} was changed"
        for row_id, row in old.scheduled.items():
            if row["status"] not in PLANNED and row_id not in marked:
                there = new.scheduled[row_id]
                assert {name: there[name] for name in row} == row, f"committed row {row_id}"
        for row_id, row in new.scheduled.items():
            if row_id in old.scheduled and row_id not in marked:
                was = old.scheduled[row_id]
                mine = row["scheduler_run_id"] == manifest.run_id
                assert mine or {name: row[name] for name in was} == was, f"planned row {row_id}"

    def _check_effects(self, org: str, path: Path, applied: set[str]) -> None:
        refused = {row["event_id"]: row["refused"] for row in rows_of(path, _LOG)}
        for event in self.outsiders.events:
            if event.org == org and event.kind in _TRACES:
                self._check_trace(event, path, event.event_id in applied)
        for claim in self.outsiders.claims:
            if claim.event.org == org and claim.event.event_id in applied:
                whys = json.loads(refused[claim.event.event_id])
                assert [why["index"] for why in whys] == [1], f"a claim is refused: {whys}"
                self._check_claim(claim, path)

    def _check_trace(self, event: SentEvent, path: Path, applied: bool) -> None:
        facts = (
            {**event.entry, **event.entry.get("type", {}), **event.entry.get("metadata", {})}
            if isinstance(event.entry.get("type", {}), dict)
            else event.entry
        )
        sql = _TRACES[event.kind].format(**facts)
        times = sum(row["n"] for row in rows_of(path, sql))
        allowed = {1} if applied else {0}
        if event.kind == "targets":
            allowed.add(0)  # there was one already, or the contact is none
        assert times in allowed, f"{event.event_id} of {event.kind} is there {times} times"

    def _check_claim(self, claim: Claim, path: Path) -> None:
        """The message is the sender's, on its day, and planned no more."""
        found = rows_of(path, f"SELECT * FROM email_schedules WHERE id = {claim.row['id']}")
        assert found, f"{claim.row} was claimed and is gone"
        (row,) = found
        assert row["status"] not in PLANNED, f"{claim.row} was claimed and is {row['status']}"
        day = str(row["scheduled_send_date"])
        assert day == claim.row["scheduled_send_date"], f"{claim.row} was claimed, is of {day}"
        again = [each for each in planned(path) if identity_of(each) == claim.identity]
        assert not again, f"{claim.row} was claimed and is planned again: {again}"

    def check_absorbed(self, org: str) -> None:
        """Nothing waits any more, and what was answered with success is applied."""
        left = inbox.waiting(self.world.medium, org)
        assert not left, f"{org}: {left} wait"
        now = Counter(event_id for event_id, _ in logged(self.file(self.pointers[org][-1])))
        for event in self.outsiders.events:
            if event.org == org and event.acknowledged:
                assert now[event.event_id] == 1, f"{event} is applied {now[event.event_id]} times"

    def check_suppressed(self, org: str) -> None:
        """Suppressed contacts get nothing by the plan of a whole run."""
        last: Current = self.pointers[org][-1]
        contacts = {row["contact_id"] for row in planned(self.file(last))}
        told = {
            contact
            for (of, contact), event in self.outsiders.suppressed.items()
            if of == org and event.acknowledged
        }
        assert not contacts & told, f"{contacts & told} are suppressed and get something"


_LOG = "SELECT event_id, digest, refused FROM intake_log"


def logged(path: Path) -> list[tuple[Any, ...]]:
    """Return the events that a database has, with their digests."""
    return [(row["event_id"], row["digest"]) for row in rows_of(path, _LOG)]
