"""What `almanac rules` prints: text, and CSV."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from almanac.plurals import plural
from almanac.report.table import ReportColumn, ReportTable, to_csv
from almanac.report.text import heading, listed, paragraph, table
from almanac.rulebook.model import (
    DrawnContact,
    RuleLine,
    RuleList,
    RulesCheck,
    StateYear,
)
from almanac.rules.gaps import OLD
from almanac.rules.rule_table import anchor_of

NOT_ADVICE = (
    "This is not legal advice. A window is an agency's policy, built on the states' rules; its "
    "counsel confirms them."
)
COLUMNS = (
    *("state", "id", "kind", "words", "age_min", "age_max", "valid_from", "valid_to"),
    *("cite", "url", "verified", "confidence", "note"),
)
STATES = 12  # named in a line


def print_list(console: Console, found: RuleList) -> None:
    """Print the rules in force on a day."""
    text = f"Rules in force on {found.on}, rule set {found.rule_set} ({found.configuration})"
    paragraph(console, text, indent=0, style="bold")
    rows = [
        row
        for line in found.rules
        for row in ((line.state, line.words), *([("", _source(line))] if _source(line) else []))
    ]
    if rows:
        table(console, ("!", ""), rows)
    else:
        paragraph(console, "none")
    console.print()
    if found.without:
        states = listed(found.without, STATES)
        paragraph(console, f"No rule in force on this day, but on others: {states}.", indent=0)
    _ahead(console, found.pre_window_days)
    paragraph(console, NOT_ADVICE, indent=0)


def csv_of(found: RuleList) -> str:
    """Return the rules as CSV, one a line."""
    rows: list[tuple[str | None, ...]] = [
        tuple(_text(getattr(line, name)) for name in COLUMNS) for line in found.rules
    ]
    columns = tuple(ReportColumn(name) for name in COLUMNS)
    return to_csv(ReportTable("rules", "Rules", columns, [*rows])).decode()


def print_state(console: Console, found: StateYear) -> None:
    """Print a state's rules, its year, and its changes."""
    text = f"{found.name} ({found.state}), rule set {found.rule_set} ({found.configuration})"
    paragraph(console, text, indent=0, style="bold")
    heading(console, "Rules")
    _rules(console, found.rules)
    if found.contacts:
        heading(console, f"Protected days, {found.first} to {found.last}")
        _draw(console, found)
    if found.changes:
        heading(console, "Changes")
        rows = [
            (x.day, "past" if x.day <= found.first else "coming", x.words) for x in found.changes
        ]
        table(console, ("!", "", ""), rows)
    if found.statutory:
        heading(console, "By the statutory set")
        _rules(console, found.statutory)
    console.print()
    _ahead(console, found.pre_window_days)
    paragraph(console, NOT_ADVICE, indent=0)


def print_check(console: Console, found: RulesCheck) -> None:
    """Print what the configuration lacks, which rules change, and which sources are old."""
    where = f" for {found.database}" if found.database else ""
    text = f"Rule set {found.rule_set}{where} ({found.configuration})"
    paragraph(console, f"{text}, {found.as_of} to {found.horizon}", indent=0, style="bold")
    counted = (">contacts", ">messages") if found.database else ()
    heading(console, "Days that the statutory rules protect, and the configuration does not")
    if found.lacks:
        rows = [
            (
                x.state,
                x.days,
                *_counts(x.contacts, x.messages, found),
                _both(x.statutory, x.configured),
            )
            for x in found.lacks
        ]
        table(
            console,
            ("!state", ">days", *counted, "the statutory rule, and the configured one"),
            rows,
        )
        paragraph(console, "days: the most that a contact has in a year. " + _meaning(found))
    else:
        paragraph(console, "none")
    heading(console, "Rules that begin or end")
    changes = [
        (x.day, x.state, *_counts(x.contacts, x.messages, found), x.rule_set, x.words)
        for x in found.changes
    ]
    if changes:
        table(console, ("!day", "!state", *counted, "rule set", "what"), changes)
    else:
        paragraph(console, "none")
    heading(console, f"Sources not verified for {OLD} days")
    old = [
        (x.state, *_counts(x.contacts, x.messages, found), x.verified, x.cite)
        for x in found.old_sources
    ]
    if old:
        table(console, ("!state", *counted, "!verified", "source"), old)
    else:
        paragraph(console, "none")
    console.print()
    paragraph(console, NOT_ADVICE, indent=0)


def _counts(contacts: int | None, messages: int | None, found: RulesCheck) -> tuple[object, ...]:
    return (contacts, messages) if found.database else ()


def _meaning(found: RulesCheck) -> str:
    if not found.database:
        return "With DATABASE, the contacts and planned messages that this concerns are counted."
    return "contacts: those who have such days. messages: planned on them."


def _both(statutory: Sequence[str], configured: Sequence[str]) -> str:
    return f"{'; '.join(statutory)} / {'; '.join(configured) or 'no rule'}"


def _rules(console: Console, rules: Sequence[RuleLine]) -> None:
    if not rules:
        paragraph(console, "none")
    for line in rules:
        paragraph(console, line.words)
        for more in filter(None, (_source(line), line.note)):
            paragraph(console, more, indent=4)


def _source(line: RuleLine) -> str:
    parts = [line.cite, line.url, line.confidence]
    parts += [f"verified {line.verified}" if line.verified else None]
    return ", ".join(part for part in parts if part)


def _ahead(console: Console, days: int) -> None:
    if days:
        ahead = f"Windows start {plural(days, 'day')} earlier (timing.pre_window_days)."
        paragraph(console, ahead, indent=0)


def _draw(console: Console, found: StateYear) -> None:
    """Print a line for each contact, with a mark for each week."""
    weeks = [
        found.first + dt.timedelta(weeks=n) for n in range((found.last - found.first).days // 7 + 1)
    ]
    width = max(len(x.words) for x in found.contacts)
    months = [" "] * (len(weeks) + 3)
    for number, day in enumerate(weeks):
        if day.day <= 7:
            months[number : number + 3] = f"{day:%b}"
    lines = [" " * width + "  " + "".join(months).rstrip()]
    lines += [
        f"{x.words:>{width}}  {''.join(_mark(x, day) for day in weeks)}" for x in found.contacts
    ]
    for line in lines:
        console.print(Text(f"  {line}"), soft_wrap=True)
    words = {"birth": "birthday", "effective": "policy date"}
    anchors = {words[each] for line in found.rules if (each := anchor_of(line.kind)) is not None}
    what = f"a {' and '.join(sorted(anchors))} on the day" if anchors else "all contacts"
    paragraph(console, f"A line: {what}. A mark: a week, # protected, + in part, . not.")


def _mark(contact: DrawnContact, week: dt.date) -> str:
    end = week + dt.timedelta(days=6)
    days = sum(max(0, (min(last, end) - max(first, week)).days + 1) for first, last in contact.days)
    return "." if days == 0 else "#" if days == 7 else "+"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
