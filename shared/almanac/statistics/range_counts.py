"""Counts of ranges of one database's contacts and rows, in whichever process it is asked.

A worker process begins by importing this module, which therefore imports little.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.contact_ranges import ContactRange
from almanac.database import selects
from almanac.database.columnar import ColumnarReader, RowReader
from almanac.database.opening import open_database
from almanac.database.range_tables import ISSUES, TARGETS
from almanac.database.scanning import Scan
from almanac.database.sources import Source
from almanac.frames import Ids, Small
from almanac.joins import positions
from almanac.planning.audience import Audience
from almanac.planning.brief import RunContext
from almanac.planning.contacts import read_contacts, states_of
from almanac.planning.history import CAMPAIGN, classify, instance_named
from almanac.planning.kinds import KindTable
from almanac.report.lines import UNKNOWN
from almanac.report.summary import DayLoad
from almanac.schedule_status import PLANNED_STATUSES, SENT_STATUSES, Status
from almanac.statistics.breakdowns import (
    NO_REASON,
    STATES,
    Figures,
    Row,
    combinations,
    entries_in_force,
)

CONTACTS = 100_000  # that are read at a time
ROWS = 500_000


_IDS, _STATES, _BRIEF = "ids.npy", "states.npy", "brief.json"


@dataclass
class Found:
    """Counts of some contacts, or of some rows."""

    figures: Figures = field(default_factory=Figures)
    issues: Counter[str] = field(default_factory=Counter)
    planned: Counter[tuple[int, str]] = field(default_factory=Counter)  # by day and email type
    fixed: Counter[int] = field(default_factory=Counter)  # by day: what no run may move

    def add(self, other: Found) -> None:
        """Both together."""
        self.figures.add(other.figures)
        self.issues.update(other.issues)
        self.planned.update(other.planned)
        self.fixed.update(other.fixed)

    def days(self) -> dict[str, DayLoad]:
        """What stands on each day."""
        types: dict[int, dict[str, int]] = defaultdict(dict)
        for day, email_type in sorted(self.planned):
            types[day][email_type] = self.planned[day, email_type]
        return {
            civil.text_of(day): DayLoad(planned=types.get(day, {}), fixed=self.fixed[day])
            for day in sorted({*types, *self.fixed})
        }


class Surveyor:
    """Counts ranges of one database."""

    def __init__(self, scan: Scan, context: RunContext) -> None:
        self._scan = scan
        self._context = context
        self._kind_table = KindTable(context)
        self._as_of = civil.day_of(context.as_of)
        self._carriers = any(each.target_carriers is not None for each in context.instances)
        self._ids: Ids = np.empty(0, np.int64)
        self._states: Small = np.empty(0, np.int8)

    def contact_ranges(self) -> list[ContactRange]:
        """The arguments of `contacts` for all of the database."""
        return self._scan.contact_ranges(CONTACTS)

    def row_ranges(self) -> list[ContactRange]:
        """The arguments of `rows` for all of the database."""
        return self._scan.row_ranges(ROWS)

    def suppressions(self) -> Counter[str]:
        """See entries_in_force."""
        return entries_in_force(self._scan.suppressions(), self._context.as_of)

    def contacts(self, first: int, last: int) -> tuple[Ids, Small, Found]:
        """The id and the state code of each contact of the range, in order, and their counts."""
        contacts = ContactRange(first, last)
        table = self._scan.who(contacts, carriers=self._carriers)
        batch = read_contacts(table, self._scan.suppressions(), self._context, self._kind_table)
        targets = self._scan.read(TARGETS, contacts)
        no_legacy = selects.PLANNED_SCHEMA.empty_table()
        audience = Audience.of(batch, targets, no_legacy, self._context, self._kind_table)
        issues = self._scan.read(ISSUES, contacts)
        mine = positions(batch.scope, issues["contact_id"].to_numpy()) >= 0
        found = Found(issues=Counter(issues.filter(pa.array(mine))["issue"].to_pylist()))
        for state, count in audience.states.items():
            found.figures.states[state or UNKNOWN] += count
        found.figures.reach, found.figures.suppressed = audience.reach, audience.suppressed
        return batch.scope, states_of(table).astype(np.int8), found

    def know(self, ids: Ids, states: Small) -> None:
        """All contacts, in order of their ids, with their state codes: `rows` asks for them."""
        self._ids, self._states = ids, states

    def rows(self, first: int, last: int) -> Found:
        """The counts of the rows in a range of ids."""
        rows = self._scan.rows(first, last, self._context.as_of.isoformat())
        found = Found()
        if not rows.kinds:
            return found
        contact = positions(self._ids, rows.contact_id)
        dates = pa.array([date for _, _, date, _, _ in rows.kinds], pa.string())
        days = civil.parse_dates(dates).tolist()
        counts = np.bincount(rows.kind, minlength=len(rows.kinds)).tolist()
        of_contacts = np.bincount(rows.kind[contact >= 0], minlength=len(rows.kinds)).tolist()
        planned: defaultdict[tuple[int, str], int] = defaultdict(int)
        fixed: defaultdict[int, int] = defaultdict(int)
        groups: dict[tuple[str, str, str], int] = {}  # what is told apart of planned rows
        group = np.full(len(rows.kinds), -1, np.int32)
        each = zip(rows.kinds, days, counts, of_contacts, strict=True)
        for n, ((status, instance, _, email_type, reason), day, count, known) in enumerate(each):
            if status in SENT_STATUSES and known:
                which = self._campaign(email_type, int(instance))
                if which is not None:
                    found.figures.sent[which] += known
            if day < self._as_of:
                continue
            if status in PLANNED_STATUSES:
                fate = "" if status == Status.PRE_SCHEDULED else reason or NO_REASON
                group[n] = groups.setdefault((email_type, instance, fate), len(groups))
            if status == Status.PRE_SCHEDULED:
                planned[day, email_type] += known
            if status != Status.SKIPPED:
                fixed[day] += count - known if status == Status.PRE_SCHEDULED else count
        found.planned, found.fixed = +Counter(planned), +Counter(fixed)
        group_of = group[rows.kind]
        counted = (contact >= 0) & (group_of >= 0)
        place_of = self._states[contact[counted]] + 1
        names = list(groups)
        sizes = [len(names), len(STATES)]
        for (number, place), many in combinations([group_of[counted], place_of], sizes):
            email_type, instance, reason = names[number]
            found.figures.rows[Row(email_type, int(instance), STATES[place], reason)] += many
        return found

    def _campaign(self, email_type: str, instance: int) -> int | None:
        """The instance that a committed row is a message of; None if it is of none."""
        code, name = classify(email_type)
        if code != CAMPAIGN:
            return None
        instances = self._context.instances
        if instance:
            return instance if any(each.id == instance for each in instances) else None
        position = instance_named(name, instances)
        return instances[position].id if position >= 0 else None


def hand_over(folder: Path, context: RunContext) -> None:
    """For `ask` in other processes."""
    (folder / _BRIEF).write_text(context.model_dump_json())


def make_known(folder: Path, ids: Ids, states: Small) -> None:
    """As Surveyor.know, in other processes."""
    np.save(folder / _IDS, ids)
    np.save(folder / _STATES, states)


def warm_up() -> None:
    """Importing this module is what takes time in a new process."""


def ask(path: Path, uri: str, folder: Path, method: str, arguments: tuple[int, ...]) -> Any:
    """What a method of the file's Surveyor gives, in a worker process."""
    surveyor = _surveyor(path, uri, folder)
    if method == "rows":
        _know(surveyor, folder)
    return getattr(surveyor, method)(*arguments)


@functools.lru_cache(maxsize=1)
def _surveyor(path: Path, uri: str, folder: Path) -> Surveyor:
    connection = open_database(path, writable=False)
    try:
        scan = Scan(Source(path, connection, RowReader(path, connection), lambda: None))
        scan.describe()
    finally:
        connection.close()
    scan.read_only_through(ColumnarReader(path, uri))
    context = RunContext.model_validate_json((folder / _BRIEF).read_text())
    return Surveyor(scan, context)


@functools.lru_cache(maxsize=1)
def _know(surveyor: Surveyor, folder: Path) -> None:
    surveyor.know(np.load(folder / _IDS), np.load(folder / _STATES))
