"""The tables of the report page and of its CSV files."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from almanac.report.charts import series
from almanac.report.events import refused_table
from almanac.report.headlines import weekday_of
from almanac.report.lines import CHANGES, CampaignLine, by_count, split_reason
from almanac.report.page_data import PageData
from almanac.report.protected_days import protected_table
from almanac.report.results_tables import results_tables
from almanac.report.table import Cell, ReportColumn, ReportTable, Row, table_by_type
from almanac.report.what_if_page import what_if_tables

NO_RULE = "no rule"
ABOVE, AT_CAP = "above the ceiling", "at the cap"

TABLES = (
    *("days", "above", "types", "reasons", "states", "protected", "messages", "campaigns"),
    *("changes", "suppressions", "issues", "facts", "seconds"),
)


def tables_of(data: PageData) -> dict[str, ReportTable]:
    """Return the tables by name: TABLES, then those of events, results and a comparison if any."""
    days = _days(data, _types(data))
    made = [
        days,
        replace(
            days,
            name="above",
            title="Days above the ceiling",
            rows=[row for row in days.rows if row[4] == ABOVE],
        ),
        _by_type(data),
        _reasons(data),
        _states(data),
        protected_table(data),
        _messages(data),
        _campaigns(data),
        _changes(data),
        ReportTable(
            "suppressions",
            "Active suppressions",
            (
                ReportColumn("Reason"),
                ReportColumn("Entries", number=True),
                ReportColumn("Contacts", number=True),
                ReportColumn("Messages skipped", number=True),
            ),
            [(x.reason, x.entries, x.contacts, x.messages) for x in data.suppressions],
        ),
        ReportTable(
            "issues",
            "Contact issues",
            (
                ReportColumn("Issue"),
                ReportColumn("Contacts", number=True),
                ReportColumn("What to do"),
            ),
            [*data.issues],
        ),
        ReportTable(
            "facts", "The run", (ReportColumn("Fact"), ReportColumn("Value")), [*data.facts]
        ),
        _seconds(data),
        *([refused_table(data.events)] if data.events else []),
        *(results_tables(data.results) if data.results else []),
        *(what_if_tables(data.what_if) if data.what_if else []),
    ]
    return {table.name: table for table in made}


def _types(data: PageData) -> list[str]:
    """Return the email types of all days: those with their own colour first, then by frequency."""
    counts: Counter[str] = Counter()
    for load in data.days.values():
        counts.update(load.planned)
    return list(
        dict.fromkeys([*(each for each in series(data) if each in counts), *_ranked(counts)])
    )


def _days(data: PageData, types: list[str]) -> ReportTable:
    rows: list[Row] = []
    for day, total in data.totals.items():
        load = data.days[day]
        above = total > data.ceiling or not data.is_open(day)
        full = ABOVE if above else AT_CAP if total >= data.daily_cap else ""
        counts = (load.planned.get(name) for name in types)
        share = _percent(total, data.daily_cap)
        rows.append((day, weekday_of(day), total, share, full, load.fixed or None, *counts))
    columns = (
        ReportColumn("Day"),
        ReportColumn("Weekday"),
        ReportColumn("Messages", number=True),
        ReportColumn("Of the cap, %", number=True),
        ReportColumn("Full"),
        ReportColumn("Committed", number=True),
    )
    return table_by_type("days", "Messages by day", columns, types, rows)


def _by_type(data: PageData) -> ReportTable:
    planned = Counter(data.planned)
    skipped: Counter[str] = Counter()
    for types in data.skipped.values():
        skipped.update(types)
    rows: list[Row] = [
        (name, planned[name], skipped[name], _percent(skipped[name], planned[name] + skipped[name]))
        for name in _ranked(planned + skipped)
    ]
    columns = (
        ReportColumn("Email type"),
        ReportColumn("Planned", number=True),
        ReportColumn("Skipped", number=True),
        ReportColumn("Skipped, %", number=True, share=True),
    )
    return ReportTable("types", "Planned and skipped by type", columns, rows)


def _reasons(data: PageData) -> ReportTable:
    skipped = data.skipped
    totals = Counter({reason: sum(types.values()) for reason, types in skipped.items()})
    by_type: Counter[str] = Counter()
    for counts in skipped.values():
        by_type.update(counts)
    types = _ranked(by_type)
    rows: list[Row] = []
    for reason in _ranked(totals):
        counts = skipped[reason]
        share = _percent(totals[reason], totals.total())
        rows.append((reason, totals[reason], share, *(counts.get(name) for name in types)))
    columns = (
        ReportColumn("Reason"),
        ReportColumn("Skipped", number=True),
        ReportColumn("Of all skipped, %", number=True, share=True),
    )
    return table_by_type("reasons", "Skipped by reason", columns, types, rows)


def _states(data: PageData) -> ReportTable:
    planned: Counter[str] = Counter()
    skipped: dict[str, Counter[str]] = defaultdict(Counter)
    for line in data.messages:
        if line.reason:
            skipped[line.state][line.reason] += line.count
        else:
            planned[line.state] += line.count
    known = {line.state: line for line in data.states}
    rows: list[Row] = []
    for state in {*known, *planned, *skipped}:
        it, reasons = known.get(state), skipped[state]
        hits = _percent(it.hits, it.checked) if it and it.rule else None
        rows.append(
            (
                state,
                it.contacts if it else None,
                planned[state],
                reasons.total(),
                it.checked if it else None,
                it.hits if it else None,
                hits,
                (it.rule or NO_RULE) if it else None,
                _ranked(reasons)[0] if reasons else None,
            )
        )
    columns = (
        ReportColumn("State"),
        ReportColumn("Contacts", number=True),
        ReportColumn("Planned", number=True),
        ReportColumn("Skipped", number=True),
        ReportColumn("Checked", number=True),
        ReportColumn("In a window", number=True),
        ReportColumn("Hit rate, %", number=True, share=True),
        ReportColumn("Rule"),
        ReportColumn("Most skipped for"),
    )
    rows.sort(key=lambda row: (-_number(row[5]), -_number(row[2]), str(row[0])))
    return ReportTable("states", "States: windows, planned and skipped", columns, rows)


def _messages(data: PageData) -> ReportTable:
    lines = sorted(data.messages, key=lambda x: (-x.count, x.email_type, x.state, x.reason))
    return ReportTable(
        "messages",
        "Every combination of type, state and reason",
        (
            ReportColumn("Email type"),
            ReportColumn("State"),
            ReportColumn("Status"),
            ReportColumn("Reason"),
            ReportColumn("Messages", number=True),
        ),
        [
            (x.email_type, x.state, "skipped" if x.reason else "planned", x.reason, x.count)
            for x in lines
        ],
    )


def _campaigns(data: PageData) -> ReportTable:
    lines = sorted(
        data.campaigns,
        key=lambda x: (not x.left_out, x.problem is not None, -x.planned, -x.reach, x.instance_id),
    )
    rows: list[Row] = [
        (
            x.instance_id,
            x.name,
            x.reach,
            x.sent,
            x.planned,
            sum(x.skipped.values()),
            _why_not(x),
            x.campaign_type,
            x.start.isoformat() if x.start else None,
            x.end.isoformat() if x.end else None,
        )
        for x in lines
    ]
    columns = (
        ReportColumn("Id", number=True),
        ReportColumn("Name"),
        ReportColumn("Reach", number=True),
        ReportColumn("Sent", number=True),
        ReportColumn("Planned", number=True),
        ReportColumn("Skipped", number=True),
        ReportColumn("Why not"),
        ReportColumn("Type"),
        ReportColumn("Start"),
        ReportColumn("End"),
    )
    return ReportTable("campaigns", "Campaigns", columns, rows)


def _why_not(line: CampaignLine) -> str:
    """Return why a campaign, or some of its messages, is not sent."""
    groups: Counter[str] = Counter()
    for reason, count in line.skipped.items():
        groups[split_reason(reason)[0]] += count
    reasons = [f"{group} {groups[group]:,}" for group in _ranked(groups)]
    return "; ".join([line.problem, *reasons] if line.problem else reasons)


def _changes(data: PageData) -> ReportTable:
    order = {change: number for number, change in enumerate(CHANGES)}
    by_type: Counter[str] = Counter()
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for line in data.changes:
        by_type[line.email_type] += line.count
        found[line.change, line.why][line.email_type] += line.count
    types = _ranked(by_type)
    rows: list[Row] = [
        (change, why, counts.total(), *(counts.get(name) for name in types))
        for (change, why), counts in sorted(
            found.items(),
            key=lambda item: (order.get(item[0][0], len(order)), -item[1].total(), item[0]),
        )
    ]
    columns = (ReportColumn("Change"), ReportColumn("Why"), ReportColumn("Messages", number=True))
    return table_by_type("changes", "Changes", columns, types, rows)


def _seconds(data: PageData) -> ReportTable:
    steps = {step: took for step, took in data.seconds.items() if step != "total"}
    total = data.seconds.get("total", sum(steps.values()))
    return ReportTable(
        "seconds",
        "Duration by step",
        (
            ReportColumn("Step"),
            ReportColumn("Seconds", number=True),
            ReportColumn("Of the run, %", number=True, share=True),
        ),
        [(step, round(took, 1), _percent(took, total)) for step, took in steps.items()],
    )


def _ranked(counts: Counter[str]) -> list[str]:
    """Return the names, the highest count first."""
    return [name for name, _ in by_count(counts)]


def _number(cell: Cell) -> float:
    return cell if isinstance(cell, (int, float)) else 0


def _percent(part: float, whole: float) -> float | None:
    """Return a percentage with one decimal; None if the whole is 0."""
    return round(100 * part / whole, 1) if whole else None
