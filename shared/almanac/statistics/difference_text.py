"""The result of `almanac diff` as text."""

from __future__ import annotations

from rich.console import Console

from almanac.report.lines import by_count
from almanac.report.text import heading, paragraph, table
from almanac.statistics.difference import CHANGES, Difference

DAYS_SHOWN = 20


def print_difference(console: Console, found: Difference) -> None:
    """Print the rows that differ by type, and the days with the most of them."""
    paragraph(
        console,
        f"{found.new} compared with {found.old}: {found.rows_new:,} planned rows, before "
        f"{found.rows_old:,}; {found.unchanged:,} are the same.",
        indent=0,
        style="bold",
    )
    present = [name for name in CHANGES if found.changes[name]]
    if not present:
        paragraph(console, "No planned row differs.", indent=0)
        return
    heading(console, "By type")
    types = sorted({email_type for name in present for email_type in found.by_type[name]})
    rows: list[list[object]] = [[t, *(found.by_type[n].get(t) for n in present)] for t in types]
    rows.append(["all", *(found.changes[n] for n in present)])
    names = [f">{name}" for name in present]
    table(console, ("", *names), rows)
    heading(console, "By day")
    totals = {day: sum(counts.values()) for day, counts in found.by_day.items()}
    busiest = [day for day, _ in by_count(totals)[:DAYS_SHOWN]]
    days = [[day, *(found.by_day[day].get(n) for n in present)] for day in sorted(busiest)]
    table(console, ("!", *names), days)
    if len(totals) > DAYS_SHOWN:
        more = len(totals) - DAYS_SHOWN
        paragraph(console, f"and {more:,} days with fewer changes (all are in --json)")
