"""A file of events: JSON lines, a JSON array, or one object; or entries of one kind without events.

Entries without an event are put into events as large as events may be, in their order.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, BinaryIO

from pydantic import ValidationError

from almanac.csv_input.json_rows import MAX_ARRAY, JsonRow, json_rows
from almanac.csv_input.rejects import Rejects
from almanac.csv_input.source import InputFile
from almanac.csv_input.text import Lines
from almanac.errors import InputError, RequestError
from almanac.intake.events import (
    EVENTS,
    MAX_BYTES,
    RefusedEntry,
    check_size,
    entries_of,
)
from almanac.intake.inbox import Received
from almanac.intake.packing import numbered, packed
from almanac.json_text import json_text
from almanac.organizations.organizations import own_id
from almanac.validation_text import first_problem_text, shown_value

FILE_ORG = "file"  # of events for a database in a file that name none
_DEEPEST = 100  # objects and arrays within each other
_LONGEST = 2 * MAX_BYTES  # characters of a line

Place = tuple[int, int | None]  # line, and index in the event that the line is


@dataclass(frozen=True)
class FileEvent:
    """The valid entries of an event, and where each is in the file."""

    received: Received
    places: list[Place]
    texts: list[str]


@dataclass
class EventFile:
    """The events of a file. What is no entry is a reject, by line and index."""

    events: list[FileEvent] = field(default_factory=list)
    rejects: Rejects = field(default_factory=lambda: Rejects(("index", "input")))

    def refuse(self, place: Place, why: str, text: str) -> None:
        """Add a reject."""
        line, index = place
        self.rejects.add(line, why, ["" if index is None else str(index), text])

    def refuse_applied(self, refused: Sequence[tuple[str, RefusedEntry]]) -> None:
        """Add what was refused when it was applied, by the id of the event."""
        events = {each.received.event_id: each for each in self.events}
        for event_id, entry in refused:
            event = events[event_id]
            for at in range(len(event.places)) if entry.index is None else (entry.index,):
                self.refuse(event.places[at], entry.why, event.texts[at])


class _EventReader:
    """Reads the events of a file; kind: of entries without an event, and events without `kind`."""

    def __init__(self, org: str | None, kind: str | None, now: dt.datetime) -> None:
        self.found = EventFile()
        self._org, self._kind, self._now = org, kind, now
        self._word, self._numbers = own_id("intake", now), count(1)
        self._contents: dict[str, dict[str, Any]] = {}  # by event id
        self._bare: list[JsonRow] = []

    def take(self, row: JsonRow) -> None:
        """Take an object of the file."""
        if row.why:
            self.found.refuse((row.line, None), row.why, row.text)
        elif "entries" in row.value:
            self.flush()
            self._take_event(row)
        elif self._kind is None:
            why = "entries: is missing; expected an event, or --kind for entries without one"
            self.found.refuse((row.line, None), why, row.text)
        else:
            try:
                _check_depth(row.value, row.text)
            except RequestError as error:
                self.found.refuse((row.line, None), str(error), row.text)
            else:
                self._bare.append(row)

    def flush(self) -> None:
        """Make events of the entries without one."""

        def refuse(row: JsonRow, why: str) -> None:
            self.found.refuse((row.line, None), why, row.text)

        for rows in packed(self._bare, lambda row: row.text, refuse):
            content = {"entries": [row.value for row in rows]}
            places: list[Place] = [(row.line, None) for row in rows]
            self._add(content, self._kind, places, [row.text for row in rows])
        self._bare = []

    def _take_event(self, row: JsonRow) -> None:
        content = dict(row.value)
        kind = content.pop("kind", self._kind)
        entries = content["entries"] if isinstance(content["entries"], list) else []
        places: list[Place] = [(row.line, at) for at in range(len(entries))]
        try:
            _check_depth(content, row.text)
            texts = [json_text(each) for each in entries]
            if kind is None:
                raise RequestError(f"kind: is missing; expected one of {', '.join(EVENTS)}")
            if self._org is not None and content.get("org_id", self._org) != self._org:
                raise RequestError(f"org_id: {shown_value(content['org_id'])} is not {self._org}")
            check_size("the event", len(row.text.encode("utf-8", "replace")))
            self._add(content, kind, places, texts)
        except RequestError as error:
            self.found.refuse((row.line, None), str(error), row.text)

    def _add(
        self, content: dict[str, Any], kind: object, places: list[Place], texts: list[str]
    ) -> None:
        """Add an event of the valid entries. Raises RequestError for what is no event."""
        model = EVENTS.get(kind) if isinstance(kind, str) else None
        if not isinstance(kind, str) or model is None:
            raise RequestError(f"kind: {shown_value(kind)} is not one of {', '.join(EVENTS)}")
        number = next(self._numbers)
        content = {
            "event_id": numbered(self._word, number),
            "org_id": self._org or FILE_ORG,
        } | content
        try:
            event = model.model_validate(content)
        except ValidationError as error:
            raise RequestError(first_problem_text(error)) from None
        if self._contents.setdefault(event.event_id, content) is not content:
            if self._contents[event.event_id] == content:
                return  # the same event again
            raise RequestError(f"event_id: {event.event_id!r} is that of another event of the file")
        valid, refused = entries_of(event)
        for each in refused:
            at = each.index or 0
            self.found.refuse(places[at], each.why, texts[at])
        if valid:
            kept = [at for at, _ in valid]
            content = content | {"entries": [content["entries"][at] for at in kept]}
            received = Received(kind=kind, event=content, received=self._now, source="command")
            self.found.events.append(
                FileEvent(received, [places[at] for at in kept], [texts[at] for at in kept])
            )


def read_events(file: InputFile, org: str | None, kind: str | None, now: dt.datetime) -> EventFile:
    """Return the events of a file, published now; org: the organization of all, None for any.

    An event names its kind by the key `kind`, unless `kind` is given; without an event_id it gets
    one. Raise InputError for a file that is neither JSON lines nor a JSON array.
    """
    if kind is not None and kind not in EVENTS:
        raise InputError(f"--kind: {kind!r} is not one of {', '.join(EVENTS)}")
    reader = _EventReader(org, kind, now)
    with file.path.open("rb") as stream:
        for row in _rows(stream, file.name):
            reader.take(row)
    reader.flush()
    return reader.found


def _rows(stream: BinaryIO, name: str) -> Iterator[JsonRow]:
    """Return the objects of a file; one that takes several lines may be all that is in it."""
    lines = Lines(stream, _LONGEST)
    first = lines.peek()
    if first.lstrip().startswith("{") and not _is_json(first):
        stream.seek(0)
        text = stream.read(MAX_ARRAY).decode(lines.encoding.codec, "replace")
        if _is_json(text):
            return iter([JsonRow(1, text.strip(), json.loads(text), "")])
        stream.seek(0)
        lines = Lines(stream, _LONGEST)
    rows = json_rows(stream, lines, name)
    if rows is None:
        raise InputError(f"{name}: expected events as JSON lines, a JSON array or one object")
    return rows


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _check_depth(value: object, text: str) -> None:
    """Raise RequestError for JSON that is nested deeper than what reads it can follow."""
    level: list[object] = [value]
    if text.count("{") + text.count("[") < _DEEPEST:
        return
    for _ in range(_DEEPEST):
        level = [below for each in level for below in _below(each)]
        if not level:
            return
    raise RequestError("it is nested too deeply")


def _below(value: object) -> list[object]:
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in found if isinstance(each, dict | list)]
