"""The report page's two charts: the squares of the calendar, and the bars of the next days."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from dataclasses import dataclass

from almanac.plurals import plural
from almanac.report.lines import by_count
from almanac.report.page_data import PageData
from almanac.report.table import OTHER

BAR_DAYS = 60
SERIES = 8  # types with their own colour, s0 to s7; the other types share s7; committed: s8
COMMITTED = "committed"
BAR_HEIGHT, BAR_TOP = 250, 14  # pixels
BAR_SHARE = 0.8  # of the width of a day
TICKS = 4  # most lines of the scale
FAR = 4  # a cap more than so many times the highest bar is left out: it would flatten all bars


@dataclass(frozen=True)
class Square:
    """A day of the calendar."""

    day: dt.date
    css: str
    words: str


@dataclass(frozen=True)
class Month:
    """A month of the calendar; None for a day of a week that is not in it, or not in the plan."""

    name: str
    weeks: list[list[Square | None]]  # Monday first


@dataclass(frozen=True)
class Box:
    """A part of a bar, in pixels from the top."""

    y: float
    height: float
    css: str


@dataclass(frozen=True)
class Bar:
    """The bar of a day; x and width are percentages of the chart's width."""

    day: dt.date
    x: float
    width: float
    words: str
    boxes: list[Box]  # from the bottom up


@dataclass(frozen=True)
class AxisLabel:
    """A label of an axis: y in pixels for the scale, x in percent for the dates."""

    at: float
    text: str
    minor: bool = False  # hidden on a narrow screen


@dataclass(frozen=True)
class Chart:
    """The bars with their scale, and the heights of cap and ceiling (None: off the chart)."""

    bars: list[Bar]
    series: list[str]
    scale: list[AxisLabel]
    dates: list[AxisLabel]
    cap: float | None
    ceiling: float | None
    base: float = BAR_TOP + BAR_HEIGHT


# Percent of the cap at which the colour changes: most days have a fraction of the cap, and a day
# twice as full as another should have another colour.
SHARES = (6, 12, 50)


def level(count: int, cap: int, ceiling: int) -> str:
    """Return the colour of a day by its messages: l0 (none) to l4 (below the cap), cap, over."""
    if count == 0:
        return "l0"
    if count > ceiling:
        return "over"
    if count >= cap:
        return "cap"
    return f"l{1 + sum(100 * count >= share * cap for share in SHARES)}"


def long_day(day: dt.date) -> str:
    """Return a day as in Saturday 21 November 2026."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def calendar(data: PageData) -> list[Month]:
    """Return the months from the first to the last day of the plan, coloured by volume."""
    totals = data.totals
    months: list[Month] = []
    day = data.first_day
    while day <= data.last_day:
        name = f"{day:%B %Y}"
        if not months or months[-1].name != name:
            months.append(Month(name, []))
        weeks = months[-1].weeks
        if not weeks or day.weekday() == 0:
            weeks.append([None] * 7)
        count = totals.get(day.isoformat(), 0)
        words = f"{long_day(day)}: {count:,} of {data.daily_cap:,} messages"
        css = level(count, data.daily_cap, data.ceiling)
        if not data.is_open(day.isoformat()):
            words = f"{long_day(day)}: closed" + (f", {plural(count, 'message')}" if count else "")
            css = "over" if count else "closed"
        weeks[-1][day.weekday()] = Square(day, css, words)
        day += dt.timedelta(days=1)
    return months


def series(data: PageData) -> list[str]:
    """Return the types in the order of their colours.

    The most frequent of the next days come first, then OTHER, and COMMITTED for the messages that
    a run may not move.
    """
    counts: Counter[str] = Counter()
    for day in _next_days(data):
        counts.update(data.days[str(day)].planned if str(day) in data.days else {})
    ranked = [name for name, _ in by_count(counts)]
    if len(ranked) > SERIES:
        ranked = [*ranked[: SERIES - 1], OTHER]
    return [*ranked, COMMITTED]


def bars(data: PageData) -> Chart:
    """Return a stacked bar for each of the next days."""
    names, totals, days = series(data), data.totals, _next_days(data)
    highest = max(totals.get(str(day), 0) for day in days)
    near = data.daily_cap <= FAR * highest
    top, step = scale_of(max(highest, data.daily_cap) if near else highest)
    base = BAR_TOP + BAR_HEIGHT
    room = 100 / BAR_DAYS

    def height(count: int) -> float:
        return round(BAR_HEIGHT * count / top, 2)

    drawn: list[Bar] = []
    dates: list[AxisLabel] = []
    for number, day in enumerate(days):
        boxes = []
        y = float(base)
        for index, count in _stack(data, day, names):
            y -= height(count)
            boxes.append(Box(round(y, 2), height(count), f"s{index}"))
        words = f"{long_day(day)}: {totals.get(str(day), 0):,} messages"
        x = round(number * room + room * (1 - BAR_SHARE) / 2, 3)
        drawn.append(Bar(day, x, round(room * BAR_SHARE, 3), words, boxes))
        if day.weekday() == 0 and number < BAR_DAYS - 3:
            dates.append(AxisLabel(x, f"{day.day} {day:%b}", minor=len(dates) % 2 == 1))
    return Chart(
        bars=drawn,
        series=names,
        scale=[AxisLabel(base - height(n), f"{n:,}") for n in range(0, top + 1, step)],
        dates=dates,
        cap=base - height(data.daily_cap) if near else None,
        ceiling=base - height(data.ceiling) if near and data.ceiling <= top else None,
    )


def _next_days(data: PageData) -> list[dt.date]:
    return [data.first_day + dt.timedelta(days=n) for n in range(BAR_DAYS)]


def scale_of(highest: int) -> tuple[int, int]:
    """Return the top of a scale for the count, and its step: 1, 2 or 5 times a power of ten."""
    power = 10 ** max(0, math.floor(math.log10(max(1, highest) / TICKS)))
    step = next(n * power for n in (1, 2, 5, 10) if n * power * TICKS >= highest)
    return step * math.ceil(max(1, highest) / step), step


def _stack(data: PageData, day: dt.date, names: list[str]) -> list[tuple[int, int]]:
    """Return (colour, messages) of a day from the bottom up."""
    load = data.days.get(day.isoformat())
    if load is None:
        return []
    counts = [load.planned.get(name, 0) for name in names]
    if OTHER in names:
        counts[-2] = sum(load.planned.values()) - sum(counts[:-2])
    stack = [*enumerate(counts[:-1]), (SERIES, load.fixed)]
    return [(index, count) for index, count in stack if count]
