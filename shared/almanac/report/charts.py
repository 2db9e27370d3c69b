"""The shapes of the report page's two charts: where each rectangle is, and what it says."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from almanac.report.page_data import PageData

BAR_DAYS = 60
SERIES = 8  # types with a colour of their own; the rest share the last one
CELL, GAP = 13, 2
LEFT, TOP = 34, 18
BAR_HEIGHT, BAR_WIDTH, BAR_GAP = 220, 11, 3


@dataclass(frozen=True)
class Box:
    """A rectangle with the words that are shown for it."""

    x: float
    y: float
    width: float
    height: float
    css: str
    words: str


@dataclass(frozen=True)
class Label:
    """A text at a place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A drawing of the given size."""

    width: float
    height: float
    boxes: list[Box]
    labels: list[Label]
    line: float | None = None  # y of the cap


def level(count: int, cap: int, ceiling: int) -> str:
    """How full a day is, as the name of a colour: l0 (empty) to l4 (below the cap), cap, over."""
    if count == 0:
        return "l0"
    if count > ceiling:
        return "over"
    if count >= cap:
        return "cap"
    return f"l{1 + min(3, 4 * count // cap)}"


def calendar(data: PageData) -> Chart:
    """A column for each week from the first day on, Monday on top, coloured by volume."""
    totals = data.totals
    start = data.first_day - dt.timedelta(days=data.first_day.weekday())
    boxes, labels = [], []
    for row, name in ((0, "Mon"), (2, "Wed"), (4, "Fri")):
        labels.append(Label(0, TOP + row * (CELL + GAP) + CELL - 3, name))
    day, week = data.first_day, 0
    while day <= data.last_day:
        week = (day - start).days // 7
        x, y = LEFT + week * (CELL + GAP), TOP + day.weekday() * (CELL + GAP)
        count = totals.get(day.isoformat(), 0)
        words = f"{day:%a} {day}: {count:,} of {data.daily_cap:,}"
        boxes.append(Box(x, y, CELL, CELL, level(count, data.daily_cap, data.ceiling), words))
        if day.day == 1:
            labels.append(Label(x, TOP - 6, f"{day:%b}"))
        day += dt.timedelta(days=1)
    width = LEFT + (week + 1) * (CELL + GAP)
    return Chart(width, TOP + 7 * (CELL + GAP), boxes, labels)


def series(data: PageData) -> list[str]:
    """The types in the order of their colours: the most frequent ones, then `other`, and `fixed`
    for what a run may not move."""
    first = [f"{data.first_day + dt.timedelta(days=n)}" for n in range(BAR_DAYS)]
    counts: dict[str, int] = {}
    for day in first:
        for name, count in (data.days[day].planned if day in data.days else {}).items():
            counts[name] = counts.get(name, 0) + count
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    names = ranked[:SERIES]
    if len(ranked) > SERIES:
        names = [*ranked[: SERIES - 1], "other"]
    return [*names, "committed"]


def bars(data: PageData) -> Chart:
    """A stacked bar for each of the next days, the line at the cap."""
    names = series(data)
    days = [data.first_day + dt.timedelta(days=n) for n in range(BAR_DAYS)]
    totals = data.totals
    top = max([data.daily_cap, *(totals.get(d.isoformat(), 0) for d in days)])
    scale = BAR_HEIGHT / top
    boxes, labels = [], []
    for number, day in enumerate(days):
        x = LEFT + 20 + number * (BAR_WIDTH + BAR_GAP)
        y: float = TOP + BAR_HEIGHT
        for index, name, count in _stack(data, day, names):
            height = count * scale
            y -= height
            words = f"{day:%a} {day}: {name} {count:,} of {totals[day.isoformat()]:,}"
            boxes.append(Box(x, round(y, 2), BAR_WIDTH, round(height, 2), f"s{index}", words))
        if day.weekday() == 0:
            labels.append(
                Label(x, TOP + BAR_HEIGHT + 16, f"{day.day} {day:%b}" if _wide(number) else "")
            )
    labels += [Label(0, TOP + BAR_HEIGHT, "0"), Label(0, TOP + 4, f"{top:,}")]
    width = LEFT + 20 + BAR_DAYS * (BAR_WIDTH + BAR_GAP)
    line = round(TOP + BAR_HEIGHT - data.daily_cap * scale, 2)
    return Chart(width, TOP + BAR_HEIGHT + 24, boxes, [x for x in labels if x.text], line)


def _wide(number: int) -> bool:
    """Whether there is room for a date at this bar."""
    return number < BAR_DAYS - 3


def _stack(data: PageData, day: dt.date, names: list[str]) -> list[tuple[int, str, int]]:
    """(colour, name, messages) of a day from the bottom up."""
    load = data.days.get(day.isoformat())
    if load is None:
        return []
    stack = [(i, name, load.planned.get(name, 0)) for i, name in enumerate(names[:-1])]
    rest = sum(load.planned.values()) - sum(count for _, _, count in stack)
    if "other" in names and "other" not in load.planned:
        stack[-1] = (len(names) - 2, "other", rest)
    stack.append((len(names) - 1, "committed", load.fixed))
    return [entry for entry in stack if entry[2]]
