"""The figures of a whole database as it stands: one pass over its contacts, and one over its rows.

A database that nobody writes to is read in this process. A large file that may be in use is read by
worker processes: a process must not have it open through two SQLite libraries at once, and the one
that is fast at columns is not the one that everything else goes through.
"""

from __future__ import annotations

import functools
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.database import selects
from almanac.database.columnar import ColumnarReader, RowReader, coded
from almanac.database.opening import live_uri, open_database
from almanac.database.scanning import SCHEDULED, SENT, SKIPPED, Scan
from almanac.database.sources import Source
from almanac.errors import AlmanacError
from almanac.frames import Codes, Days, Ids, Mask, Small
from almanac.pipeline.balance import Progress
from almanac.pipeline.figures import NO_REASON, STATES, Figures, Row, combinations, entries_in_force
from almanac.pipeline.orchestrate import cut
from almanac.pipeline.workers import worker_pool
from almanac.planning.audience import Audience
from almanac.planning.brief import Brief
from almanac.planning.contacts import read_contacts, states_of
from almanac.planning.history import CAMPAIGN, classify, instance_named
from almanac.planning.kinds import Vocabulary
from almanac.planning.lookup import positions
from almanac.report.lines import UNKNOWN
from almanac.report.page_data import Numbers
from almanac.report.summary import DayLoad

CONTACTS = 100_000  # that are read at a time
ROWS = 500_000
WORKERS = 2

_IDS, _STATES, _BRIEF = "ids.npy", "states.npy", "brief.json"

# (name of a method of Surveyor, arguments of each call) -> what the calls give, in order
Ask = Callable[[str, Sequence[tuple[int, ...]]], Iterable[Any]]


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

    def __init__(self, scan: Scan, brief: Brief) -> None:
        self._scan = scan
        self._brief = brief
        self._words = Vocabulary(brief)
        self._as_of = civil.day_of(brief.as_of)
        self._carriers = any(each.target_carriers is not None for each in brief.instances)
        self._ids: Ids = np.empty(0, np.int64)
        self._states: Small = np.empty(0, np.int8)

    def contact_ids(self) -> Ids:
        """See Snapshot."""
        return self._scan.contact_ids()

    def row_ranges(self) -> list[tuple[int, int]]:
        """The arguments of `rows` for all of the database."""
        return self._scan.row_ranges(ROWS)

    def suppressions(self) -> Counter[str]:
        """See entries_in_force."""
        return entries_in_force(self._scan.suppressions(), self._brief.as_of)

    def contacts(self, first: int, last: int) -> tuple[Small, Found]:
        """The state code of each contact of the range, and their counts."""
        table = self._scan.who(first, last, carriers=self._carriers)
        batch = read_contacts(table, self._scan.suppressions(), self._brief, self._words)
        targets = self._scan.targets(first, last)
        no_legacy = selects.PLANNED_SCHEMA.empty_table()
        audience = Audience.of(batch, targets, no_legacy, self._brief, self._words)
        issues = self._scan.issues(first, last)
        mine = positions(batch.scope, issues["contact_id"].to_numpy()) >= 0
        found = Found(issues=Counter(issues.filter(pa.array(mine))["issue"].to_pylist()))
        for state, count in audience.states.items():
            found.figures.states[state or UNKNOWN] += count
        found.figures.reach, found.figures.suppressed = audience.reach, audience.suppressed
        return states_of(table).astype(np.int8), found

    def know(self, ids: Ids, states: Small) -> None:
        """All contacts, in order of their ids, with their state codes: `rows` asks for them."""
        self._ids, self._states = ids, states

    def rows(self, first: int, last: int) -> Found:
        """The counts of the rows in a range of ids."""
        table = self._scan.rows(first, last, self._brief.as_of.isoformat())
        found = Found()
        if table.num_rows == 0:
            return found
        dates, date = coded(table["scheduled_send_date"])
        types, kind = coded(table["email_type"])
        day = civil.parse_dates(pa.array(dates, pa.string()))[date]
        contact = positions(self._ids, table["contact_id"].to_numpy())
        state, known, coming = table["state"].to_numpy(), contact >= 0, day >= self._as_of
        scheduled = coming & (state == SCHEDULED)
        committed = (state != SCHEDULED) & (state != SKIPPED)
        self._count_days(found, types, kind, day, known & scheduled)
        fixed = (coming & committed) | (scheduled & ~known)
        values, counts = np.unique(day[fixed], return_counts=True)
        found.fixed.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        instances = table["campaign_instance_id"].combine_chunks().dictionary_encode()
        ids, instance = instances.dictionary.to_pylist(), instances.indices.to_numpy()
        planned = known & coming & ~committed
        if planned.any():
            reasons, reason = coded(table["skip_reason"])
            fate = np.where(state == SKIPPED, reason + 1, 0)
            place = self._states[contact[planned]] + 1
            columns = [kind[planned], instance[planned], place, fate[planned]]
            sizes = [len(types), len(ids), len(STATES), len(reasons) + 1]
            fates = ["", *(text or NO_REASON for text in reasons)]
            for (a, b, c, d), count in combinations(columns, sizes):
                found.figures.rows[Row(types[a], ids[b], STATES[c], fates[d])] += count
        sent = known & (state == SENT)
        for (a, b), count in combinations([kind[sent], instance[sent]], [len(types), len(ids)]):
            if (which := self._campaign(types[a], ids[b])) is not None:
                found.figures.sent[which] += count
        return found

    def _count_days(
        self, found: Found, types: list[str], kind: Codes, day: Days, rows: Mask
    ) -> None:
        if rows.any():
            offset = day[rows] - self._as_of
            sizes = [int(offset.max()) + 1, len(types)]
            for (number, code), count in combinations([offset, kind[rows]], sizes):
                found.planned[self._as_of + number, types[code]] += count

    def _campaign(self, email_type: str, instance: int) -> int | None:
        """The instance that a committed row is a message of; None if it is of none."""
        code, name = classify(email_type)
        if code != CAMPAIGN:
            return None
        instances = self._brief.instances
        if instance:
            return instance if any(each.id == instance for each in instances) else None
        position = instance_named(name, instances)
        return instances[position].id if position >= 0 else None


