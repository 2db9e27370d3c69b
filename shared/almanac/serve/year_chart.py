"""A contact's year as shapes: a line for each message, days as percentages of the width."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from almanac.explain.model import CommittedMessage, ExplainedMessage, Explanation
from almanac.report.charts import AxisLabel
from almanac.schedule_status import SENT_STATUSES

LINES = 24  # messages that are drawn


@dataclass(frozen=True)
class YearSpan:
    """Days in a row, both ends included, in percent of the width."""

    x: float
    width: float
    words: str


@dataclass(frozen=True)
class YearMark:
    """Something on a day: sent, failed, with-sender, ideal, day or skipped."""

    x: float
    kind: str
    words: str


@dataclass
class YearLine:
    """What is drawn beside one name."""

    name: str
    spans: list[YearSpan] = field(default_factory=list)  # in which the message may be sent
    marks: list[YearMark] = field(default_factory=list)


@dataclass(frozen=True)
class YearChart:
    """The year of a contact; today and asked are in percent."""

    lines: list[YearLine]
    excluded: list[YearSpan]
    months: list[AxisLabel]
    today: float
    asked: float | None
    more: int  # messages that are not drawn


class _Axis:
    """The mapping from days to percentages."""

    def __init__(self, first: dt.date, last: dt.date) -> None:
        self.first, self.last = first, last
        self._days = (last - first).days + 1

    def at(self, day: dt.date) -> float:
        """Return the middle of a day."""
        return round(100 * ((day - self.first).days + 0.5) / self._days, 2)

    def shows(self, day: dt.date | None) -> bool:
        return day is not None and self.first <= day <= self.last

    def span(self, start: dt.date, end: dt.date, words: str) -> YearSpan | None:
        """Return the part of a span that is drawn."""
        start, end = max(start, self.first), min(end, self.last)
        if end < start:
            return None
        x = 100 * (start - self.first).days / self._days
        return YearSpan(round(x, 2), round(100 * ((end - start).days + 1) / self._days, 2), words)


def year_chart(found: Explanation) -> YearChart:
    """Return the drawing of an explanation."""
    axis = _Axis(*found.year)
    lines = [_committed(found.committed, axis)]
    lines += [_message(each, axis) for each in found.messages[:LINES]]
    excluded = (
        axis.span(e.start, e.end, f"{e.start} to {e.end}: {e.reason}") for e in found.excluded
    )
    asked = found.on.day if found.on else None
    return YearChart(
        lines=[line for line in lines if line.marks or line.spans],
        excluded=[span for span in excluded if span],
        months=_months(axis),
        today=axis.at(found.as_of),
        asked=axis.at(asked) if asked is not None and axis.shows(asked) else None,
        more=max(0, len(found.messages) - LINES),
    )


def _committed(rows: list[CommittedMessage], axis: _Axis) -> YearLine:
    line = YearLine("sent, committed")
    for row in rows:
        day = row.scheduled_send_date
        if day is None or not axis.shows(day):
            continue
        kind = "sent" if row.status in SENT_STATUSES else "with-sender" if row.counted else "failed"
        words = f"{day}: {row.email_type}, {row.status or 'no status'}"
        line.marks.append(YearMark(axis.at(day), kind, words))
    return line


def _message(message: ExplainedMessage, axis: _Axis) -> YearLine:
    line = YearLine(message.campaign_name or message.email_type)
    skipped = message.outcome == "skipped"
    if message.floor and message.hi and not skipped:
        words = f"may be sent from {message.floor} to {message.hi}"
        span = axis.span(message.floor, message.hi, words)
        line.spans += [span] if span else []
    if axis.shows(message.ideal_date) and (skipped or message.ideal_date != message.day):
        words = f"{message.ideal_date}: " + (
            message.skip_reason or "skipped" if skipped else "ideal date"
        )
        kind = "skipped" if skipped else "ideal"
        line.marks.append(YearMark(axis.at(message.ideal_date), kind, words))
    if message.day is not None and axis.shows(message.day) and not skipped:
        words = f"{message.day}: the day chosen"
        line.marks.append(YearMark(axis.at(message.day), "day", words))
    return line


def _months(axis: _Axis) -> list[AxisLabel]:
    """Return the names of months at their first days, in place of January the year."""
    labels = []
    day = (axis.first + dt.timedelta(days=31)).replace(day=1)
    while day <= axis.last:
        text = str(day.year) if day.month == 1 else f"{day:%b}"
        labels.append(AxisLabel(axis.at(day), text, minor=day.month % 3 != 1))
        day = (day + dt.timedelta(days=31)).replace(day=1)
    return labels
