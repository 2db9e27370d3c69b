"""The balancing of a merge: choose the days of all shards' candidates together.

The fragments are read twice: here the few columns that balancing needs of all of them, then each
whole (`almanac.runs.outcomes`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.balancing.occupancy import Counts, Limits, Occupancy, padded
from almanac.balancing.place import NoDayCodes, place
from almanac.balancing.targets import Aims, aims_of
from almanac.database.occupancy import CountedDays, occupancy
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.errors import Corrupt
from almanac.frames import (
    Days,
    Parts,
    Placement,
    ScheduledDays,
)
from almanac.planning.kinds import KindTable
from almanac.progress import Progress
from almanac.runs.database_facts import DatabaseFacts, Questions, ask_database
from almanac.runs.fragment_validation import check_contenders, judged
from almanac.runs.fragments import read_contenders
from almanac.runs.questions import asking
from almanac.runs.run_plan import RunPlan
from almanac.runs.tasks import fragment_names
from almanac.schedule_status import SkipCode
from almanac.storage.store import ObjectInfo, ObjectStore
from almanac.tracing import span, traced


@dataclass(frozen=True)
class Balanced:
    """The day of every contender of a run, and the occupancy that limited the choice."""

    plan: RunPlan
    kind_table: KindTable
    limits: Limits
    placement: Placement
    fragments: list[ObjectInfo]  # in contact order, as balancing read them
    fixed: Counts  # messages per day from as_of on that the run does not place
    facts: DatabaseFacts


@dataclass(frozen=True)
class FragmentsRead:
    """All fragments as they are in the store, and of each what balancing needs."""

    fragments: list[ObjectInfo]
    aims: Parts[Aims]
    scheduled: list[ScheduledDays]


def balance(
    store: ObjectStore,
    plan: RunPlan,
    database: Path,
    progress: Progress,
    read: FragmentsRead | None = None,
) -> Balanced:
    """Choose a day for each message of the run, over all shards; raise BadFragment, Corrupt.

    database: the snapshot's file. read: the fragments, if they have been read; its aims are
    changed.
    """
    with asking(database) as ask:
        return balance_with(store, plan, database, ask_database(ask, plan), progress, read)


@traced("balance")
def balance_with(
    store: ObjectStore,
    plan: RunPlan,
    database: Path | Source,
    asked: Questions,
    progress: Progress,
    read: FragmentsRead | None = None,
) -> Balanced:
    """Choose the days, as `balance` does, once the database has been asked."""
    kind_table = KindTable(plan.context)
    as_of, t0 = civil.day_of(plan.as_of), civil.day_of(plan.t0)
    limits = _limits(plan, kind_table)
    read = read or read_fragments(store, plan, progress)
    progress("balance", 0, 1)
    merged = read.aims.joined()
    pa.default_memory_pool().release_unused()
    fixed = _fixed(database, asked.counted(), ScheduledDays.concat(read.scheduled), as_of)
    occupancy = _occupancy(asked.campaigns(), fixed, t0 - as_of, t0)
    with span("place", place, messages=len(merged)):  # targets, smoothing, daily cap
        placement = place(merged, occupancy, limits, _skip_codes(kind_table))
    facts = asked.facts()
    progress("balance", 1, 1)
    return Balanced(
        plan=plan,
        kind_table=kind_table,
        limits=limits,
        placement=placement,
        fragments=read.fragments,
        fixed=fixed[0],
        facts=facts,
    )


def _limits(plan: RunPlan, kind_table: KindTable) -> Limits:
    closed, t0 = plan.context.closed_days, civil.day_of(plan.t0)
    return Limits.of(plan.context.config, t0, plan.total_contacts, kind_table.kinds, closed)


def _skip_codes(kind_table: KindTable) -> NoDayCodes:
    return NoDayCodes(
        daily_cap=kind_table.reason(SkipCode.DAILY_CAP),
        conflict=kind_table.reason(SkipCode.CAMPAIGN_CONFLICT),
        no_sending_day=kind_table.reason(SkipCode.NO_SENDING_DAY),
    )


@traced("read fragments")
def read_fragments(store: ObjectStore, plan: RunPlan, progress: Progress) -> FragmentsRead:
    """Read what balancing needs of the run's fragments; raise BadFragment."""
    kind_table, names = KindTable(plan.context), fragment_names(plan)
    limits = _limits(plan, kind_table)
    read = FragmentsRead([], Parts(Aims, len(names)), [])
    progress("read fragments", 0, len(names))
    for done, name in enumerate(names):
        with judged(done, name):
            found = store.read(name)
            part, days = read_contenders(found.data, name, plan.fragment_mark(done))
            check_contenders(part, days, plan, done, kind_table)
        read.fragments.append(ObjectInfo(name, found.generation, found.size, found.crc32c))
        read.aims.add(aims_of(part, limits))
        read.scheduled.append(days)
        progress("read fragments", done + 1, len(names))
    return read


def _fixed(
    database: Path | Source, counted: CountedDays, scheduled: ScheduledDays, as_of: int
) -> tuple[Counts, Counts]:
    """Return the messages per day from as_of on that the run does not place: all, and those of
    effective dates.

    These are the committed and PRE_SCHEDULED rows of the database without the PRE_SCHEDULED rows
    of contacts in scope, which the run places again.
    """

    def scheduled_dated() -> Counter[str]:
        with Snapshot(database) as snapshot:
            return snapshot.scheduled_dated(civil.text_of(as_of))

    rows = occupancy(counted, _by_date(scheduled), scheduled_dated)
    days = civil.parse_dates(rows["scheduled_send_date"])
    count = rows["count"].to_numpy()
    effective = rows["effective_date"].to_numpy() != 0
    known = days >= as_of
    total = _by_day(days[known], count[known], as_of)
    effective_total = _by_day(days[known & effective], count[known & effective], as_of)
    size = max(len(total), int(scheduled.day.max(initial=as_of)) - as_of + 1)
    mine = _by_day(scheduled.day, scheduled.count, as_of)
    mine_effective = _by_day(scheduled.day, scheduled.effective_dates, as_of)
    others = padded(total, size) - padded(mine, size)
    others_effective = padded(effective_total, size) - padded(mine_effective, size)
    if others.min(initial=0) < 0 or others_effective.min(initial=0) < 0:
        raise Corrupt("the fragments report more rows on a day than the database has")
    return others, others_effective


def _occupancy(campaigns: pa.Table, fixed: tuple[Counts, Counts], ahead: int, t0: int) -> Occupancy:
    """Return the occupancy from T0 on.

    campaigns: COMMITTED_CAMPAIGNS_SCHEMA. ahead: days from as_of, where `fixed` begins, to T0.
    """
    campaign_days = civil.parse_dates(campaigns["scheduled_send_date"])
    readable = campaign_days >= t0
    others, others_effective = fixed
    return Occupancy(
        days=others[ahead:],
        effective_dates=others_effective[ahead:],
        campaign_contacts=campaigns["contact_id"].to_numpy()[readable],
        campaign_days=campaign_days[readable],
    )


def _by_date(scheduled: ScheduledDays) -> dict[str, tuple[int, int]]:
    days, of_day = np.unique(scheduled.day, return_inverse=True)
    rows = np.bincount(of_day, scheduled.count).astype(int).tolist()
    effective = np.bincount(of_day, scheduled.effective_dates).astype(int).tolist()
    texts = map(civil.text_of, days.tolist())
    return dict(zip(texts, zip(rows, effective, strict=True), strict=True))


def _by_day(days: Days, counts: np.ndarray, first: int) -> Counts:
    return np.bincount(days - first, counts).astype(np.int64)
