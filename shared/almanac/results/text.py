"""The results as text for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from almanac.report.results import COUNTS, DIMENSIONS, MessageCounts, RateInterval, Results
from almanac.report.results_tables import ARM, BY, LABELS, arms_table, between, differences_table
from almanac.report.table import ReportTable
from almanac.report.text import heading, paragraph, table

TITLES = {
    "email-type": "By email type",
    "campaign-type": "By campaign type, without follow-ups",
    "instance": "By campaign, without follow-ups",
    "template": "By template",
    "state": "By state",
    "followup": "Follow-ups, by the message that they follow",
    "day": "By day",
}
FIRST = ("email-type", "instance", "followup", ARM)  # without --by


def print_results(console: Console, found: Results, by: str | None) -> None:
    """Print the results: of one dimension, or in all, by FIRST."""
    paragraph(
        console,
        f"Messages of {found.first} to {found.last}; clicks, answers and unsubscriptions within "
        f"{found.within_days} days after them.",
        indent=0,
    )
    if not found.total.planned:
        paragraph(console, "There are none.", indent=0)
    else:
        _total(console, found.total)
    for each in (by,) if by else FIRST:
        if each == ARM:
            _arms(console, found)
        elif found.by[each]:
            heading(console, TITLES[each])
            _counts(console, DIMENSIONS[each], found.by[each])
    if found.warnings:
        heading(console, "Warnings")
    for line in found.warnings:
        paragraph(console, line)
    if found.notes:
        heading(console, "What these numbers leave out")
        table(console, [">", ""], [(note.rows, note.what) for note in found.notes])
    if not by:
        others = ", ".join(name for name in BY if name not in FIRST)
        console.print()
        paragraph(console, f"More with --by {others}, or as --format csv or json.", indent=0)


def _total(console: Console, total: MessageCounts) -> None:
    console.print()
    rows = [
        (LABELS[name], getattr(total, name), _percent(rate), f"({between(rate)})" if rate else "")
        for name in COUNTS
        for rate in [total.rates.get(name)]
    ]
    table(console, ["", ">", ">", "!"], rows)


def _percent(rate: RateInterval | None) -> str:
    if rate is None:
        return ""
    digits = 2 if rate.percent < 1 else 1
    return f"{rate.percent:.{digits}f}%"


def _counts(console: Console, keys: Sequence[str], lines: Sequence[MessageCounts]) -> None:
    columns = [*keys, ">planned", ">sent", ">failed", ">bounced", ">complaints"]
    columns += [">clicked", "!", ">answered", "!", ">yes", ">opted out"]
    rows = [
        (
            *line.key,
            *(line.planned, line.sent, line.failed, line.bounced, line.complaints),
            *(_percent(line.rates["clicked"]), between(line.rates["clicked"])),
            *(_percent(line.rates["answered"]), between(line.rates["answered"])),
            *(line.yes, line.unsubscribed),
        )
        for line in lines
    ]
    table(console, columns, rows, whole_lines=True)


def _arms(console: Console, found: Results) -> None:
    for each in (arms_table(found), differences_table(found)):
        if each.rows:
            heading(console, each.title)
            _report_table(console, each)


def _report_table(console: Console, shown: ReportTable) -> None:
    columns = [f"{'>' if column.number else ''}{column.label}" for column in shown.columns]
    rows = [
        tuple(f"{cell:.1f}" if isinstance(cell, float) else cell for cell in row)
        for row in shown.rows
    ]
    table(console, columns, rows, whole_lines=True)
