"""Runs over odd agencies, photographed from outside, and what must be true of each of them."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from almanac.report.summary import RunSummary
from tests import oracle
from tests.oracle.contacts import Contact
from tests.oracle.database import whole
from tests.support import agencies
from tests.support.agreement import run
from tests.support.outside import (
    OWNED,
    SHARED,
    Photograph,
    Record,
    contacts,
    counts,
    date_of,
    identity,
    is_campaign,
    is_planned,
    opened,
    photograph,
    schedules,
)

Ranges = list[tuple[int, int]]
Identity = tuple[int, str, int, dt.date]

ODD_TABLES = """
    CREATE TABLE "their; notes" (k TEXT PRIMARY KEY, "select" BLOB, real REAL) WITHOUT ROWID;
    INSERT INTO "their; notes" VALUES ('a', x'00ff10', 0.1), ('b', CAST(x'c328' AS TEXT), 1e300);
    CREATE TABLE their_log (what TEXT);
    CREATE VIEW their_view AS SELECT count(*) FROM contacts;
    CREATE TRIGGER theirs AFTER UPDATE ON contacts BEGIN INSERT INTO their_log VALUES ('!'); END;
"""


@dataclass(frozen=True)
class Case:
    """An agency and how it is planned; all of it follows from these few values."""

    seed: int
    size: int
    schema: str
    late: bool  # the run begins after the day's send time
    earlier: int | None  # days since a run before this one
    part: bool  # only some contacts are planned
    shards: int

    @property
    def as_of(self) -> dt.date:
        return agencies.as_of_for(self.seed)

    @property
    def t0(self) -> dt.date:
        return self.as_of + dt.timedelta(days=self.late)

    @property
    def config(self) -> dict[str, Any]:
        return agencies.config_for(self.seed)

    def random(self, purpose: str) -> random.Random:
        return random.Random(f"{purpose}:{self.seed}")

    def build(self, path: Path) -> None:
        """The agency as this case's run finds it."""
        agencies.build(path, self.seed, self.size, schema=self.schema)
        if self.schema != "bare":
            with opened(path) as connection:
                connection.execute(ODD_TABLES)
        if self.earlier is not None:
            self._plan_and_send_before(path, self.as_of - dt.timedelta(days=self.earlier))

    def _plan_and_send_before(self, path: Path, day: dt.date) -> None:
        """An earlier run, perhaps under another configuration, and a sender that missed some."""
        rng = self.random("earlier")
        run(path, day, day, rng.choice([self.config, {}]))
        with opened(path) as connection:
            for row in schedules(path):
                send = date_of(row)
                due = row["status"] == "pre-scheduled" and send is not None and send < self.as_of
                if due and rng.random() < 0.7:
                    connection.execute(
                        "UPDATE email_schedules SET status = ?, actual_send_datetime = ?"
                        " WHERE id = ?",
                        (rng.choice(["sent", "delivered", "failed"]), f"{send} 08:31", row["id"]),
                    )

    def scope(self, path: Path) -> Ranges | None:
        """The ids to plan, as ranges: all, or about half, or a few of them."""
        if not self.part:
            return None
        rng = self.random("scope")
        ids = sorted(contacts(path, oracle.merged(self.config), self.as_of))
        a, b = sorted(rng.choices(ids, k=2))
        return [(a, b)] if rng.random() < 0.5 else [(one, one) for one in ids if one % 3 == 0]

    def plan(self, path: Path, scope: Ranges | None, **how: int) -> RunSummary:
        """The product's run."""
        how = {"shards": self.shards} | how
        return run(path, self.as_of, self.t0, self.config, scope=scope, **how)


@dataclass(frozen=True)
class Ran:
    """A case whose run is over."""

    case: Case
    path: Path
    scope: Ranges | None
    plan: oracle.Plan  # what it should have come to
    contacts: dict[int, Contact]
    before: Photograph
    after: Photograph
    summary: RunSummary

    @cached_property
    def config(self) -> dict[str, Any]:
        return oracle.merged(self.case.config)

    @cached_property
    def expected(self) -> dict[Identity, oracle.Row]:
        """The oracle's candidates."""
        return {
            (row.contact_id, row.email_type, row.campaign_instance_id or 0, row.event_date): row
            for row in self.plan.rows
        }

    @cached_property
    def pre_scheduled(self) -> list[Record]:
        """The rows that this run lets go out."""
        return [
            row
            for row in self.after.scheduled.values()
            if row["status"] == "pre-scheduled" and row["contact_id"] in self.plan.scope
        ]


