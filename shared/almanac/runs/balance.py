"""The balancing of a merge: choose the days of all shards' candidates together.

The fragments are read twice: first the few columns that balancing needs of all of them, then each
whole, with the day and the skip reason that its candidates got.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.balancing.occupancy import Counts, Limits, Occupancy, padded
from almanac.balancing.place import NoDayCodes, place
from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import EVERYONE
from almanac.database.contact_columns import unknown_flags
from almanac.database.oddities import Oddities
from almanac.database.range_tables import LEGACY
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.errors import Corrupt
from almanac.frames import (
    NO_DAY,
    PLACEMENT_STEPS,
    Codes,
    Contenders,
    Days,
    Mask,
    Placement,
    ScheduledDays,
    Small,
)
from almanac.joins import positions
from almanac.planning.campaigns import legacy_triggers
from almanac.planning.kinds import KindTable
from almanac.progress import Progress
from almanac.report.lines import SharedAddresses
from almanac.runs.fragment_validation import check_contenders, check_fragment, judged
from almanac.runs.fragments import Fragment, read_contenders
from almanac.runs.run_plan import RunPlan
from almanac.runs.tasks import fragment_names
from almanac.schedule_status import SkipCode
from almanac.statistics.breakdowns import entries_in_force
from almanac.statistics.change_reasons import PlanBefore, plan_before
from almanac.statistics.shared_addresses import shared_addresses_of
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
    unknown_targets: int
    oddities: Oddities
    shared_addresses: SharedAddresses | None  # of a run over all contacts
    scheduled_by_others: int  # rows of older schedulers that block their events
    unknown_flags: list[str]  # configured opt-out and consent columns that do not exist, in words
    likely_columns: dict[str, str]  # see `almanac.database.likely_columns`
    fixed: Counts  # messages per day from as_of on that the run does not place
    before: PlanBefore
    suppressions: Counter[str]  # entries in force on as_of, by skip reason


@dataclass(frozen=True)
class FragmentsRead:
    """All fragments as they are in the store, and of each what balancing needs."""

    fragments: list[ObjectInfo]
    contenders: list[Contenders]
    scheduled: list[ScheduledDays]


@traced("balance")
def balance(
    store: ObjectStore,
    plan: RunPlan,
    database: Path | Source,
    progress: Progress,
    read: FragmentsRead | None = None,
) -> Balanced:
    """Choose a day for each message of the run, over all shards; raise BadFragment, Corrupt.

    database: the snapshot's file, or what it is read through. read: the fragments, if they have
    been read; its contenders are used up.
    """
    kind_table = KindTable(plan.context)
    read = read or read_fragments(store, plan, progress)
    progress("balance", 0, 1)
    merged = Contenders.concat(read.contenders)
    read.contenders.clear()
    pa.default_memory_pool().release_unused()  # as much again as what was merged
    as_of, t0 = civil.day_of(plan.as_of), civil.day_of(plan.t0)
    config, settings = plan.context.config, plan.context.config.contacts
    closed = plan.context.closed_days
    limits = Limits.of(config, t0, plan.total_contacts, kind_table.kinds, closed)
    with Snapshot(database) as snapshot:
        fixed = _fixed(snapshot, ScheduledDays.concat(read.scheduled), as_of)
        occupancy = _occupancy(snapshot, fixed, t0 - as_of, t0)
        before = plan_before(snapshot, plan.total_contacts)
        suppressions = entries_in_force(snapshot.suppressions(), plan.as_of)
        unknown_targets = snapshot.foreign_targets(settings)[1]
        oddities = snapshot.oddities(settings)
        shared = shared_addresses_of(snapshot, settings) if plan.of_all_contacts else None
        by_others = snapshot.scheduled_by_others(civil.text_of(as_of), settings)
        columns, likely = snapshot.contact_columns(settings), snapshot.likely_columns(settings)
        if plan.context.legacy_instance is not None:
            unknown_targets += _converted_without_contact(snapshot, settings)
    skip = NoDayCodes(
        daily_cap=kind_table.reason(SkipCode.DAILY_CAP),
        conflict=kind_table.reason(SkipCode.CAMPAIGN_CONFLICT),
        no_sending_day=kind_table.reason(SkipCode.NO_SENDING_DAY),
    )
    with span("place", place, messages=len(merged)):  # targets, smoothing, daily cap
        placement = place(merged, occupancy, limits, skip)
    progress("balance", 1, 1)
    return Balanced(
        plan=plan,
        kind_table=kind_table,
        limits=limits,
        placement=placement,
        fragments=read.fragments,
        unknown_targets=unknown_targets,
        oddities=oddities,
        shared_addresses=shared,
        scheduled_by_others=by_others,
        unknown_flags=unknown_flags(columns, settings),
        likely_columns=likely,
        fixed=fixed[0],
        before=before,
        suppressions=suppressions,
    )


@traced("read fragments")
def read_fragments(store: ObjectStore, plan: RunPlan, progress: Progress) -> FragmentsRead:
    """Read what balancing needs of the run's fragments; raise BadFragment."""
    kind_table, names = KindTable(plan.context), fragment_names(plan)
    read = FragmentsRead([], [], [])
    progress("read fragments", 0, len(names))
    for done, name in enumerate(names):
        with judged(done, name):
            found = store.read(name)
            part, days = read_contenders(found.data, name, plan.fragment_mark(done))
            check_contenders(part, days, plan, done, kind_table)
        read.fragments.append(ObjectInfo(name, found.generation, found.size, found.crc32c))
        read.contenders.append(part)
        read.scheduled.append(days)
        progress("read fragments", done + 1, len(names))
    return read


