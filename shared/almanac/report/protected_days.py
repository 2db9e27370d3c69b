"""The protected days of the year: a row a state, a box a week, and the changes of rules."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from almanac.report.charts import AxisLabel
from almanac.report.lines import StateLine
from almanac.report.page_data import PageData
from almanac.report.table import Cell, ReportColumn, ReportTable

ROW_HEIGHT, BOX_HEIGHT = 24, 18  # pixels
STATE = 20  # characters of a name that is none of a state
TABLE_STEP = 4  # weeks between two columns of the table
# Percent of a state's contacts from which on a week's colour is stronger; see `shade`.
SHARES = (25, 50, 75)


@dataclass(frozen=True)
class WeekBox:
    """A week of a state; x and width are percentages of the chart's width."""

    x: float
    css: str
    words: str


@dataclass(frozen=True)
class RuleMark:
    """The day from which on a state's rule is another; x in percent."""

    x: float
    words: str


@dataclass(frozen=True)
class StateRow:
    """A state; y in pixels from the top."""

    state: str
    y: int
    boxes: list[WeekBox]
    marks: list[RuleMark]


@dataclass(frozen=True)
class ProtectedDays:
    """The rows with their dates; width is that of a week, in percent."""

    rows: list[StateRow]
    dates: list[AxisLabel]
    width: float
    changes: list[str]

    @property
    def height(self) -> int:
        """Return the height of the chart in pixels, with the dates below it."""
        return ROW_HEIGHT * (len(self.rows) + 1)


def protected_days(data: PageData) -> ProtectedDays:
    """Return the states with rules and contacts, those with the most protected contacts first."""
    lines = _lines(data)
    weeks = len(lines[0].protected) if lines else 1
    width = 100 / weeks
    days = [data.as_of + dt.timedelta(weeks=week) for week in range(weeks)]
    return ProtectedDays(
        rows=[
            StateRow(
                line.state,
                number * ROW_HEIGHT,
                [
                    WeekBox(
                        round(week * width, 3),
                        shade(count, line.contacts),
                        _words(line, day, count),
                    )
                    for week, (day, count) in enumerate(zip(days, line.protected, strict=True))
                ],
                [
                    RuleMark(round((day - data.as_of).days / 7 * width, 3), f"{day}: {words}")
                    for day, words in line.rule_changes
                ],
            )
            for number, line in enumerate(lines)
        ],
        dates=[
            AxisLabel(round(week * width, 3), f"{day:%b}", minor=day.month % 2 == 0)
            for week, day in enumerate(days)
            if day.day <= 7 and week < weeks - 2
        ],
        width=round(width, 3),
        changes=[
            f"{day.isoformat()}, {line.state}: {words}"
            for line in lines
            for day, words in line.rule_changes
        ],
    )


def shade(count: int, contacts: int) -> str:
    """Return the colour of a week by the share of a state's contacts that are protected.

    l0 is none, l1 below a quarter, l2 below half, l3 below three quarters, l4 more.
    """
    if count == 0:
        return "l0"
    return f"l{1 + sum(100 * count >= share * contacts for share in SHARES)}"


def protected_table(data: PageData) -> ReportTable:
    """Return the shares of protected contacts, in percent, every few weeks."""
    lines = _lines(data)
    weeks = range(0, len(lines[0].protected) if lines else 0, TABLE_STEP)
    rows: list[tuple[Cell, ...]] = [
        (
            line.state,
            line.contacts,
            line.rule,
            "; ".join(f"{day}: {words}" for day, words in line.rule_changes) or None,
            *(_percent(line.protected[week], line.contacts) for week in weeks),
        )
        for line in lines
    ]
    columns = (
        ReportColumn("State"),
        ReportColumn("Contacts", number=True),
        ReportColumn("Rule"),
        ReportColumn("Changes"),
        *(
            ReportColumn(f"{(data.as_of + dt.timedelta(weeks=week)).isoformat()}, %", number=True)
            for week in weeks
        ),
    )
    return ReportTable("protected", "Protected contacts by state", columns, rows)


def _lines(data: PageData) -> list[StateLine]:
    found = [line for line in data.states if line.protected and line.contacts]
    return sorted(found, key=lambda line: (-sum(line.protected) / line.contacts, line.state))


def _words(line: StateLine, day: dt.date, count: int) -> str:
    return f"{line.state[:STATE]}, {day}: {count:,} of {line.contacts:,} contacts are protected"


def _percent(count: int, contacts: int) -> float:
    return round(100 * count / contacts, 1)