@contextmanager
def ran(case: Case) -> Iterator[Ran]:
    """Build the case's agency in a folder of its own, run it, and look."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "agency.sqlite3"
        case.build(path)
        scope = case.scope(path)
        everyone = contacts(path, oracle.merged(case.config), case.as_of)
        chosen = None
        if scope is not None:
            chosen = {one for one in everyone if any(a <= one <= b for a, b in scope)}
        plan = oracle.plan(path, case.as_of, case.t0, case.config, chosen)
        before = photograph(path)
        summary = case.plan(path, scope)
        yield Ran(case, path, scope, plan, everyone, before, photograph(path), summary)


def check_excluded_days(one: Ran) -> None:
    """Promise 1."""
    for row in one.pre_scheduled:
        if one.expected[identity(row)].respects_windows:
            send = date_of(row)
            assert send is not None
            assert one.contacts[row["contact_id"]].excluded(send) is None, row


def check_dates(one: Ran) -> None:
    """Promise 2."""
    for row in one.pre_scheduled:
        send = date_of(row)
        assert send is not None
        assert one.case.t0 <= send <= one.expected[identity(row)].deadline, row


def check_frequency(one: Ran) -> None:
    """Promise 3."""
    most = one.config["frequency"]["max_emails"]
    period = one.config["frequency"]["period_days"]
    mails: dict[int, list[tuple[dt.date, bool]]] = defaultdict(list)
    campaigns: Counter[tuple[int, dt.date]] = Counter()
    for row in one.after.scheduled.values():
        send = date_of(row)
        if row["contact_id"] not in one.plan.scope or send is None:
            continue
        if counts(row):
            mails[row["contact_id"]].append((send, is_planned(row)))
        if is_campaign(row) and row["status"] == "pre-scheduled":
            campaigns[row["contact_id"], send] += 1
    assert not campaigns or max(campaigns.values()) == 1
    for contact_id, days in mails.items():
        days.sort()
        for some in (days[i : i + most + 1] for i in range(len(days) - most)):
            crowded = (some[-1][0] - some[0][0]).days < period
            ours = any(planned for _, planned in some)
            assert not (crowded and ours), (contact_id, some)


def check_ceiling(one: Ran) -> None:
    """Promise 4."""
    stands = [
        row
        for row in one.after.scheduled.values()
        if not is_planned(row) or row["status"] == "pre-scheduled"
    ]
    total = Counter(send for row in stands if (send := date_of(row)) and send >= one.case.as_of)
    ours = {date_of(row) for row in one.pre_scheduled}
    limit = {day: 0 if one.plan.is_closed(day) else one.plan.X for day in total}
    above = {day for day, number in total.items() if number > limit[day]}
    assert not above & ours
    assert one.summary.ceiling == one.plan.X
    assert one.summary.days_above_ceiling == sorted(day.isoformat() for day in above)


def check_what_is_not_ours(one: Ran) -> None:
    """Promise 5."""
    before, after = one.before, one.after
    committed = {key for key, row in before.scheduled.items() if not is_planned(row)}
    assert committed == {key for key, row in after.scheduled.items() if not is_planned(row)}
    if committed:
        columns = before.tables["email_schedules"].columns
        stood, stands = (
            look.tables["email_schedules"].only(columns, committed.__contains__)
            for look in (before, after)
        )
        assert stood == stands
    for name in before.tables.keys() - OWNED:
        table = before.tables[name]
        columns = tuple(c for c in table.columns if c not in SHARED.get(name, set()))
        found = after.tables[name].only(columns, table.rows.__contains__)
        assert found == table.only(columns, table.rows.__contains__), name
        if name not in SHARED:
            assert after.tables[name] == table, name
            assert after.schema[name] == before.schema[name], name
    kept = {key: sql for key, sql in before.schema.items() if sql.startswith("CREATE T")}
    assert kept.keys() <= after.schema.keys()  # tables and triggers
    assert {"their_view", "theirs"} & before.schema.keys() <= after.schema.keys()


def check_candidates(one: Ran) -> None:
    """Promise 8."""
    updated = {row.row_id for row in one.plan.rows}
    history = one.before.scheduled.keys() - updated
    found = [
        row
        for key, row in one.after.scheduled.items()
        if is_planned(row) and row["contact_id"] in one.plan.scope and key not in history
    ]
    assert sorted(identity(row) for row in found) == sorted(one.expected)
    for row in found:
        assert bool(row["skip_reason"]) == (row["status"] == "skipped"), row


def check_others(one: Ran) -> None:
    """Promise 10."""
    for name in ("email_schedules", "contact_issues", "contact_campaigns"):
        table = one.before.tables.get(name)
        if table is None:
            continue
        where = table.columns.index("contact_id")
        others = {
            key
            for key, cells in table.rows.items()
            if whole(bytes(cells[where][1]).decode(errors="replace")) not in one.plan.scope
            and key not in one.plan.migrated
        }
        stood = table.only(table.columns, others.__contains__)
        assert one.after.tables[name].only(table.columns, others.__contains__) == stood
    old = one.before.scheduled.keys()
    added = [row for key, row in one.after.scheduled.items() if key not in old]
    assert {row["contact_id"] for row in added} <= one.plan.scope


CHECKS = (
    check_excluded_days,
    check_dates,
    check_frequency,
    check_ceiling,
    check_what_is_not_ours,
    check_candidates,
    check_others,
)