@dataclass(frozen=True)
class Outcome:
    """A fragment with the final day and skip reason of each of its candidates."""

    fragment: Fragment
    day: Days
    reason: Codes
    step: Small
    changed: Mask  # differs from the snapshot, or is not in it


def outcomes(store: ObjectStore, balanced: Balanced) -> Iterator[Outcome]:
    """Yield the outcome of each fragment in contact order; raise BadFragment, Corrupt."""
    offset = 0
    for shard, info in enumerate(balanced.fragments):
        with judged(shard, info.name):
            found = store.read(info.name)
            if found.generation != info.generation:
                raise Corrupt(f"{info.name}: replaced while the run was merged")
            mark = balanced.plan.fragment_mark(shard)
            fragment = Fragment.from_parquet(found.data, info.name, mark)
            check_fragment(fragment, balanced.plan, shard, balanced.kind_table)
        candidates = fragment.candidates
        alive = candidates.reason == 0
        size = int(alive.sum())
        part = balanced.placement.take(slice(offset, offset + size))
        offset += size
        day, reason = candidates.ideal.copy(), candidates.reason.copy()
        day[alive], reason[alive] = part.day, part.reason
        step = np.full(len(candidates), PLACEMENT_STEPS.index("skipped"), np.int8)
        step[alive] = part.step
        same = candidates.previous_same & (candidates.previous_day == day)
        same &= candidates.previous_reason == reason
        yield Outcome(fragment, day, reason, step, ~same)
    if offset != len(balanced.placement):
        raise Corrupt(f"run {balanced.plan.run_id}: its fragments are not those that were placed")


def _fixed(snapshot: Snapshot, scheduled: ScheduledDays, as_of: int) -> tuple[Counts, Counts]:
    """Return the messages per day from as_of on that the run does not place: all, and those of
    effective dates.

    These are the committed and PRE_SCHEDULED rows of the database without the PRE_SCHEDULED rows
    of contacts in scope, which the run places again.
    """
    rows = snapshot.occupancy(civil.text_of(as_of), _by_date(scheduled))
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


def _occupancy(snapshot: Snapshot, fixed: tuple[Counts, Counts], ahead: int, t0: int) -> Occupancy:
    """Return the occupancy from T0 on; ahead: days from as_of, where `fixed` begins, to T0."""
    campaigns = snapshot.committed_campaigns(civil.text_of(t0))
    campaign_days = civil.parse_dates(campaigns["scheduled_send_date"])
    readable = campaign_days >= t0
    others, others_effective = fixed
    return Occupancy(
        days=others[ahead:],
        effective_dates=others_effective[ahead:],
        campaign_contacts=campaigns["contact_id"].to_numpy()[readable],
        campaign_days=campaign_days[readable],
    )


def _converted_without_contact(snapshot: Snapshot, settings: ContactColumns) -> int:
    """Count the old rate increases of unknown contacts, which the migration makes targets."""
    legacy = snapshot.read(LEGACY, EVERYONE)
    trigger = legacy_triggers(legacy)
    if not (trigger != NO_DAY).any():
        return 0
    ids = snapshot.contact_ids(settings)
    known = positions(ids, legacy["contact_id"].to_numpy()) >= 0
    lost = (trigger != NO_DAY) & ~known
    contacts = legacy["contact_id"].to_numpy()[lost]
    return len(set(zip(contacts.tolist(), trigger[lost].tolist(), strict=True)))


def _by_date(scheduled: ScheduledDays) -> dict[str, tuple[int, int]]:
    days, of_day = np.unique(scheduled.day, return_inverse=True)
    rows = np.bincount(of_day, scheduled.count).astype(int).tolist()
    effective = np.bincount(of_day, scheduled.effective_dates).astype(int).tolist()
    texts = map(civil.text_of, days.tolist())
    return dict(zip(texts, zip(rows, effective, strict=True), strict=True))


def _by_day(days: Days, counts: np.ndarray, first: int) -> Counts:
    return np.bincount(days - first, counts).astype(np.int64)
