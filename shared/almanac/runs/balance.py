"""Choosing days for all shards' candidates together: what the merge does before it writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from almanac import civil
from almanac.balancing.load import Counts, Limits, Load, padded
from almanac.balancing.place import SkipCodes, place
from almanac.database.reading import Snapshot
from almanac.errors import Corrupt, NotFound
from almanac.frames import (
    NO_DAY,
    Contenders,
    Days,
    Placement,
    ScheduledDays,
)
from almanac.planning.campaigns import legacy_triggers
from almanac.planning.kinds import CAMPAIGN_CONFLICT, DAILY_CAP, Vocabulary
from almanac.planning.lookup import positions
from almanac.runs.fragment_validation import check_contenders
from almanac.runs.fragments import read_contenders
from almanac.runs.run_plan import RunPlan
from almanac.statistics.breakdowns import entries_in_force
from almanac.statistics.change_reasons import PlanBefore, plan_before
from almanac.storage import layout
from almanac.storage.store import ObjectInfo, ObjectStore

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Balanced:
    """Days for every contender of a run, and what they had to share the days with."""

    plan: RunPlan
    words: Vocabulary
    limits: Limits
    load: Load
    placement: Placement
    fragments: list[ObjectInfo]  # in contact order, as balancing read them
    unknown_targets: int
    fixed: Counts  # what stands on each day from as_of on whatever the run decides
    before: PlanBefore
    suppressions: Counter[str]  # entries in force on as_of, by skip reason


LATE = 3  # fragments that a listing may not have yet


class BadFragment(Corrupt):
    """A shard's fragment is missing, damaged, another's, or not what its rows should be."""

    def __init__(self, shard: int, reason: str) -> None:
        super().__init__(reason)
        self.shard = shard


@contextmanager
def judged(shard: int, name: str) -> Iterator[None]:
    """Within it, whatever is wrong with what is read is wrong with the shard's fragment."""
    try:
        yield
    except (Corrupt, NotFound) as error:
        reason = str(error)
        raise BadFragment(shard, reason if name in reason else f"{name}: {reason}") from error


def fragment_names(plan: RunPlan) -> list[str]:
    """The objects that the run's shards write."""
    return [layout.fragment(plan.org_id, plan.run_id, n) for n in range(len(plan.shards))]


def is_complete(store: ObjectStore, plan: RunPlan) -> bool:
    """Whether every shard has written its fragment."""
    there = {info.name for info in store.list(layout.fragments(plan.org_id, plan.run_id))}
    missing = [name for name in fragment_names(plan) if name not in there]
    # A listing may be of a moment ago, and this may be the last time that anybody asks.
    return len(missing) <= LATE and all(store.stat(name) is not None for name in missing)


def balance(store: ObjectStore, plan: RunPlan, database: Path, progress: Progress) -> Balanced:
    """Choose a day for each message of the run, whichever shard it comes from."""
    words = Vocabulary(plan.brief)
    names = fragment_names(plan)
    read: list[ObjectInfo] = []
    contenders: list[Contenders] = []
    scheduled: list[ScheduledDays] = []
    progress("read fragments", 0, len(names))
    for done, name in enumerate(names):
        with judged(done, name):
            found = store.read(name)
            part, days = read_contenders(found.data, name, plan.fragment_mark(done))
            check_contenders(part, days, plan, done, words)
        read.append(ObjectInfo(name, found.generation, found.size, found.crc32c))
        contenders.append(part)
        scheduled.append(days)
        progress("read fragments", done + 1, len(names))
    progress("balance", 0, 1)
    merged = Contenders.concat(contenders)
    contenders.clear()
    as_of, t0 = civil.day_of(plan.as_of), civil.day_of(plan.t0)
    limits = Limits.of(plan.brief.config, t0, plan.total_contacts, words.kinds)
    with Snapshot(database) as snapshot:
        fixed = _fixed(snapshot, ScheduledDays.concat(scheduled), as_of)
        load = _load(snapshot, fixed, t0 - as_of, t0)
        before = plan_before(snapshot, plan.total_contacts)
        suppressions = entries_in_force(snapshot.suppressions(), plan.as_of)
        unknown_targets = snapshot.foreign_targets()[1]
        if plan.brief.legacy_instance is not None:
            unknown_targets += _converted_without_contact(snapshot)
    skip = SkipCodes(words.reason(DAILY_CAP), words.reason(CAMPAIGN_CONFLICT))
    placement = place(merged, load, limits, skip)
    progress("balance", 1, 1)
    return Balanced(
        plan=plan,
        words=words,
        limits=limits,
        load=load,
        placement=placement,
        fragments=read,
        unknown_targets=unknown_targets,
        fixed=fixed[0],
        before=before,
        suppressions=suppressions,
    )


def _fixed(snapshot: Snapshot, scheduled: ScheduledDays, as_of: int) -> tuple[Counts, Counts]:
    """What stands on each day from as_of on whatever the run decides, and the effective_date
    messages among it: all committed and pre-scheduled rows of the database, less the
    pre-scheduled ones of contacts in scope, which the run places anew."""
    standing = snapshot.standing(civil.text_of(as_of))
    days = civil.parse_dates(standing["scheduled_send_date"])
    count = standing["count"].to_numpy()
    effective = standing["effective_date"].to_numpy() != 0
    known = days >= as_of
    total = _by_day(days[known], count[known], as_of)
    effective_total = _by_day(days[known & effective], count[known & effective], as_of)
    size = max(len(total), int(scheduled.day.max(initial=as_of)) - as_of + 1)
    mine = _by_day(scheduled.day, scheduled.count, as_of)
    mine_effective = _by_day(scheduled.day, scheduled.effective_dates, as_of)
    others = padded(total, size) - padded(mine, size)
    others_effective = padded(effective_total, size) - padded(mine_effective, size)
    if others.min(initial=0) < 0 or others_effective.min(initial=0) < 0:
        raise Corrupt("the fragments tell of more rows on a day than the database has")
    return others, others_effective


def _load(snapshot: Snapshot, fixed: tuple[Counts, Counts], ahead: int, t0: int) -> Load:
    """What stands from T0 on; ahead: days from as_of, with which `fixed` begins, to T0."""
    campaigns = snapshot.committed_campaigns(civil.text_of(t0))
    campaign_days = civil.parse_dates(campaigns["scheduled_send_date"])
    readable = campaign_days >= t0
    others, others_effective = fixed
    return Load(
        days=others[ahead:],
        effective_dates=others_effective[ahead:],
        campaign_contacts=campaigns["contact_id"].to_numpy()[readable],
        campaign_days=campaign_days[readable],
    )


def _converted_without_contact(snapshot: Snapshot) -> int:
    """Old rate increases of unknown contacts, which become targets by the migration."""
    legacy = snapshot.legacy_rate_increases(-(1 << 63), (1 << 63) - 1)
    trigger = legacy_triggers(legacy)
    known = positions(snapshot.contact_ids(), legacy["contact_id"].to_numpy()) >= 0
    lost = (trigger != NO_DAY) & ~known
    contacts = legacy["contact_id"].to_numpy()[lost]
    return len(set(zip(contacts.tolist(), trigger[lost].tolist(), strict=True)))


def _by_day(days: Days, counts: np.ndarray, first: int) -> Counts:
    return np.bincount(days - first, counts).astype(np.int64)
