"""A run's summary as text (docs/semantics.md says what each number means)."""

from __future__ import annotations

import datetime as dt
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from almanac.plurals import plural
from almanac.report.alerts import print_warnings
from almanac.report.events_text import print_events
from almanac.report.left_out import UNKNOWN_FLAGS, invalid_id_notes, left_out_rows, odd_targets
from almanac.report.lines import CHANGES, advised, by_count, split_reason
from almanac.report.summary import RunSummary
from almanac.report.text import heading, listed, paragraph, shown, table

PARTS_SHOWN = 4
DAYS_SHOWN = 6
BLOCKING = (
    "without an ideal date, dated {} or later, are the plan of an older scheduler. Their events "
    "are not planned, and no sender gets the rows. To plan them: almanac run --adopt-scheduled, "
    "once{}, if no other program sends them."
)
PLACEMENT = {
    "kept": "kept their day",
    "on target": "on their target day",
    "waited for room": "waited for a day below the cap",
    "late, above the cap": "on a day between cap and ceiling, as no other had room",
}


def print_summary(
    console: Console,
    summary: RunSummary,
    *,
    database: str,
    advice: Mapping[str, str],
    next_steps: Sequence[str] = (),
    named: str | None = None,
) -> None:
    """Print the whole summary; `advice` is by kind of contact issue.

    named: the arguments that name the database in a command, unless it is the file `database`.
    """
    _head(console, summary, database, named or shlex.quote(database))
    _planned(console, summary)
    _skipped(console, summary)
    _days(console, summary)
    _changes(console, summary)
    print_events(console, summary.events)
    _contacts(console, summary, advice)
    _campaigns(console, summary)
    _older(console, summary, in_store=named is not None)
    _run(console, summary)
    print_next(console, next_steps)


def print_next(console: Console, steps: Sequence[str]) -> None:
    """Print what the user may do next, with the commands for it."""
    if steps:
        heading(console, "Next")
        for step in steps:
            # so that a command stays on one line
            console.print(Text("  " + shown(step)), soft_wrap=True)


def _head(console: Console, summary: RunSummary, database: str, named: str) -> None:
    word = "Dry run: nothing was written. The plan of a run for" if summary.dry_run else "Planned"
    first, past = "", summary.skipped_past
    if summary.first_send_date != summary.as_of:
        first = f", sending from {summary.first_send_date} on"
    text = f"{word} {database} as of {summary.as_of}{first}"
    paragraph(console, text, indent=0, style="bold")
    rows = [
        ("Contacts", summary.contacts_total, "in the file"),
        ("", summary.contacts_in_scope, "in this run"),
        ("", summary.contacts_eligible, "can get messages"),
        *(("", count, words) for words, count in _left_out(summary)),
        ("Messages", summary.planned_total, "planned"),
        ("", summary.skipped_total - past, "skipped, each with its reason"),
        *(
            [("", past, f"skipped and not counted below, due before {summary.as_of}")]
            if past
            else []
        ),
    ]
    table(console, ("", ">", ""), rows)
    print_warnings(console, summary.alerts, summary.likely_columns, named)
    for note in invalid_id_notes(summary.invalid_ids):
        paragraph(console, note, indent=0)
    if summary.aep:
        paragraph(console, f"AEP message: {summary.aep}.", indent=0)
    if summary.rules:
        paragraph(console, f"State rules: {summary.rules}.", indent=0)


def _left_out(summary: RunSummary) -> list[tuple[str, int]]:
    """Return why contacts get nothing, and how many."""
    invalid, twice = summary.invalid_ids, 0
    if summary.of_all_contacts:
        twice = summary.contacts_total - summary.contacts_in_scope - invalid.count
    return left_out_rows(summary.contacts_left_out, invalid, twice)


def _planned(console: Console, summary: RunSummary) -> None:
    heading(console, "Planned by type")
    if not summary.planned:
        paragraph(console, "nothing")
        return
    table(console, ("", ">"), by_count(summary.planned))


def _skipped(console: Console, summary: RunSummary) -> None:
    heading(console, "Skipped by reason")
    skipped = summary.skipped_ahead
    if not skipped:
        paragraph(console, "nothing")
        return
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for reason, types in skipped.items():
        group, detail = split_reason(reason)
        groups[group].update({detail: sum(types.values())} if detail else types)
    totals = {group: counts.total() for group, counts in groups.items()}
    rows = [(group, total, _most(groups[group])) for group, total in by_count(totals)]
    table(console, ("", ">", "of them"), rows)


def _most(counts: Counter[str]) -> str:
    ranked = by_count(counts)
    shown_ones = [f"{name} {count:,}" for name, count in ranked[:PARTS_SHOWN]]
    return ", ".join(shown_ones) + (", ..." if len(ranked) > PARTS_SHOWN else "")


