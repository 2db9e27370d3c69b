"""Read the marks that a sender returns: CSV with a header, JSON lines, or a JSON array."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from almanac.csv_input.header import ImportColumns, read_mapping
from almanac.csv_input.reader import MAX_ROWS, CsvFile, CsvRow, Problem, at_most
from almanac.csv_input.rejects import Rejects
from almanac.csv_input.source import InputFile
from almanac.csv_input.text import Encoding, Lines
from almanac.errors import InputError, RequestError
from almanac.names import MAX_ID, time_of
from almanac.schedule_status import MARKS

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
    ),
    required=("id", "status"),
)

MAX_ARRAY = 256 << 20  # bytes of a JSON array, which is held in memory
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_BLANKS = re.compile(r"\s*")
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
    file: InputFile, pairs: Sequence[str], zone: ZoneInfo, now: dt.datetime
) -> ParsedMarks:
    """Read the marks of a CSV file with a header, of JSON lines, or of a JSON array of objects.

    pairs: the values of `--map`. zone: of times without an offset; `now` where a line has no time.
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
            except RequestError as error:
                parsed.refuse(line, _integer(values.get("id")), str(error), cells)
    return parsed


def _open(
    stream: BinaryIO, name: str, pairs: Sequence[str]
) -> tuple[tuple[str, ...], Iterator[_Line]]:
    """Return the columns of the reject report, and the lines of the file."""
    lines = Lines(stream)
    start = lines.peek().lstrip()
    if start.startswith("{"):
        return ("input",), _json_lines(lines, read_mapping(pairs, COLUMNS))
    if start.startswith("["):
        text = _whole_text(stream, lines.encoding, name)
        return ("input",), _json_array(text, name, read_mapping(pairs, COLUMNS))
    file = CsvFile(lines, name, COLUMNS, pairs)
    rows = ((row, dict(zip(COLUMNS.names, file.pick(row[1]), strict=True))) for row in file.rows())
    return file.header.columns, rows


def _json_lines(lines: Lines, mapping: dict[str, str]) -> Iterator[_Line]:
    """Yield the object of each line; mapping: their key by ours."""
    for number, line, why in lines.singly():
        values: dict[str, Any] = {}
        try:
            found = {} if why else json.loads(line)
            if isinstance(found, dict):
                values = _named(found, mapping)
            else:
                why = "not a JSON object"
        except (ValueError, RecursionError) as error:
            why = f"not JSON: {error}"
        problem = Problem("not JSON", why) if why else None
        yield (number, [line.rstrip("\r\n")], problem), values


def _whole_text(stream: BinaryIO, encoding: Encoding, name: str) -> str:
    """Return the text of a file. Raise InputError for one that is too large, or not text."""
    stream.seek(0)
    data = stream.read(MAX_ARRAY + 1)
    if len(data) > MAX_ARRAY:
        raise InputError(
            f"{name}: a JSON array of more than {MAX_ARRAY:,} bytes; write one object a line, "
            "without the brackets around all and the commas between them"
        )
    try:
        return data.decode(encoding.codec)
    except UnicodeDecodeError:
        raise InputError(f"{name}: text that is not {encoding.label}") from None


def _json_array(text: str, name: str, mapping: dict[str, str]) -> Iterator[_Line]:
    """Yield the elements of an array, each with the line on which it begins.

    Raise InputError where the text is not an array: then nothing of it is to be relied on.
    """
    decoder, line, counted = json.JSONDecoder(), 1, 0
    at = _skip(text, text.index("[") + 1)
    more = text[at : at + 1] != "]"
    while more:
        line, counted = line + text.count("\n", counted, at), at
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{name}: line {line}: not a JSON array: {error}") from None
        is_object = isinstance(found, dict)
        problem = None if is_object else Problem("not JSON", "not a JSON object")
        yield (line, [text[at:end]], problem), _named(found, mapping) if is_object else {}
        at = _skip(text, end)
        more = text[at : at + 1] == ","
        if more:
            at = _skip(text, at + 1)
    if text[at : at + 1] != "]" or text[at + 1 :].strip():
        line += text.count("\n", counted, at)
        raise InputError(f"{name}: line {line}: not a JSON array: expected , or ] and nothing more")


def _skip(text: str, at: int) -> int:
    """Return the next position that is not blank."""
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


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
