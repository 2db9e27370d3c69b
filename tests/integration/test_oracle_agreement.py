"""The product's plan of odd agencies, held against the oracle's: rows, ids, history, issues."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.errors import DatabaseError
from almanac.report.summary import RunSummary
from tests import oracle
from tests.oracle.database import whole
from tests.support import agencies
from tests.support.agreement import Identity, differences, expected_rows, planned_rows, run
from tests.support.sampling import sampled

SCHEMAS = ("old", "new", "text", "new", "minimal", "bare", "new", "old", "text")
QUICK_SEEDS = range(150)
SLOW_SEEDS = range(1_000, 6_000)
BLOCK = 50
EXPIRED = ("skipped", "Not sent by its deadline")
CHANGED_BY_RUNS = {
    "email_schedules",
    "campaign_types",  # only where old rate increases need one
    "campaign_instances",
    "contact_campaigns",
    "contact_issues",
    "scheduler_checkpoints",
    "config_versions",
    "campaign_change_log",
    "almanac_undo",
    "sqlite_sequence",
}

Record = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """An odd agency, and how it is planned."""

    seed: int

    @property
    def schema(self) -> str:
        return SCHEMAS[self.seed % len(SCHEMAS)]

    @property
    def as_of(self) -> dt.date:
        return agencies.as_of_for(self.seed)

    @property
    def t0(self) -> dt.date:
        """Every third run begins after the day's send time."""
        return self.as_of + dt.timedelta(days=self.seed % 3 == 0)

    @property
    def config(self) -> dict[str, Any]:
        return agencies.config_for(self.seed)

    def build(self, folder: Path) -> Path:
        size = 30 + self.seed % 40
        return agencies.build(folder / "agency.sqlite3", self.seed, size, schema=self.schema)

    def scope(self, path: Path) -> tuple[list[tuple[int, int]] | None, set[int] | None]:
        """Every fifth run is about some contacts only: ranges of ids, and the ids in them."""
        if self.seed % 5:
            return None, None
        stored = [whole(row["id"]) for row in records(path, "SELECT id FROM contacts")]
        ids = sorted({one for one in stored if one is not None})
        ranges = [(ids[len(ids) // 4], ids[len(ids) // 2]), (ids[-2], ids[-2])]
        return ranges, {i for i in ids if any(a <= i <= b for a, b in ranges)}


def records(path: Path, sql: str) -> list[Record]:
    """The rows of a query by their columns' names."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        cursor = connection.execute(sql)
        return [
            {column[0]: value for column, value in zip(cursor.get_description(), row, strict=True)}
            for row in cursor
        ]
    finally:
        connection.close()


def table(path: Path, name: str) -> list[Record]:
    """All rows of a table; none where it is missing."""
    there = records(path, f"SELECT 1 FROM sqlite_schema WHERE name = '{name}'")
    return records(path, f"SELECT * FROM {name}") if there else []


def by_id(rows: Iterable[Record]) -> dict[int, Record]:
    return {row["id"]: row for row in rows}


def contents(path: Path) -> dict[str, list[Record]]:
    """Every table that is the agency's alone."""
    tables = records(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")
    return {
        row["name"]: table(path, row["name"])
        for row in tables
        if row["name"] not in CHANGED_BY_RUNS
    }


def disagreements(seed: int, folder: Path) -> list[str]:
    """What a run over the seed's agency got wrong, a line for each difference."""
    case = Case(seed)
    path = case.build(folder)
    ranges, ids = case.scope(path)
    expected = oracle.plan(path, case.as_of, case.t0, case.config, ids)
    before, own = by_id(table(path, "email_schedules")), contents(path)
    try:
        summary = run(path, case.as_of, case.t0, case.config, scope=ranges, shards=1 + seed % 4)
    except DatabaseError as error:
        refused = "two planned rows" in str(error) and _has_twins(before, expected)
        return [] if refused and by_id(table(path, "email_schedules")) == before else [str(error)]
    after = table(path, "email_schedules")
    found = planned_rows(path)
    wanted = expected_rows(expected)
    lines = differences({key: row for key, row in found.items() if key in wanted}, wanted)
    lines += _wrong_rows(before, after, expected, wanted)
    lines += _wrong_issues(path, expected) if ids is None else []
    lines += _wrong_numbers(summary, expected)
    if contents(path) != own:
        lines.append("a table of the agency's own has changed")
    if seed % 2 == 0:
        second = run(path, case.as_of, case.t0, case.config, scope=ranges, shards=2)
        if table(path, "email_schedules") != after and not _lost_its_day(expected):
            lines.append("the second run changed email_schedules")
        if bool(second.unknown_targets) != bool(expected.unknown_targets):
            lines.append(f"{second.unknown_targets} targets without a contact")
    return lines


def _lost_its_day(expected: oracle.Plan) -> bool:
    """Whether an email that was kept or smoothed found no room on its day or any day behind it.

    A later run looks for it among the days before as well, as for any that has no day yet.
    """
    reasons = {"Daily volume cap", "No sending day", "Campaign priority conflict"}
    return any(
        row.skip_reason in reasons and (row.kept or row.email_type == "effective_date")
        for row in expected.rows
    )


def _has_twins(before: dict[int, Record], expected: oracle.Plan) -> bool:
    """Whether two planned rows of one identity would stay, which nothing but a missing index of
    ours makes possible."""
    rows = [row for row_id, row in before.items() if row_id not in expected.removed]
    planned = [row for row in rows if row["status"] in ("pre-scheduled", "skipped")]
    twins = Counter(_identity(row) for row in planned if row.get("ideal_send_date") is not None)
    return any(count > 1 for identity, count in twins.items() if identity is not None)


def _wrong_rows(
    before: dict[int, Record],
    rows: list[Record],
    expected: oracle.Plan,
    wanted: dict[Identity, tuple[Any, ...]],
) -> list[str]:
    """Rows that went, stayed or changed against what the oracle says."""
    after = by_id(rows)
    lines = []
    gone = before.keys() - after.keys()
    if gone != expected.removed:
        lines.append(f"removed rows {sorted(gone)}, expected {sorted(expected.removed)}")
    lines += [
        f"row {row_id} is no history: {after[row_id]}"
        for row_id in sorted(expected.history)
        if (after[row_id]["status"], after[row_id]["skip_reason"]) != EXPIRED
    ]
    updated = {row.row_id for row in expected.rows if row.row_id is not None}
    untouched = before.keys() - expected.removed - expected.history - updated
    for row_id in sorted(untouched):
        known = {name: after[row_id][name] for name in before[row_id]}
        if known != before[row_id]:
            lines.append(f"row {row_id} changed from {before[row_id]} to {known}")
    for row in expected.rows:
        identity = (row.contact_id, row.email_type, row.campaign_instance_id or 0, row.event_date)
        if row.row_id is not None and _identity(after.get(row.row_id)) != identity:
            lines.append(f"row {row.row_id} is not updated in place: {after.get(row.row_id)}")
    if len(after) != len(untouched) + len(expected.history) + len(wanted):
        lines.append(f"{len(after)} rows in all")
    return lines


def _identity(row: Record | None) -> Identity | None:
    if row is None:
        return None
    try:
        event = dt.date(row["event_year"], row["event_month"], row["event_day"])
    except (TypeError, ValueError):
        return None
    contact = whole(row["contact_id"])
    if contact is None:
        return None
    return contact, row["email_type"], row["campaign_instance_id"] or 0, event


def _wrong_issues(path: Path, expected: oracle.Plan) -> list[str]:
    found = {(row["contact_id"], row["issue"]) for row in table(path, "contact_issues")}
    return [f"issue {one}" for one in sorted(found ^ expected.issues)]


def _wrong_numbers(summary: RunSummary, expected: oracle.Plan) -> list[str]:
    """The summary against the oracle's rows."""
    planned = Counter(row.email_type for row in expected.rows if row.status == "pre-scheduled")
    skipped = Counter(
        (str(row.skip_reason), row.email_type) for row in expected.rows if row.status == "skipped"
    )
    pairs = {
        "planned": (summary.planned, dict(planned)),
        "skipped": (
            {(r, t): n for r, types in summary.skipped.items() for t, n in types.items()},
            dict(skipped),
        ),
        "C and X": ((summary.daily_cap, summary.ceiling), (expected.C, expected.X)),
        "instances left out": (
            sorted(one.instance_id for one in summary.left_out),
            sorted(instance for instance, _ in expected.errors),
        ),
    }
    return [f"{name}: {a}, expected {b}" for name, (a, b) in pairs.items() if a != b]


def context(lines: list[str]) -> str:
    more = f"\n... and {len(lines) - 3} more" if len(lines) > 3 else ""
    return "\n".join(lines[:3]) + more


@pytest.mark.parametrize("seed", sampled(QUICK_SEEDS, 3))
def test_the_plan_is_the_oracles(seed: int, folder: Path) -> None:
    lines = disagreements(seed, folder)
    assert not lines, context(lines)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(SLOW_SEEDS.start, SLOW_SEEDS.stop, BLOCK))
def test_the_plans_of_many_more_agencies_are_the_oracles(first: int, folder: Path) -> None:
    found = {seed: disagreements(seed, folder) for seed in range(first, first + BLOCK)}
    wrong = [f"seed {seed}: {context(lines)}" for seed, lines in found.items() if lines]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow  # the quick tests of this are among the promises
def test_the_number_of_shards_and_processes_makes_no_difference(folder: Path) -> None:
    rows = []
    for shards, workers in ((1, 1), (7, 2), (70, 1)):
        case = Case(9)
        path = case.build(folder)
        run(path, case.as_of, case.t0, case.config, shards=shards, workers=workers)
        columns = "id, contact_id, email_type, scheduled_send_date, status, skip_reason"
        rows.append(records(path, f"SELECT {columns} FROM email_schedules ORDER BY id"))
    assert rows[0] == rows[1] == rows[2]
