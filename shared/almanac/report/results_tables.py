"""The results as tables: whole ones for files, and with fewer columns to look at."""

from __future__ import annotations

from collections.abc import Sequence

from almanac.report.results import (
    COUNTS,
    DIMENSIONS,
    RATES,
    MessageCounts,
    RateInterval,
    Results,
    SplitArm,
    rate,
)
from almanac.report.table import Cell, ReportColumn, ReportTable, Row

ARM = "arm"  # beside the dimensions
BY = (*DIMENSIONS, ARM)
LABELS = {
    "planned": "Planned",
    "sent": "Sent",
    "delivered": "Delivered",
    "failed": "Failed",
    "bounced": "Bounced",
    "complaints": "Complaints",
    "clicked": "Clicked",
    "answered": "Answered",
    "yes": "Medical yes",
    "unsubscribed": "Opted out",
    "span_answered": "Answered in the span",
    "span_yes": "Medical yes in the span",
    "span_unsubscribed": "Opted out in the span",
}
WITH_RATES = ("clicked", "answered")  # in a table to look at
_ARM_MEASURES = (
    *("clicked", "answered", "yes", "unsubscribed"),
    *("span_answered", "span_yes", "span_unsubscribed"),
)


def whole_columns(by: str) -> list[str]:
    """Return the names of the columns of `whole_rows`."""
    if by == ARM:
        first = ["group", "arm", "from", "to", "contacts", "reached"]
        return [*first, *(part for name in _ARM_MEASURES for part in (name, *_rate_names(name)))]
    keys = [name.replace(" ", "_").replace("-", "_") for name in DIMENSIONS[by]]
    return [*keys, *COUNTS, *(part for name in RATES for part in _rate_names(name))]


def whole_rows(results: Results, by: str) -> list[Row]:
    """Return all numbers by a dimension, or of the arms: counts, and rates in percent."""
    if by == ARM:
        return [
            _arm_row(group.group, arm, _ARM_MEASURES)
            for group in results.groups
            for arm in group.arms
        ]
    return [
        (
            *line.key,
            *(getattr(line, name) for name in COUNTS),
            *(cell for name in RATES for cell in _rate_cells(line.rates[name])),
        )
        for line in results.by[by]
    ]


def results_tables(results: Results) -> list[ReportTable]:
    """Return the tables of the report page."""
    shown = {
        "results_types": ("email-type", "What came of messages, by email type", "Email type"),
        "results_campaigns": ("instance", "What came of campaigns", "Campaign"),
        "results_followups": ("followup", "What came of follow-ups", "Follow-up"),
        "results_templates": ("template", "What came of messages, by template", "Template"),
        "results_states": ("state", "What came of messages, by state", "State"),
        "results_days": ("day", "What came of messages, by day of sending", "Day"),
    }
    tables = [
        counts_table(name, title, label, results.by[by])
        for name, (by, title, label) in shown.items()
    ]
    return [*tables, arms_table(results), differences_table(results)]


def counts_table(name: str, title: str, label: str, lines: Sequence[MessageCounts]) -> ReportTable:
    """Return counts with the rates of WITH_RATES, each with its interval as a text.

    label: of the first column, which has the whole key.
    """
    columns = [ReportColumn(label)]
    for count in COUNTS:
        columns.append(ReportColumn(LABELS[count], number=True))
        if count in WITH_RATES:
            columns.append(ReportColumn(f"{LABELS[count]}, %", number=True))
            columns.append(ReportColumn("95%"))
    rows: list[Row] = []
    for line in lines:
        cells: list[Cell] = [", ".join(filter(None, line.key))]
        for count in COUNTS:
            cells.append(getattr(line, count))
            if count in WITH_RATES:
                found = line.rates[count]
                cells += [found.percent if found else None, between(found)]
        rows.append(tuple(cells))
    return ReportTable(name, title, tuple(columns), rows)


def between(found: RateInterval | None) -> str:
    """Return an interval in words; '' for none."""
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{found.low:.1f} to {found.high:.1f}"


def arms_table(results: Results) -> ReportTable:
    """Return the arms of all split groups, those reached by messages and all."""
    measures = ("clicked", "answered", "yes", "unsubscribed", "span_answered")
    columns = [
        *(ReportColumn(label) for label in ("Group", "Arm", "Share")),
        *(ReportColumn(label, number=True) for label in ("Contacts", "Reached")),
    ]
    for measure in measures:
        columns.append(ReportColumn(f"{LABELS[measure]}, %", number=True))
        columns.append(ReportColumn("95%"))
    rows: list[Row] = []
    for group in results.groups:
        for arm in group.arms:
            share = f"{arm.share[0]} to {arm.share[1]}" if arm.share else "the rest"
            cells: list[Cell] = [group.group, arm.name, share, arm.contacts, arm.reached]
            for measure in measures:
                found = rate(getattr(arm, measure), arm.of(measure))
                cells += [found.percent if found else None, between(found)]
            rows.append(tuple(cells))
    return ReportTable("results_arms", "Arms of split groups", tuple(columns), rows)


def differences_table(results: Results) -> ReportTable:
    """Return the differences between arms; those whose interval leaves out 0 are clear."""
    rows: list[Row] = [
        (
            group.group,
            LABELS[each.measure],
            each.one,
            each.other,
            f"{each.points:+.2f}",
            f"{each.low:+.2f} to {each.high:+.2f}",
            "clear" if each.low > 0 or each.high < 0 else "may be chance",
        )
        for group in results.groups
        for each in group.differences
    ]
    labels = ("Group", "Of", "Arm", "Compared with", "Points", "95%", "Difference")
    return ReportTable(
        "results_differences",
        "Differences between arms, in percentage points",
        tuple(ReportColumn(label) for label in labels),
        rows,
    )


def _rate_names(name: str) -> tuple[str, str, str]:
    return f"{name}_rate", f"{name}_low", f"{name}_high"


def _rate_cells(found: RateInterval | None) -> tuple[Cell, Cell, Cell]:
    return (found.percent, found.low, found.high) if found else (None, None, None)


def _arm_row(group: str, arm: SplitArm, measures: Sequence[str]) -> Row:
    share = arm.share or (None, None)
    cells: list[Cell] = [group, arm.name, *share, arm.contacts, arm.reached]
    for name in measures:
        cells += [getattr(arm, name), *_rate_cells(rate(getattr(arm, name), arm.of(name)))]
    return tuple(cells)
