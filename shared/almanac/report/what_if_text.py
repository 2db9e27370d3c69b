"""The comparison of two configurations as text: tables, and a chart of the weeks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from rich.console import Console

from almanac.plurals import plural
from almanac.report.lines import split_reason
from almanac.report.summary import RunSummary
from almanac.report.summary_text import print_next
from almanac.report.text import heading, paragraph, table
from almanac.report.what_if import FATES_IN_WORDS, Pair, WhatIf, in_words

PARTS_SHOWN = 2
DAYS_SHOWN = 20
NUMBERS = (">old", ">new", ">difference")


def print_what_if(
    console: Console, summary: RunSummary, *, database: str, next_steps: Sequence[str] = ()
) -> None:
    """Print the difference of two dry runs; the summary is of the new one and has `what_if`."""
    found = summary.what_if
    assert found is not None, "the summary of a comparison has what_if"
    paragraph(console, found.answer, indent=0, style="bold")
    console.print()
    _head(console, found, summary, database)
    _weeks(console, found)
    _settings(console, found)
    _types(console, found)
    _reasons(console, found)
    _fates(console, found)
    _volume(console, found)
    _days(console, found)
    print_next(console, next_steps)


def _head(console: Console, found: WhatIf, summary: RunSummary, database: str) -> None:
    paragraph(
        console,
        f"What if: {database} as of {summary.as_of}, {summary.contacts_in_scope:,} contacts "
        "planned with two configurations. Nothing was written.",
        indent=0,
    )
    table(console, ("!", ""), [("old", found.old), ("new", found.new)])
    old, new = found.first_send_date_old, found.first_send_date_new
    if old != new:
        paragraph(
            console,
            f"The run is before the send time of only one of them: with the old configuration "
            f"sending starts on {old}, with the new one on {new}.",
        )


def _settings(console: Console, found: WhatIf) -> None:
    heading(console, "Settings that differ")
    rows = [(each.key, in_words(each.old), in_words(each.new)) for each in found.settings]
    table(console, ("!", "old", "new"), rows)


def _types(console: Console, found: WhatIf) -> None:
    heading(console, "Planned by type")
    pairs = sorted(found.planned.items(), key=lambda item: (-item[1].new, -item[1].old, item[0]))
    rows = [(name, *_numbers(pair)) for name, pair in pairs]
    table(console, ("", *NUMBERS), [*rows, ("all", *_numbers(found.planned_total))])


def _reasons(console: Console, found: WhatIf) -> None:
    heading(console, "Skipped by reason")
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    parts: dict[str, Counter[str]] = defaultdict(Counter)
    for reason, types in found.skipped.items():
        group, detail = split_reason(reason)
        for email_type, pair in types.items():
            totals[group][0] += pair.old
            totals[group][1] += pair.new
            parts[group][detail or email_type] += pair.difference
    ranked = sorted(totals, key=lambda group: (-max(totals[group]), group))
    rows = [
        (group, *_numbers(Pair(old=totals[group][0], new=totals[group][1])), _changes(parts[group]))
        for group in ranked
    ]
    all_of_them = ("all", *_numbers(found.skipped_total), "")
    table(console, ("", *NUMBERS, "of it"), [*rows, all_of_them])


def _fates(console: Console, found: WhatIf) -> None:
    heading(console, "Each message with the new configuration")
    rows = []
    for fate, words in FATES_IN_WORDS.items():
        types = found.fates.get(fate, {})
        count = sum(types.values())
        if count:
            most = "" if fate == "same day" else _most(found.reasons.get(fate, types))
            rows.append((words, count, most))
    table(console, ("", ">", "of them"), rows) if rows else paragraph(console, "none")


def _volume(console: Console, found: WhatIf) -> None:
    heading(console, "Daily volume")
    rows = [
        ("cap", *_numbers(found.daily_cap)),
        ("ceiling", *_numbers(found.ceiling)),
        ("days that reach the cap", *_numbers(found.days_at_cap)),
        ("days above the ceiling", *_numbers(found.days_above_ceiling)),
    ]
    if found.closed_days.old or found.closed_days.new:
        rows.append(("closed days", *_numbers(found.closed_days)))
    table(console, ("", *NUMBERS), rows)
    heading(console, "Busiest days")
    busiest = [
        (*old, "", *new) for old, new in zip(found.busiest_old, found.busiest_new, strict=False)
    ]
    table(console, ("!old", ">", "", "!new", ">"), busiest)


def _weeks(console: Console, found: WhatIf) -> None:
    weeks, all_weeks = found.weeks_that_differ, found.weeks()
    if not weeks:
        heading(console, "Weeks that differ")
        paragraph(console, "None: each week has as many messages in both plans.")
        return
    heading(console, "Weeks that differ, by Monday: # with both, + more with the new one, - fewer")
    most = max(max(pair.old, pair.new) for _, pair in all_weeks)
    numbers = 2 * max(3, len(f"{most:,}")) + max(len("difference"), len(f"{most:+,}"))
    width = console.width - len("  2026-11-21          ") - numbers
    rows = [
        (str(monday), *_numbers(pair), bar(pair, most, width)) for monday, pair in weeks.items()
    ]
    table(console, ("!", *NUMBERS, "!"), rows)
    if same := len(all_weeks) - len(weeks):
        paragraph(console, f"and {plural(same, 'week')} with as many messages in both plans")


def bar(pair: Pair, most: int, width: int) -> str:
    """Return a bar: # for the messages of both plans, then + or - for the difference.

    `most` messages fill the width. A difference always has at least one character.
    """
    common = min(pair.old, pair.new) * width // max(1, most)
    end = max(pair.old, pair.new) * width // max(1, most)
    if pair.difference and end == common:
        common, end = max(0, common - 1), max(1, end)
    return "#" * common + ("+" if pair.difference > 0 else "-") * (end - common)


def _days(console: Console, found: WhatIf) -> None:
    heading(console, "Days that differ most")
    differing = found.differing_days()
    if not differing:
        paragraph(console, "None: each day has as many messages of each type in both plans.")
        return
    rows = []
    for day in sorted(differing[:DAYS_SHOWN]):
        load = found.days[day]
        differences = {name: pair.difference for name, pair in load.planned.items()}
        rows.append((day, *_numbers(load.total), _changes(differences)))
    table(console, ("!", *NUMBERS, "of it"), rows)
    if len(differing) > DAYS_SHOWN:
        more = len(differing) - DAYS_SHOWN
        paragraph(console, f"and {more:,} days that differ less (all are in --json)")


def _numbers(pair: Pair) -> tuple[int, int, str]:
    return pair.old, pair.new, _signed(pair.difference)


def _signed(number: int) -> str:
    return f"{number:+,}" if number else "0"


def _changes(differences: Mapping[str, int]) -> str:
    """Return the largest differences with their signs."""
    changed = {name: n for name, n in differences.items() if n}
    return _first(changed, {name: _signed(n) for name, n in changed.items()})


def _most(counts: Mapping[str, int]) -> str:
    return _first(counts, {name: f"{n:,}" for name, n in counts.items()})


def _first(sizes: Mapping[str, int], words: Mapping[str, str]) -> str:
    ranked = sorted(sizes, key=lambda name: (-abs(sizes[name]), name))
    shown = ", ".join(f"{name} {words[name]}" for name in ranked[:PARTS_SHOWN])
    return shown + (", ..." if len(ranked) > PARTS_SHOWN else "")