def survey(scan: Scan, brief: Brief, progress: Progress) -> Numbers:
    """The numbers of a database that nobody writes to meanwhile."""
    surveyor = Surveyor(scan, brief)

    def ask(name: str, arguments: Sequence[tuple[int, ...]]) -> Iterator[Any]:
        return (getattr(surveyor, name)(*each) for each in arguments)

    return _survey(ask, surveyor.know, brief, progress)


def survey_live(path: Path, brief: Brief, progress: Progress) -> Numbers:
    """The numbers of a file that the caller holds open, by worker processes.

    They are those of one moment if nobody wrote to it meanwhile, which the caller finds out.
    """
    with tempfile.TemporaryDirectory(prefix="almanac-") as name, worker_pool(WORKERS) as pool:
        folder = Path(name)
        (folder / _BRIEF).write_text(brief.model_dump_json())
        uri = live_uri(path)

        def ask(method: str, arguments: Sequence[tuple[int, ...]]) -> Iterator[Any]:
            return pool.map(functools.partial(_ask, path, uri, folder, method), arguments)

        def know(ids: Ids, states: Small) -> None:
            np.save(folder / _IDS, ids)
            np.save(folder / _STATES, states)

        try:
            return _survey(ask, know, brief, progress)
        except BrokenProcessPool as error:
            raise AlmanacError(
                f"{path}: a worker process that read it ended without a word, perhaps for lack of "
                "memory"
            ) from error


def _survey(
    ask: Ask, know: Callable[[Ids, Small], None], brief: Brief, progress: Progress
) -> Numbers:
    progress("contacts", 0, 1)
    (ids,) = ask("contact_ids", [()])
    found = Found()
    (found.figures.entries,) = ask("suppressions", [()])
    states = [np.empty(0, np.int8)]
    ranges = cut(ids, len(ids), CONTACTS, None) if len(ids) else []
    for done, (codes, part) in enumerate(ask("contacts", ranges)):
        progress("contacts", done, len(ranges))
        states.append(codes)
        found.add(part)
    progress("contacts", 1, 1)
    know(ids, np.concatenate(states))
    (ranges,) = ask("row_ranges", [()])
    for done, part in enumerate(ask("rows", ranges)):
        progress("messages", done, len(ranges))
        found.add(part)
    progress("messages", 1, 1)
    return Numbers(
        eligible=found.figures.states.total(),
        days=found.days(),
        issues=dict(sorted(found.issues.items())),
        **found.figures.lines(brief),
    )


def _ask(path: Path, uri: str, folder: Path, method: str, arguments: tuple[int, ...]) -> Any:
    """In a worker process."""
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
    brief = Brief.model_validate_json((folder / _BRIEF).read_text())
    return Surveyor(scan, brief)


@functools.lru_cache(maxsize=1)
def _know(surveyor: Surveyor, folder: Path) -> None:
    surveyor.know(np.load(folder / _IDS), np.load(folder / _STATES))