def _days(console: Console, summary: RunSummary) -> None:
    heading(console, "Busiest days")
    rows = [
        (day, dt.date.fromisoformat(day).strftime("%a"), count)
        for day, count in summary.busiest_days()
    ]
    table(console, ("!", "!", ">"), rows) if rows else paragraph(console, "none")
    heading(console, "Caps")
    cap, ceiling = f"{summary.daily_cap:,}", f"{summary.ceiling:,}"
    at_cap = len(summary.days_at_cap)
    text = f"The cap is {cap} messages a day, the ceiling {ceiling}. "
    text += f"{_number(at_cap, 'day')} reached the cap"
    text += f": {listed(summary.days_at_cap, DAYS_SHOWN)}." if at_cap else "."
    paragraph(console, text)
    closed = set(summary.closed_days)
    on_closed = [day for day in summary.days_above_ceiling if day in closed]
    above = [day for day in summary.days_above_ceiling if day not in closed]
    for days, words in (
        (above, f"{plural(len(above), 'day')} above the ceiling, by"),
        (on_closed, f"{plural(len(on_closed), 'closed day')} with"),
    ):
        if days:
            listed_days = listed(days, DAYS_SHOWN)
            paragraph(console, f"{words} messages that this run may not move: {listed_days}.")
    if summary.closed_days:
        moved = summary.moved_off_closed
        text = f"{plural(len(closed), 'day is', 'days are')} closed up to the horizon"
        if moved.messages:
            messages = plural(moved.messages, "message is moved", "messages are moved")
            text += f"; {messages} off their ideal dates on them, {moved.average}"
        paragraph(console, f"{text}.")
    heading(console, "How days were chosen")
    chosen = {PLACEMENT.get(k, k): n for k, n in summary.placement.items() if k != "skipped" and n}
    table(console, ("", ">"), chosen.items()) if chosen else paragraph(console, "none were")
    if waiting := sum(summary.waiting_for_limit.values()):
        paragraph(
            console,
            f"{plural(waiting, 'message waits', 'messages wait')} for the frequency limit, later "
            f"than the ideal date: {_most(Counter(summary.waiting_for_limit))}.",
        )


def _number(count: int, noun: str) -> str:
    return plural(count, noun) if count else f"No {noun}"


def _changes(console: Console, summary: RunSummary) -> None:
    heading(console, "What would change" if summary.dry_run else "Changes")
    present = [name for name in CHANGES if summary.changes.get(name)]
    table(console, ("", ">", ""), [(n, summary.changes[n], CHANGES[n]) for n in present])
    if all(name == "unchanged" for name in present):
        paragraph(console, "No row changes.")
    elif summary.dry_run:
        heading(console, "What would change, by type")
        changing = [name for name in present if name != "unchanged"]
        types = sorted({t for n in changing for t in summary.changes_by_type.get(n, {})})
        table(console, ("", *(f">{n}" for n in changing)), _by_type(summary, types, changing))


def _by_type(
    summary: RunSummary, types: Sequence[str], changing: Sequence[str]
) -> list[list[object]]:
    counts = summary.changes_by_type
    return [[t, *(counts.get(n, {}).get(t) for n in changing)] for t in types]


def _contacts(console: Console, summary: RunSummary, advice: Mapping[str, str]) -> None:
    if summary.issues:
        heading(console, "Contact issues (table contact_issues)")
        table(console, ("", ">", ""), advised(summary.issues, advice))


def _campaigns(console: Console, summary: RunSummary) -> None:
    if summary.unknown_flags:
        heading(console, UNKNOWN_FLAGS)
        for line in summary.unknown_flags:
            paragraph(console, f"{line}.")
    if summary.left_out:
        heading(console, "Campaigns left out")
        rows = [(str(x.instance_id), x.name, x.problem) for x in summary.left_out]
        table(console, (">id", "name", "why"), rows)
    if summary.split_overlaps:
        heading(console, "Splits that overlap")
        for line in summary.split_overlaps:
            paragraph(console, f"{line}.")
    if odd := odd_targets(summary.unreadable_targets, summary.odd_target_metadata):
        heading(console, "Campaign targets that cannot be read")
        for line in odd:
            paragraph(console, line)
    if summary.unknown_targets:
        heading(console, "Campaign targets of unknown contacts")
        paragraph(
            console,
            f"{_number(summary.unknown_targets, 'row')} of contact_campaigns name contacts that "
            "are not in contacts: they are ignored.",
        )


def _older(console: Console, summary: RunSummary, *, in_store: bool) -> None:
    if not (summary.scheduled_by_others or summary.adopted):
        return
    heading(console, "Rows that an older scheduler left scheduled")
    if summary.adopted:
        would = "would become planned rows" if summary.dry_run else "became planned rows"
        paragraph(console, f"{_number(summary.adopted, 'row')} {would}, planned again by this run.")
    if summary.scheduled_by_others:
        where = " and on a copy (almanac store pull, then store push)" if in_store else ""
        text = BLOCKING.format(summary.as_of, where)
        rows = f"{_number(summary.scheduled_by_others, 'row')} of status scheduled"
        paragraph(console, f"{rows} {text}")


def _run(console: Console, summary: RunSummary) -> None:
    if summary.migrations:
        heading(console, "Database migrated")
        for line in summary.migrations:
            paragraph(console, line)
    heading(console, "This run")
    steps = {k: v for k, v in summary.seconds.items() if k != "total"}
    total = summary.seconds.get("total", sum(steps.values()))
    times = ", ".join(f"{name} {seconds:.1f}" for name, seconds in steps.items())
    checksums = summary.checksums
    rows = [
        ("run", summary.run_id),
        ("seconds", f"{total:.1f}" + (f" ({times})" if times else "")),
        ("configuration", summary.config_digest[:16]),
        (
            "checksums",
            f"contacts {checksums.contacts}, schedules before {checksums.schedules_before}, "
            f"after {checksums.schedules_after}",
        ),
    ]
    table(console, ("!", ""), rows)
