"""A contact's year drawn in characters: a line for each message, a column for some days."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from almanac.explain.model import CommittedMessage, ExplainedMessage, Explanation
from almanac.schedule_status import SENT_STATUSES

LABEL = 18  # columns for the name of a line
LINES = 18  # messages that are drawn

EXCLUDED, TODAY, ASKED, SPAN, IDEAL, DAY, SKIPPED, WAS_SENT, WITH_SENDER, FAILED = "░│?─◇◆✕■□!"
MEANINGS = {
    DAY: "the day chosen",
    IDEAL: "ideal date",
    SPAN: "may be sent",
    SKIPPED: "skipped",
    EXCLUDED: "excluded",
    WAS_SENT: "sent",
    WITH_SENDER: "with the sender",
    FAILED: "failed",
}
PLAIN = str.maketrans(dict(zip("░│─◇◆✕■□", "#|-iOxs.", strict=True)))


@dataclass
class _Line:
    name: str
    cells: dict[int, str] = field(default_factory=dict)  # column -> character


class _Scale:
    """The mapping from days to columns."""

    def __init__(self, found: Explanation, columns: int) -> None:
        self.first, self.last = found.year
        self.days = -(-((self.last - self.first).days + 1) // columns)  # a column
        self.columns = self.at(self.last) + 1

    def at(self, day: dt.date) -> int:
        """Return the column of a day, which may be outside the drawing."""
        return (day - self.first).days // self.days

    def span(self, first: dt.date, last: dt.date) -> range:
        """Return the columns of a span that are drawn."""
        return range(max(0, self.at(first)), min(self.columns - 1, self.at(last)) + 1)

    def inside(self, day: dt.date | None) -> bool:
        """Whether the day is drawn."""
        return day is not None and self.first <= day <= self.last


def draw(found: Explanation, width: int, plain: bool) -> list[str]:
    """Return the lines of the drawing, none longer than `width`; with `plain` in ASCII only."""
    scale = _Scale(found, max(12, width - LABEL - 1))
    lines = [_excluded(found, scale), _committed(found.committed, scale)]
    lines += [_message(message, scale) for message in found.messages[:LINES]]
    lines = [line for line in lines if line.cells]
    used = {cell for line in lines for cell in line.cells.values()}
    drawn = [_row("", _years(scale)), _row("", _months(scale))]
    marks = {scale.at(found.as_of): TODAY}
    drawn.append(_row(f"today {found.as_of}", {scale.at(found.as_of): "▼"}, scale))
    if found.on is not None and scale.inside(found.on.day):
        marks[scale.at(found.on.day)] = ASKED
        drawn.append(_row(f"asked {found.on.day}", {scale.at(found.on.day): ASKED}, scale))
    drawn += [_row(line.name, {**marks, **line.cells}, scale) for line in lines]
    if len(found.messages) > LINES:
        drawn.append(f"and {len(found.messages) - LINES} more messages, listed below")
    drawn += _wrapped(_legend(used, scale), width)
    return [line.replace("▼", "v").translate(PLAIN) if plain else line for line in drawn]


def _row(name: str, cells: dict[int, str] | str, scale: _Scale | None = None) -> str:
    if not isinstance(cells, str) and scale is not None:
        cells = "".join(cells.get(column, " ") for column in range(scale.columns))
    return f"{_shortened(name):{LABEL}} {cells}".rstrip()


def _shortened(name: str) -> str:
    return name if len(name) <= LABEL else f"{name[: LABEL - 2]}.."


def _years(scale: _Scale) -> str:
    """Return the years at their first days, the first year at the left."""
    years = range(scale.first.year + 1, scale.last.year + 1)
    starts = [(scale.at(dt.date(year, 1, 1)), str(year)) for year in years]
    return _labels([(0, str(scale.first.year)), *starts], scale)


def _months(scale: _Scale) -> str:
    """Return the names of months at their first days."""
    starts = _month_starts(scale.first, scale.last)
    return _labels([(scale.at(day), f"{day:%b}") for day in starts], scale)


def _labels(labels: list[tuple[int, str]], scale: _Scale) -> str:
    """Return the labels that have room, at their columns."""
    text = ""
    for at, label in labels:
        if at >= len(text) + bool(text) and at + len(label) <= scale.columns:
            text = text.ljust(at) + label
    return text


def _month_starts(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    day = first if first.day == 1 else (first.replace(day=1) + dt.timedelta(days=32))
    day = day.replace(day=1)
    while day <= last:
        yield day
        day = (day + dt.timedelta(days=32)).replace(day=1)


def _excluded(found: Explanation, scale: _Scale) -> _Line:
    cells = {
        column: EXCLUDED for each in found.excluded for column in scale.span(each.start, each.end)
    }
    return _Line("excluded days", cells)


def _committed(rows: Iterable[CommittedMessage], scale: _Scale) -> _Line:
    """Return the committed rows; several in a column as their number."""
    count: Counter[int] = Counter()
    line = _Line("sent, committed")
    for row in rows:
        day = row.scheduled_send_date
        if day is not None and scale.inside(day):
            column = scale.at(day)
            count[column] += 1
            mark = WAS_SENT if row.status in SENT_STATUSES else FAILED
            if row.counted and row.status not in SENT_STATUSES:
                mark = WITH_SENDER
            line.cells[column] = mark if count[column] == 1 else str(min(9, count[column]))
    return line


def _message(message: ExplainedMessage, scale: _Scale) -> _Line:
    line = _Line(message.campaign_name or message.email_type)
    if message.floor and message.hi and message.outcome != "skipped":
        line.cells |= dict.fromkeys(scale.span(message.floor, message.hi), SPAN)
    if scale.inside(message.ideal_date):
        mark = SKIPPED if message.outcome == "skipped" else IDEAL
        line.cells[scale.at(message.ideal_date)] = mark
    if message.day is not None and scale.inside(message.day):
        line.cells[scale.at(message.day)] = DAY
    return line


def _legend(used: set[str], scale: _Scale) -> list[str]:
    meanings = [f"{mark} {text}" for mark, text in MEANINGS.items() if mark in used]
    days = "a day" if scale.days == 1 else f"{scale.days} days"
    return [*meanings, f"one column is {days}"]


def _wrapped(parts: list[str], width: int) -> Iterator[str]:
    """Join the parts by commas on as many lines as they need."""
    line = parts[0]
    for part in parts[1:]:
        if len(line) + len(part) + 3 > width:
            yield f"{line},"
            line = part
        else:
            line = f"{line}, {part}"
    yield line
