"""Who acts on an organization between its runs: a sender, a CRM, contacts. They put events into the
inbox over a store in which anything may go wrong, and remember what was answered with success."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from almanac.config import Config
from almanac.delivery.outbox import hand_out
from almanac.errors import AlmanacError
from almanac.intake import inbox
from almanac.intake.day_view import day_view
from almanac.intake.inbox import Received
from almanac.organizations.agency_database import StoreDatabase
from almanac.storage.store import ObjectStore
from almanac.storage.versions import current
from tests.support.outside import Record
from tests.support.simulation.medium import SimulatedStore
from tests.support.simulation.world import Death, Instance, World

Identity = tuple[int, str, int, str]
_LATER = ("sent", "delivered", "failed", "bounced")
_IDENTITY = ("contact_id", "email_type", "campaign_instance_id", "ideal_send_date")


@dataclass
class SentEvent:
    """An event that was sent from outside, perhaps several times."""

    org: str
    kind: str
    content: dict[str, Any]
    acknowledged: bool = False

    @property
    def event_id(self) -> str:
        return str(self.content["event_id"])

    @property
    def entry(self) -> dict[str, Any]:
        """Return its first entry; the only one that is valid."""
        found: dict[str, Any] = self.content["entries"][0]
        return found


@dataclass
class Claim:
    """A message that the sender has: its row, its identity and its day."""

    event: SentEvent
    row: Record
    sent: bool = False

    @property
    def identity(self) -> Identity:
        return identity_of(self.row)


def identity_of(row: Mapping[str, Any]) -> Identity:
    """Return what stays of a message, whatever row and day it has."""
    contact, email_type, instance = (row[name] for name in _IDENTITY[:3])
    return int(contact), str(email_type), int(instance or 0), str(row["event_date"])


@dataclass
class Outsiders:
    """All of them, for some organizations; random by seed."""

    world: World
    orgs: list[str]
    folder: Path
    seed: int
    events: list[SentEvent] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    suppressed: dict[tuple[str, int], SentEvent] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(f"outsiders:{self.seed}")
        self._acting = False

    def act(self) -> SentEvent | None:
        """Do one thing; return a new event that wants to be planned at once, if it is one."""
        if self._acting:
            return None
        self._acting = True
        try:
            return self._act(self.random.choice(self.orgs))
        finally:
            self._acting = False

    def _act(self, org: str) -> SentEvent | None:
        kinds = (
            "claim",
            "outcome",
            "again",
            "contact",
            "suppression",
            "target",
            "campaign",
            "click",
        )
        kind = self.random.choices(kinds, (6, 4, 2, 1, 2, 1, 1, 1))[0]
        if kind == "claim":
            self.claim(org)
        elif kind == "outcome":
            self._outcome()
        elif kind == "again":
            self.again()
        else:
            return self.tell(org, kind)
        return None

    # The sender

    def due(self, org: str, store: ObjectStore, day: str | None) -> list[Record]:
        """Return what `almanac due` hands out for a day, by default one with messages."""
        if day is None:
            some = self.random.choice(planned(self._current(org)) or [{}])
            day = some.get("scheduled_send_date")
        if day is None:
            return []
        on, out = dt.date.fromisoformat(day), io.StringIO()
        agency = StoreDatabase(store, org)
        with day_view(agency, on, Config(), self.world.now, claimed=False) as view:
            today = self.world.now.date()
            hand_out(view.connection, on, today, False, [], Config(), "jsonl", out, view.earlier)
        return [json.loads(line) for line in out.getvalue().splitlines()]

    def _current(self, org: str) -> Path:
        """Return the current version as a file, as it really is."""
        there = current(self.world.medium, org)
        assert there is not None
        path = self.folder / "outside.sqlite3"
        path.write_bytes(self.world.medium.read(there[0].path).data)
        return path

    def claim(self, org: str, day: str | None = None) -> None:
        """Take some messages, and send them once the claim is durable."""
        instance = Instance(self.world, "sender")

        @contextmanager
        def call(call: str, name: str, *, writes: bool) -> Iterator[str | None]:
            # `due` relies on listings that are never stale, as Cloud Storage promises
            with instance.call(call, name, writes=writes) as fate:
                yield None if fate == "stale" else fate

        try:
            rows = self.due(org, SimulatedStore(self.world.medium, call), day)
        except (AlmanacError, Death):
            return
        finally:
            instance.close()
        taken = {claim.identity for claim in self.claims if claim.event.org == org}
        for row in rows:
            assert identity_of(row) not in taken, f"{row} is handed out again"
            told = self.suppressed.get((org, row["contact_id"]))
            assert told is None or not told.acknowledged, f"{row} is handed out: suppressed"
        chosen = self.random.sample(rows, min(len(rows), self.random.randint(1, 2)))
        for row in chosen:
            entry = {**row, "status": "processing"}
            event = self._event(org, "deliveries", entry)
            if self._put(event):
                self.claims.append(Claim(event, row))

    def _outcome(self) -> None:
        """Say what became of a message."""
        mine = [claim for claim in self.claims if not claim.sent]
        if mine:
            claim = self.random.choice(mine)
            claim.sent = True
            whole = self.random.random() < 0.5  # with the identity or without
            entry = dict(claim.row) if whole else {"id": claim.row["id"]}
            entry["status"] = self.random.choice(_LATER)
            self._put(self._event(claim.event.org, "deliveries", entry))

    def again(self) -> None:
        """Send an event once more."""
        if self.events:
            self._put(self.random.choice(self.events))

    # The others

    def tell(self, org: str, kind: str) -> SentEvent | None:
        """Put an event of a kind; return it if it wants to be planned at once."""
        found = self._entry(kind, self._current(org))
        if found is None:
            return None
        word, entry = found
        event = self._event(org, word, entry)
        if word == "suppressions":
            self.suppressed[org, entry["contact_id"]] = event
        event.content["replan"] = word != "activity" and self.random.random() < 0.3
        return event if self._put(event) and event.content["replan"] else None

    def _entry(self, kind: str, path: Path) -> tuple[str, dict[str, Any]] | None:
        number = len(self.events)
        contacts = ids_of(path, "contacts")
        instances = ids_of(path, "campaign_instances")
        if kind == "contact":
            born = f"19{self.random.randint(50, 70)}-0{self.random.randint(1, 9)}-11"
            new = {"email": f"e{number}@new.example.com", "state": "TX", "birth_date": born}
            return "contacts", new
        if kind == "campaign":
            return "campaigns", {"type": {"name": f"type-{number}", "priority": 7}}
        if not contacts:
            return None
        contact = self.random.choice(contacts)
        if kind == "suppression":
            return "suppressions", {
                "contact_id": contact,
                "reason": "manual",
                "since": "2026-01-01",
            }
        if kind == "click":
            url = f"https://example.com/{number}"
            return "activity", {"type": "click", "contact_id": contact, "url": url}
        if not instances:
            return None
        about = {"campaign_instance_id": self.random.choice(instances), "contact_id": contact}
        return "targets", {**about, "trigger_date": "2027-05-01", "metadata": {"n": number}}

    def _event(self, org: str, kind: str, *entries: dict[str, Any]) -> SentEvent:
        content = {"event_id": f"e{len(self.events)}", "org_id": org}
        found = [*entries, {"nothing": "that is known"}]
        event = SentEvent(org, kind, {**content, "entries": found})
        self.events.append(event)
        return event

    def _put(self, event: SentEvent) -> bool:
        """Put the event into the inbox; return whether that was answered with success."""
        late = dt.timedelta(minutes=self.random.choice([0, 0, 0, 3, 50, 200]))
        received = Received(
            kind=event.kind, event=event.content, received=self.world.now - late, source="http"
        )
        for _ in range(self.random.randint(1, 2)):
            instance = Instance(self.world, "intake")
            try:
                name = inbox.put(instance.store, event.org, [received])
            except (AlmanacError, Death) as error:
                self.world.tell(f"intake of {event.event_id} fails: {type(error).__name__}")
            else:
                self.world.tell(f"intake takes {event.event_id} of {event.kind} as {name}")
                event.acknowledged = True
                return True
            finally:
                instance.close()
        return False


def planned(path: Path) -> list[Record]:
    """Return the messages of a database that are to be sent, with their identity."""
    sql = """
        SELECT id, contact_id, email_type, campaign_instance_id, scheduled_send_date,
            ideal_send_date, printf('%04d-%02d-%02d', event_year, event_month, event_day)
                AS event_date
        FROM email_schedules WHERE status = 'pre-scheduled' AND ideal_send_date IS NOT NULL
    """
    return rows_of(path, sql)


def ids_of(path: Path, table: str) -> list[int]:
    """Return the whole numbers among the ids of a table."""
    found = rows_of(path, f"SELECT id FROM {table} WHERE typeof(id) = 'integer' ORDER BY id")
    return [row["id"] for row in found]


def rows_of(path: Path, sql: str) -> list[Record]:
    """Return the rows of a query, none where a table or a column is missing."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        cursor = connection.execute(sql)
        names = [each[0] for each in cursor.get_description()]
        return [dict(zip(names, row, strict=True)) for row in cursor]
    except (apsw.SQLError, apsw.ExecutionCompleteError):
        return []
    finally:
        connection.close()
