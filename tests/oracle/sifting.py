"""What is sent at all: one contact at a time, whatever the last plan (semantics: Sifting)."""

from datetime import date

from .candidates import Candidate
from .dates import days_between, plus
from .schedules import COUNTED, Scheduled
from .settings import Config

CONFLICT = "Campaign priority conflict"
FREQUENCY = "Frequency limit exceeded"


def live(candidates: list[Candidate]) -> list[Candidate]:
    """Those that nothing has skipped yet."""
    return [one for one in candidates if one.reason is None]


def excluded_between(one: Candidate, a: date, b: date) -> bool:
    """Whether windows bar any day from a to b, both included, in either direction."""
    return one.respects_windows and any(one.contact.excluded(day) for day in days_between(a, b))


def set_start_and_latest(one: Candidate, t0: date) -> None:
    """Steps 1 to 3: start, exclusion and latest."""
    one.start = max(one.ideal, t0)
    one.latest = one.deadline
    if not one.respects_windows:
        return
    one.reason = one.contact.excluded(one.ideal) or one.contact.excluded(one.start)
    if one.reason is not None or one.start > one.deadline:
        return
    for day in days_between(one.start, one.deadline):
        if one.contact.excluded(day):
            one.latest = plus(day, -1)
            return


def resolve_conflicts(candidates: list[Candidate]) -> None:
    """Step 4: of several campaigns with one ideal date, one stays."""
    best: dict[date, Candidate] = {}
    campaigns = [one for one in candidates if one.is_campaign]
    for one in sorted(campaigns, key=lambda c: (c.priority, c.instance, c.event)):
        if best.setdefault(one.ideal, one) is not one:
            one.reason = CONFLICT


def too_many(days: list[date], day: date, config: Config) -> bool:
    """Whether some span of period_days that contains the day would hold too many with it."""
    period, most = config["frequency"]["period_days"], config["frequency"]["max_emails"]
    for offset in range(period):
        first, last = day.toordinal() - offset, day.toordinal() - offset + period - 1
        if 1 + sum(first <= other.toordinal() <= last for other in days) > most:
            return True
    return False


def limit_frequency(
    candidates: list[Candidate], committed: list[date], config: Config
) -> list[Candidate]:
    """Step 5: accept in order what the frequency limit allows, each on the first day up to its
    latest on which it does; the accepted ones."""
    accepted: list[Candidate] = []
    for one in sorted(candidates, key=lambda c: c.order):
        taken = committed + [other.x for other in accepted]
        later = days_between(one.ideal, one.latest) if one.ideal <= one.latest else []
        free = [day for day in [one.ideal, *later[1:]] if not too_many(taken, day, config)]
        if free:
            one.x = free[0]
            accepted.append(one)
        else:
            one.reason = FREQUENCY
    return accepted


def set_ranges(accepted: list[Candidate], committed: list[date], config: Config) -> None:
    """Step 6: how far each may move without breaking the limit, whatever the others do."""
    period, m = config["frequency"]["period_days"], config["frequency"]["max_emails"]
    half = config["load_balancing"]["ed_smoothing_window_days"] // 2
    in_order: list[tuple[date, Candidate | None]] = [(day, None) for day in sorted(committed)]
    in_order += [(one.x, one) for one in sorted(accepted, key=lambda c: c.order)]
    in_order.sort(key=lambda pair: pair[0])  # stable: committed first, then by their order

    lows = []
    for i, (x, one) in enumerate(in_order):
        lo = x
        if one is not None and one.email_type == "effective_date" and x == one.ideal:
            earlier = plus(x, -half)
            if i < m or (earlier - in_order[i - m][0]).days >= period:
                lo = earlier
        lows.append(lo)
    for i, (_, one) in enumerate(in_order):
        if one is None:
            continue
        one.lo, one.hi = lows[i], one.latest
        if i + m < len(lows):
            one.hi = min(one.latest, plus(lows[i + m], -period))
        if one.hi < one.start:
            one.reason = FREQUENCY


def sift(candidates: list[Candidate], rows: list[Scheduled], t0: date, config: Config) -> None:
    """Steps 1 to 6 for all candidates of one contact; rows are its committed ones."""
    for one in live(candidates):
        set_start_and_latest(one, t0)
    resolve_conflicts(live(candidates))
    committed = [
        row.send_date
        for row in rows
        if row.status in COUNTED and not row.is_followup and row.send_date is not None
    ]
    counted = [one for one in live(candidates) if not one.is_followup]
    accepted = limit_frequency(counted, committed, config)
    set_ranges(accepted, committed, config)
    for one in live(candidates):
        if one.is_followup:
            one.x = one.lo = one.ideal
            one.hi = one.latest
