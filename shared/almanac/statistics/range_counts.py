"""Counts of ranges of one database's contacts and rows, in this process or in a worker process.

A worker process begins by importing this module, which therefore imports little.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.checksums import Hashes
from almanac.contact_ranges import ContactRange
from almanac.database import selects
from almanac.database.range_tables import ISSUES, TARGETS
from almanac.database.scanning import Rows, Scan
from almanac.frames import Codes, Ids, Index, Mask, Small
from almanac.joins import positions
from almanac.planning.audience import Audience
from almanac.planning.brief import RunContext
from almanac.planning.contact_states import states_of
from almanac.planning.contacts import read_contacts
from almanac.planning.history import CAMPAIGN, classify, instance_named
from almanac.planning.kinds import KindTable
from almanac.report.lines import ClosedDayMoves
from almanac.report.summary import DayLoad
from almanac.schedule_status import PLANNED_STATUSES, SENT_STATUSES, Status
from almanac.statistics.breakdowns import (
    NO_REASON,
    STATES,
    Figures,
    Integers,
    PlannedGroup,
    combinations,
    entries_in_force,
)
from almanac.statistics.shared_addresses import address_checksums

CONTACTS = 100_000  # read at a time
ROWS = 500_000


_IDS, _STATES, _BRIEF = "ids.npy", "states.npy", "brief.json"


@dataclass
class Counts:
    """Counts of some contacts, or of some rows."""

    figures: Figures = field(default_factory=Figures)
    issues: Counter[str] = field(default_factory=Counter)
    planned: Counter[tuple[int, str]] = field(default_factory=Counter)  # by day and email type
    fixed: Counter[int] = field(default_factory=Counter)  # by day: what no run moves

    def add(self, other: Counts) -> None:
        """Add the counts of other contacts or rows."""
        self.figures.add(other.figures)
        self.issues.update(other.issues)
        self.planned.update(other.planned)
        self.fixed.update(other.fixed)

    def days(self) -> dict[str, DayLoad]:
        """Return the occupancy of each day."""
        types: dict[int, dict[str, int]] = defaultdict(dict)
        for day, email_type in sorted(self.planned):
            types[day][email_type] = self.planned[day, email_type]
        return {
            civil.text_of(day): DayLoad(planned=types.get(day, {}), fixed=self.fixed[day])
            for day in sorted({*types, *self.fixed})
        }


class _Kind(NamedTuple):
    """Rows that have all of this in common."""

    status: str
    instance: int
    day: int  # NO_DAY for what is no date
    email_type: str
    reason: str
    rows: int
    known: int  # those of them that a contact has


def _kinds_of(rows: Rows, known: Mask) -> list[_Kind]:
    """Return the kinds of a range's rows; known: by row, whether there is such a contact."""
    days = civil.parse_dates(pa.array([date for _, _, date, _, _ in rows.kinds], pa.string()))
    counts = np.bincount(rows.kind, minlength=len(rows.kinds))
    of_contacts = np.bincount(rows.kind[known], minlength=len(rows.kinds))
    each = zip(rows.kinds, days.tolist(), counts.tolist(), of_contacts.tolist(), strict=True)
    return [
        _Kind(status, int(instance), day, email_type, reason, count, with_contact)
        for (status, instance, _, email_type, reason), day, count, with_contact in each
    ]


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
        """Return the arguments of `contacts` for the whole database."""
        return self._scan.contact_ranges(CONTACTS, self._context.config.contacts)

    def row_ranges(self) -> list[ContactRange]:
        """Return the arguments of `rows` for the whole database."""
        return self._scan.row_ranges(ROWS)

    def suppressions(self) -> Counter[str]:
        """Return the suppressions in force; see `entries_in_force`."""
        return entries_in_force(self._scan.suppressions(), self._context.as_of)

    def moved_off_closed(self) -> ClosedDayMoves:
        """Return the messages to be sent from as_of on that closed days moved."""
        closed = self._context.closed_days
        messages, days = self._scan.moved_off(closed, self._context.as_of.isoformat())
        return ClosedDayMoves(messages=messages, days=days)

    def contacts(self, first: int, last: int) -> tuple[Ids, Small, Hashes, Counts]:
        """Return ids, state codes and `address_checksums` of the range's contacts, in order, and
        their counts."""
        contacts = ContactRange(first, last)
        table = self._scan.who(contacts, self._context.config.contacts, carriers=self._carriers)
        batch = read_contacts(table, self._scan.suppressions(), self._context, self._kind_table)
        targets = self._scan.read(TARGETS, contacts)
        no_legacy = selects.PLANNED_SCHEMA.empty_table()
        audience = Audience.of(batch, targets, no_legacy, self._context, self._kind_table)
        issues = self._scan.read(ISSUES, contacts)
        mine = positions(batch.scope, issues["contact_id"].to_numpy()) >= 0
        found = Counts(issues=Counter(issues.filter(pa.array(mine))["issue"].to_pylist()))
        found.figures.add_audience(audience)
        addresses = address_checksums(table["email"])
        return batch.scope, states_of(table).astype(np.int8), addresses, found

    def know(self, ids: Ids, states: Small) -> None:
        """Set all contacts, sorted by id, with their state codes; `rows` needs them."""
        self._ids, self._states = ids, states

    def rows(self, first: int, last: int) -> Counts:
        """Return the counts of the rows in a range of row ids."""
        rows = self._scan.rows(first, last, self._context.as_of.isoformat())
        if not rows.kinds:
            return Counts()
        contact = positions(self._ids, rows.contact_id)
        kinds = _kinds_of(rows, contact >= 0)
        counts = Counts(planned=self._planned(kinds), fixed=self._fixed(kinds))
        counts.figures.sent = self._sent(kinds)
        counts.figures.rows = self._by_group(kinds, rows.kind, contact)
        return counts

    def _planned(self, kinds: list[_Kind]) -> Counter[tuple[int, str]]:
        """Count by day and email type what is to be sent to known contacts from as_of on."""
        planned: defaultdict[tuple[int, str], int] = defaultdict(int)
        for kind in kinds:
            if kind.day >= self._as_of and kind.status == Status.PRE_SCHEDULED:
                planned[kind.day, kind.email_type] += kind.known
        return +Counter(planned)

    def _fixed(self, kinds: list[_Kind]) -> Counter[int]:
        """Count by day from as_of on what no run moves: committed rows, and those to be sent to
        unknown contacts."""
        fixed: defaultdict[int, int] = defaultdict(int)
        for kind in kinds:
            if kind.day >= self._as_of and kind.status == Status.PRE_SCHEDULED:
                fixed[kind.day] += kind.rows - kind.known
            elif kind.day >= self._as_of and kind.status != Status.SKIPPED:
                fixed[kind.day] += kind.rows
        return +Counter(fixed)

    def _sent(self, kinds: list[_Kind]) -> Counter[int]:
        """Count by campaign instance the messages that were sent to known contacts."""
        sent: Counter[int] = Counter()
        for kind in kinds:
            if kind.status in SENT_STATUSES and kind.known:
                instance = self._campaign(kind.email_type, kind.instance)
                if instance is not None:
                    sent[instance] += kind.known
        return sent

    def _by_group(
        self, kinds: list[_Kind], kind_of: Codes, contact: Index
    ) -> Counter[PlannedGroup]:
        """Count the planned rows of known contacts from as_of on by type, reason and state.

        kind_of, contact: by row, its kind and the position of its contact, -1 for an unknown one.
        """
        names: dict[tuple[str, int, str], int] = {}
        group = np.full(len(kinds), -1, np.int32)
        for number, kind in enumerate(kinds):
            if kind.day >= self._as_of and kind.status in PLANNED_STATUSES:
                scheduled = kind.status == Status.PRE_SCHEDULED
                reason = "" if scheduled else kind.reason or NO_REASON
                name = (kind.email_type, kind.instance, reason)
                group[number] = names.setdefault(name, len(names))
        group_of = group[kind_of]
        counted = (contact >= 0) & (group_of >= 0)
        columns: list[Integers] = [group_of[counted], self._states[contact[counted]] + 1]
        groups, found = list(names), Counter[PlannedGroup]()
        for (number, state), count in combinations(columns, [len(names), len(STATES)]):
            email_type, instance, reason = groups[number]
            found[PlannedGroup(email_type, instance, STATES[state], reason)] += count
        return found

    def _campaign(self, email_type: str, instance: int) -> int | None:
        """Return the instance that a committed row belongs to; None for no campaign."""
        code, name = classify(email_type)
        if code != CAMPAIGN:
            return None
        instances = self._context.instances
        if instance:
            return instance if any(each.id == instance for each in instances) else None
        position = instance_named(name, instances)
        return instances[position].id if position >= 0 else None


def hand_over(folder: Path, context: RunContext) -> None:
    """Write the context to the folder, for `ask` in other processes."""
    (folder / _BRIEF).write_text(context.model_dump_json())


def make_known(folder: Path, ids: Ids, states: Small) -> None:
    """Do the same as `Surveyor.know`, for other processes."""
    np.save(folder / _IDS, ids)
    np.save(folder / _STATES, states)


def warm_up() -> None:
    """Do nothing: to import this module is what takes time in a new process."""


def ask(path: Path, uri: str, folder: Path, method: str, arguments: tuple[int, ...]) -> Any:
    """Return the result of a method of the file's Surveyor, in a worker process."""
    surveyor = _surveyor(path, uri, folder)
    if method == "rows":
        _know(surveyor, folder)
    return getattr(surveyor, method)(*arguments)


@functools.lru_cache(maxsize=1)
def _surveyor(path: Path, uri: str, folder: Path) -> Surveyor:
    context = RunContext.read((folder / _BRIEF).read_text())
    return Surveyor(Scan.of_live(path, uri), context)


@functools.lru_cache(maxsize=1)
def _know(surveyor: Surveyor, folder: Path) -> None:
    surveyor.know(np.load(folder / _IDS), np.load(folder / _STATES))
