"""Marks as a sender writes them: CSV with a header, or JSON lines."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from almanac.contact_ranges import MAX_ID
from almanac.csv_input import CsvRow, Rejects, csv_of_text
from almanac.errors import RequestError
from almanac.names import FIRST_YEAR, LAST_YEAR
from almanac.schedule_status import PLANNED_STATUSES, Status

COLUMNS = (
    "id",
    "status",
    "at",
    "message_id",
    "detail",
    "reason",  # another name for detail
    "contact_id",
    "scheduled_send_date",
)
COMPLAINT = "complaint"  # says nothing of the delivery, which was one
STATUSES = (*(each.value for each in Status if each not in PLANNED_STATUSES), COMPLAINT)
_NUMBER = re.compile(r"-?[0-9]{1,18}")


class DeliveryMark(NamedTuple):
    """What a line says of a row."""

    line: int
    cells: list[str]  # as they were, for the rejects
    row_id: int
    status: str
    at: dt.datetime  # aware
    message_id: str | None
    detail: str | None
    contact_id: int | None
    day: str


class RefusedLine(BaseModel):
    """A line that was not taken."""

    line: int
    id: int | None  # of the row that it names, if it names one
    why: str


class ParsedMarks(NamedTuple):
    """The marks of a file, and the lines that are none."""

    marks: list[DeliveryMark]
    rejects: Rejects
    refused: list[RefusedLine]


def parse(text: str, name: str, zone: ZoneInfo, now: dt.datetime) -> ParsedMarks:
    """Marks from CSV with a header, or from JSON lines; `now` where a line has no time.

    zone: that of times without an offset. Raises RequestError where it is neither.
    """
    if text.lstrip("\ufeff").lstrip().startswith("{"):
        columns: tuple[str, ...] = ("input",)
        lines = _json_lines(text)
    else:
        file = csv_of_text(text, name, ("id", "status"))
        if missing := [c for c in ("id", "status") if c not in file.columns]:
            raise RequestError(f"{name}: the header has no column {missing[0]}")
        columns = file.columns
        pick = file.picker(*COLUMNS)
        lines = ((row, dict(zip(COLUMNS, pick(row), strict=True))) for row in file.rows())
    parsed = ParsedMarks([], Rejects(columns), [])
    for row, values in lines:
        try:
            if row.problem:
                raise RequestError(row.problem)
            parsed.marks.append(_mark(row, values, zone, now))
        except RequestError as error:
            refuse(parsed, row.line, _integer(values.get("id")), str(error), row.cells)
    return parsed


def _json_lines(text: str) -> Iterator[tuple[CsvRow, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        problem, values = "", {}
        try:
            found = json.loads(line)
            if isinstance(found, dict):
                values = found
            else:
                problem = "not a JSON object"
        except (ValueError, RecursionError) as error:
            problem = f"not JSON: {error}"
        yield CsvRow(number, [line], problem), values


def _mark(row: CsvRow, values: dict[str, Any], zone: ZoneInfo, now: dt.datetime) -> DeliveryMark:
    """A line as a mark; RequestError if it is none."""
    row_id, status = _integer(values.get("id")), _text(values.get("status")).lower()
    if row_id is None:
        raise RequestError(f"id: {_text(values.get('id'))!r} is not the id of a row")
    if status not in STATUSES:
        raise RequestError(f"status: {status!r} is not one of {', '.join(STATUSES)}")
    contact = _integer(values.get("contact_id"))
    if contact is None and _text(values.get("contact_id")):
        raise RequestError(f"contact_id: {_text(values['contact_id'])!r} is not an id")
    return DeliveryMark(
        row.line,
        row.cells,
        row_id,
        status,
        _time(_text(values.get("at")), zone, now),
        _text(values.get("message_id")) or None,
        _text(values.get("detail")) or _text(values.get("reason")) or None,
        contact,
        _text(values.get("scheduled_send_date")),
    )


def _time(text: str, zone: ZoneInfo, now: dt.datetime) -> dt.datetime:
    if not text:
        return now
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise RequestError(
            f"at: {text!r} is not a time; expected such as 2026-11-21T08:30:00-06:00"
        ) from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise RequestError(f"at: {text} is out of range")
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


def _integer(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= MAX_ID else None
    text = _text(value)
    return int(text) if _NUMBER.fullmatch(text) else None


def _text(value: object) -> str:
    """Half a character, which JSON can name and a database cannot hold, becomes a question mark."""
    return "" if value is None else str(value).strip().encode("utf-8", "replace").decode()


def refuse(parsed: ParsedMarks, line: int, row_id: int | None, why: str, cells: list[str]) -> None:
    """One more line that is not taken."""
    parsed.rejects.add(line, why, cells)
    parsed.refused.append(RefusedLine(line=line, id=row_id, why=why))
