"""Two configurations planned on one snapshot of a file, and how their plans differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from almanac.config import Config
from almanac.joins import Identity, all_but, identity_keys, match
from almanac.organizations.recorded_config import NamedConfig
from almanac.progress import Progress, Stopwatch
from almanac.report.summary import RunSummary
from almanac.report.what_if import (
    FATES_IN_WORDS,
    Counts,
    Day,
    Setting,
    WhatIf,
    _pair,
    _pairs,
    differing_settings,
)
from almanac.report.what_if_answer import answer_of
from almanac.runs.balance import Balanced, balance
from almanac.runs.outcomes import Outcome, outcomes
from almanac.runs.planned_file import PlannedFile, opened
from almanac.runs.run_options import RunOptions, as_of
from almanac.runs.run_plan import RunPlan
from almanac.runs.totals import PlanTotals


@dataclass(frozen=True)
class BothPlans:
    """What two configurations plan on one copy of a file."""

    copy: PlannedFile
    before: Balanced
    after: Balanced

    def outcomes(self, progress: Progress) -> Iterator[tuple[Outcome, Outcome]]:
        """Yield the outcomes of each shard in both plans."""
        both = (outcomes(self.copy.store, each) for each in (self.before, self.after))
        for done, pair in enumerate(zip(*both, strict=True)):
            progress("compare", done, len(self.after.fragments))
            yield pair


@contextmanager
def both_plans(
    path: Path, old: Config, new: Config, options: RunOptions, progress: Progress
) -> Iterator[BothPlans]:
    """Plan the file as it is at one moment twice, on the same day. Raises as `run_file` does."""
    options = replace(options, as_of=as_of(new, options), dry_run=True)
    with opened(path, new, options, progress) as copy:

        def progress_of(which: str) -> Progress:
            return lambda step, done, total: progress(f"{which}: {step}", done, total)

        def balanced(plan: RunPlan, which: str) -> Balanced:
            return balance(copy.store, plan, copy.database, progress_of(which))

        plan = copy.planned(old, options, progress_of("old"))
        before = balanced(plan, "old")
        plan = with_another_cap(plan, old, new) or copy.planned(new, options, progress_of("new"))
        yield BothPlans(copy, before, balanced(plan, "new"))


def compare_plans(
    path: Path, old: NamedConfig, new: NamedConfig, options: RunOptions, progress: Progress
) -> RunSummary:
    """The dry run of the new configuration, with what differs from that of the old one.

    Raises as `run_file` does.
    """
    watch = Stopwatch(progress)
    with both_plans(path, old.config, new.config, options, watch) as plans:
        totals, fates = (PlanTotals(plans.before), PlanTotals(plans.after)), Fates(plans.after)
        for pair in plans.outcomes(watch):
            for total, outcome in zip(totals, pair, strict=True):
                total.add(outcome)
            fates.add(*pair)
        summaries = [total.summary([]) for total in totals]
        found = what_if(
            *summaries,
            named=(old.words, new.words),
            settings=differing_settings(old.config, new.config),
            fates=fates.by_type,
            reasons=fates.by_reason,
        )
        update = {"dry_run": True, "what_if": found, "seconds": watch.seconds()}
        update["adopted"] = plans.copy.adopted
        return summaries[1].model_copy(update=update)


def with_another_cap(plan: RunPlan, old: Config, new: Config) -> RunPlan | None:
    """Return the plan of the new configuration over the fragments of the old one.

    None if they differ in more than the cap and the ceiling, which only balancing reads.
    """
    balancing = new.load_balancing
    named = ("daily_send_percentage_cap", "overage_threshold")
    capped = old.load_balancing.model_copy(update={k: getattr(balancing, k) for k in named})
    if old.model_copy(update={"load_balancing": capped}) != new:
        return None
    config = plan.context.config.model_copy(update={"load_balancing": balancing})
    context = plan.context.model_copy(update={"config": config})
    return plan.model_copy(update={"context": context})


class Fates:
    """What becomes of each message when the configuration changes, by identity.

    The kinds and reasons of two runs on one snapshot follow from its campaigns and suppressions:
    they are the same, and so are their codes.
    """

    def __init__(self, balanced: Balanced) -> None:
        self.by_type: dict[str, Counter[str]] = defaultdict(Counter)
        self.by_reason: dict[str, Counter[str]] = defaultdict(Counter)
        self._types = [kind.email_type for kind in balanced.kind_table.kinds]
        self._reasons = balanced.kind_table.reasons

    def add(self, old: Outcome, new: Outcome) -> None:
        """Count the messages of one shard."""
        sides = (old.fragment.candidates, new.fragment.candidates)
        a, b = match(*identity_keys(*(Identity(x.contact_id, x.kind, x.event) for x in sides)))
        lost, gained = all_but(len(old.day), a), all_but(len(new.day), b)
        planned_old, planned_new = old.reason == 0, new.reason == 0
        both = planned_old[a] & planned_new[b]
        shift = new.day[b] - old.day[a]
        kinds = new.fragment.candidates.kind
        for fate, mask in (
            ("same day", both & (shift == 0)),
            ("earlier", both & (shift < 0)),
            ("later", both & (shift > 0)),
        ):
            self._count(fate, kinds[b[mask]])
        again, dropped = ~planned_old[a] & planned_new[b], planned_old[a] & ~planned_new[b]
        self._count("planned again", kinds[b[again]], old.reason[a[again]])
        self._count("skipped anew", kinds[b[dropped]], new.reason[b[dropped]])
        self._count("added", kinds[gained & planned_new])
        self._count("removed", old.fragment.candidates.kind[lost & planned_old])

    def _count(self, fate: str, kinds: np.ndarray, reasons: np.ndarray | None = None) -> None:
        _add(self.by_type[fate], self._types, kinds)
        if reasons is not None:
            _add(self.by_reason[fate], self._reasons, reasons)


def _add(counter: Counter[str], names: list[str], codes: np.ndarray) -> None:
    counts = np.bincount(codes)
    for code in np.flatnonzero(counts):
        counter[names[code]] += int(counts[code])


def what_if(
    old: RunSummary,
    new: RunSummary,
    *,
    named: tuple[str, str],
    settings: list[Setting],
    fates: Counts,
    reasons: Counts,
) -> WhatIf:
    """Return the numbers of two runs on one snapshot side by side.

    named: where their configurations come from. fates, reasons: as in WhatIf.
    """
    daily_cap = _pair(old.daily_cap, new.daily_cap)
    return WhatIf(
        answer=answer_of(settings, daily_cap, fates, reasons),
        old=named[0],
        new=named[1],
        settings=settings,
        first_send_date_old=old.first_send_date,
        first_send_date_new=new.first_send_date,
        planned=_pairs(old.planned, new.planned),
        skipped={
            reason: _pairs(old.skipped.get(reason, {}), new.skipped.get(reason, {}))
            for reason in sorted(old.skipped.keys() | new.skipped.keys())
        },
        daily_cap=daily_cap,
        ceiling=_pair(old.ceiling, new.ceiling),
        busiest_old=old.busiest_days(),
        busiest_new=new.busiest_days(),
        days_at_cap=_pair(len(old.days_at_cap), len(new.days_at_cap)),
        days_above_ceiling=_pair(len(old.days_above_ceiling), len(new.days_above_ceiling)),
        closed_days=_pair(len(old.closed_days), len(new.closed_days)),
        days=dict(_days(old, new)),
        fates={
            fate: dict(sorted(fates[fate].items())) for fate in FATES_IN_WORDS if fates.get(fate)
        },
        reasons={
            fate: dict(sorted(reasons[fate].items()))
            for fate in FATES_IN_WORDS
            if reasons.get(fate)
        },
    )


def _days(old: RunSummary, new: RunSummary) -> Iterator[tuple[str, Day]]:
    for day in sorted(old.days.keys() | new.days.keys()):
        loads = [summary.days.get(day) for summary in (old, new)]
        planned = [load.planned if load else {} for load in loads]
        fixed = [load.fixed if load else 0 for load in loads]
        totals = [sum(types.values()) + count for types, count in zip(planned, fixed, strict=True)]
        types = _pairs(*planned)
        yield (
            day,
            Day(
                total=_pair(*totals),
                planned={name: pair for name, pair in types.items() if pair.difference},
            ),
        )
