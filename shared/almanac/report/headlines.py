"""The warnings and the cards at the top of the report page."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from almanac.plurals import plural
from almanac.report.lines import CHANGES
from almanac.report.page_data import PageData
from almanac.schedule_status import SkipCode, parse_code

INVALID_EMAIL = "invalid_email"  # a kind of contact issue, as planning names it

MANY = 0.01  # of all messages: a smaller share gives no warning
WEEK = 7  # days
FEW, LONG = 5, 60  # names in a warning, and characters of a name


@dataclass(frozen=True)
class Alert:
    """A warning, and the section of the page with the details."""

    serious: bool
    text: str
    section: str


@dataclass(frozen=True)
class Card:
    """A number, and what it counts."""

    value: str
    words: str
    detail: str = ""


def short_day(day: str) -> str:
    """Return a day as in Thu 3 Dec 2026; a text that is not a date is unchanged."""
    try:
        date = dt.date.fromisoformat(day)
    except ValueError:
        return day
    return f"{date:%a} {date.day} {date:%b %Y}"


def weekday_of(day: str) -> str | None:
    """Return Mon to Sun; None for a text of an old row that is not a date."""
    try:
        return f"{dt.date.fromisoformat(day):%a}"
    except ValueError:
        return None


def alerts(data: PageData) -> list[Alert]:
    """Return the warnings, the serious ones first."""
    found = []
    if on_closed := [day for day in data.closed_days if data.totals.get(day)]:
        days = plural(len(on_closed), "closed day has", "closed days have")
        why = "messages that a run may not move"
        found.append(
            Alert(True, f"{days} {why}: {_listed([short_day(x) for x in on_closed])}.", "above")
        )
    totals = data.totals.items()
    if above := [day for day, total in totals if total > data.ceiling and data.is_open(day)]:
        days = f"{plural(len(above), 'day is', 'days are')} above the ceiling of {data.ceiling:,}"
        why = "by messages that a run may not move"
        found.append(
            Alert(True, f"{days}, {why}: {_listed([short_day(x) for x in above])}.", "above")
        )
    if left_out := [each for each in data.campaigns if each.left_out]:
        names = _listed([each.name or f"id {each.instance_id}" for each in left_out])
        campaigns = plural(len(left_out), "campaign is", "campaigns are")
        found.append(Alert(True, f"{campaigns} left out: {names}.", "campaigns"))
    total = sum(line.count for line in data.messages)
    capped = _skipped_for(data, SkipCode.DAILY_CAP)
    if capped and capped >= MANY * total:
        share = 100 * capped / total
        text = f"{plural(capped, 'message finds', 'messages find')} no room below the daily cap"
        found.append(Alert(True, f"{text}: {share:.1f}% of all.", "reasons"))
    if data.results is not None and data.results.warnings:
        text = f"Deliverability: {data.results.warnings[0]}."
        found.append(Alert(True, text, "results"))
    if refused := data.events.refused:
        entries = plural(refused, "entry", "entries")
        found.append(Alert(True, f"{entries} of events refused.", "events"))
    if data.events.unreadable:
        objects = plural(len(data.events.unreadable), "object")
        found.append(Alert(True, f"{objects} of the inbox cannot be read.", "events"))
    if suppressed := _skipped_for(data, SkipCode.SUPPRESSED):
        contacts = sum(line.contacts for line in data.suppressions)
        whose = f" to {plural(contacts, 'contact')}" if contacts else ""
        text = f"{plural(suppressed, 'message')}{whose} skipped for suppressions."
        found.append(Alert(False, text, "suppressions"))
    if unreachable := sum(count for issue, count, _ in data.issues if issue == INVALID_EMAIL):
        who = plural(unreachable, "contact has", "contacts have")
        found.append(
            Alert(False, f"{who} no valid e-mail address, and can get no message.", "issues")
        )
    return found


def cards(data: PageData) -> list[Card]:
    """Return the main numbers of the plan."""
    totals = data.totals
    planned = sum(data.planned.values())
    skipped = sum(sum(types.values()) for types in data.skipped.values())
    week = [str(data.first_day + dt.timedelta(days=n)) for n in range(WEEK)]
    next_week = sum(totals.get(day, 0) for day in week)
    full = sum(total >= data.daily_cap for day, total in totals.items() if data.is_open(day))
    allowed = data.daily_cap * sum(map(data.is_open, week))
    made = [
        Card(f"{planned:,}", "messages planned", f"until {short_day(str(data.last_day))}"),
        Card(
            f"{skipped:,}",
            "messages skipped",
            f"{100 * skipped / (planned + skipped):.1f}% of all, each with its reason"
            if skipped
            else "",
        ),
        Card(f"{next_week:,}", "in the next 7 days", f"the cap allows {allowed:,}"),
    ]
    if totals:
        day = max(totals, key=lambda each: totals[each])
        made.append(Card(f"{totals[day]:,}", "on the busiest day", short_day(day)))
    made += [
        Card(f"{data.daily_cap:,}", "cap for a day", f"the ceiling is {data.ceiling:,}"),
        Card(f"{full:,}", "day at the cap" if full == 1 else "days at the cap", "or above it"),
    ]
    return made


def changes_in_words(data: PageData) -> str:
    """Return the messages of each kind of change, as in 40 added, 1,015 moved."""
    counts: Counter[str] = Counter()
    for line in data.changes:
        counts[line.change] += line.count
    ranked = sorted(counts, key=[*CHANGES, *sorted(counts)].index)
    return ", ".join(f"{counts[name]:,} {name}" for name in ranked)


def _skipped_for(data: PageData, code: SkipCode) -> int:
    """Return the number of messages skipped for reasons of that code."""
    return sum(line.count for line in data.messages if parse_code(line.reason) is code)


def _listed(names: list[str]) -> str:
    """Return the first few names, long ones cut."""
    some = ", ".join(name if len(name) <= LONG else f"{name[:LONG]}…" for name in names[:FEW])
    return some if len(names) <= FEW else f"{some} and {len(names) - FEW:,} more"
