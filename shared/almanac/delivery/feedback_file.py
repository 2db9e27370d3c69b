"""Read the marks that a sender returns: CSV with a header, JSON lines, or a JSON array."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from almanac.csv_input.header import ImportColumns, read_mapping
from almanac.csv_input.json_rows import JsonRow, json_rows
from almanac.csv_input.reader import MAX_ROWS, CsvFile, CsvRow, Problem, at_most
from almanac.csv_input.rejects import Rejects
from almanac.csv_input.source import InputFile
from almanac.csv_input.text import Lines
from almanac.errors import RequestError
from almanac.names import MAX_ID, time_of
from almanac.schedule_status import MARKS, Status

PROVIDER_IDS = ("sendgrid_message_id", "twilio_sms_id")
# of a line of `due`, for a store: what puts a row back that a run has removed
IDENTITY = (
    *("email_type", "campaign_instance_id", "event_date", "ideal_send_date"),
    *("scheduled_send_time", "email_template", "sms_template", "priority", "metadata"),
)
COLUMNS = ImportColumns(
    (
        "id",
        "status",
        "at",
        "message_id",
        "detail",
        "reason",  # another name for detail
        "contact_id",
        "scheduled_send_date",
        "email",
        *PROVIDER_IDS,
        *IDENTITY,
    ),
    required=("id", "status"),
)

_NUMBER = re.compile(r"-?[0-9]{1,18}")
_Line = tuple[CsvRow, dict[str, Any]]  # and its values by column


class DeliveryMark(NamedTuple):
    """What a line says about a row of email_schedules."""

    line: int
    cells: list[str]  # as they were, for the reject report
    row_id: int
    status: str
    at: dt.datetime  # aware
    message_id: str | None
    detail: str | None
    contact_id: int | None
    day: str
    email_type: str = ""  # '' for any
    is_recorded: bool = False  # in message_deliveries, since before its row was put back

    @property
    def is_dated_claim(self) -> bool:
        return self.status == Status.PROCESSING and self.day != ""


class RefusedLine(BaseModel):
    """A line that is refused."""

    line: int
    id: int | None  # of the row that it names, if it names one
    why: str


class ParsedMarks(NamedTuple):
    """The marks of a file, and the lines that are not marks."""

    marks: list[DeliveryMark]
    rejects: Rejects
    refused: list[RefusedLine]

    def refuse(self, line: int, row_id: int | None, why: str, cells: list[str]) -> None:
        """Add a line that is refused."""
        self.rejects.add(line, why, cells)
        self.refused.append(RefusedLine(line=line, id=row_id, why=why))


def read_marks(
    file: InputFile,
    pairs: Sequence[str],
    zone: ZoneInfo,
    now: dt.datetime,
    values_of: list[dict[str, Any]] | None = None,
) -> ParsedMarks:
    """Read the marks of a CSV file with a header, of JSON lines, or of a JSON array of objects.

    pairs: the values of `--map`. zone: of times without an offset; `now` where a line has no time.
    values_of: a list to which all values of each mark are added, by our names.
    Raise InputError for a file that is none of them.
    """
    with file.path.open("rb") as stream:
        columns, lines = _open(stream, file.name, pairs)
        parsed = ParsedMarks([], Rejects(columns), [])
        for (line, cells, problem), values in at_most(lines, MAX_ROWS, file.name):
            try:
                if problem:
                    raise RequestError(problem.why)
                parsed.marks.append(_mark(line, cells, values, zone, now))
                if values_of is not None:
                    values_of.append(values)
            except RequestError as error:
                parsed.refuse(line, _integer(values.get("id")), str(error), cells)
    return parsed


def _open(
    stream: BinaryIO, name: str, pairs: Sequence[str]
) -> tuple[tuple[str, ...], Iterator[_Line]]:
    """Return the columns of the reject report, and the lines of the file."""
    lines = Lines(stream)
    found = json_rows(stream, lines, name)
    if found is not None:
        mapping = read_mapping(pairs, COLUMNS)
        return ("input",), (_json_line(row, mapping) for row in found)
    file = CsvFile(lines, name, COLUMNS, pairs)
    rows = ((row, dict(zip(COLUMNS.names, file.pick(row[1]), strict=True))) for row in file.rows())
    return file.header.columns, rows


def _json_line(row: JsonRow, mapping: dict[str, str]) -> _Line:
    """Return an object as a line; mapping: its keys by ours."""
    problem = Problem("not JSON", row.why) if row.why else None
    return (row.line, [row.text], problem), _named(row.value, mapping)


def _named(found: dict[str, Any], mapping: dict[str, str]) -> dict[str, Any]:
    """Return the values of an object by our names."""
    return found | {our: found[their] for our, their in mapping.items() if their in found}


def _mark(
    line: int, cells: list[str], values: dict[str, Any], zone: ZoneInfo, now: dt.datetime
) -> DeliveryMark:
    """Return the mark that a line contains. Raise RequestError if it is not one."""
    row_id, status = _integer(values.get("id")), _text(values.get("status")).lower()
    if row_id is None:
        raise RequestError(f"id: {_text(values.get('id'))!r} is not the id of a row")
    if status not in MARKS:
        raise RequestError(f"status: {status!r} is not one of {', '.join(MARKS)}")
    contact = _integer(values.get("contact_id"))
    if contact is None and _text(values.get("contact_id")):
        raise RequestError(f"contact_id: {_text(values['contact_id'])!r} is not an id")
    return DeliveryMark(
        line,
        cells,
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
    at = time_of(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


def _integer(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= MAX_ID else None
    text = _text(value)
    return int(text) if _NUMBER.fullmatch(text) else None


def _text(value: object) -> str:
    """Return a value as text.

    A lone surrogate, which JSON can name and a database cannot hold, becomes a question mark.
    """
    return "" if value is None else str(value).strip().encode("utf-8", "replace").decode()
