"""From the entries of a request to events that are ready for the inbox."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from almanac.errors import RequestError
from almanac.intake.answers import HttpProblem
from almanac.intake.body import RequestBody
from almanac.intake.events import EVENTS, MAX_ENTRIES, IntakeEvent, entries_of
from almanac.intake.inbox import Received, Source
from almanac.intake.packing import numbered, packed
from almanac.names import check_event_id
from almanac.validation_text import first_problem_text

_LONGEST_KEY = 255  # characters

Entries = list[tuple[int, dict[str, Any]]]


@dataclass(frozen=True)
class Taken:
    """What is taken of a request: events, and the entries that were refused, by index."""

    events: list[dict[str, Any]]
    accepted: int
    refused: list[tuple[int, str]]

    def received(self, kind: str, at: dt.datetime, source: Source) -> list[Received]:
        """Return the events as the inbox has them."""
        return [
            # valid as they are: there is one for each request
            Received.model_construct(kind=kind, event=each, received=at, source=source)
            for each in self.events
        ]


def first_id(kind: str, org: str, body: RequestBody, key: str | None) -> str:
    """Return the id of the first event of a request; the same again for the same key.

    It is the `event_id` of the body, else made of the Idempotency-Key, else random.
    """
    if body.event_id is not None:
        try:
            return check_event_id(body.event_id)
        except RequestError as error:
            raise HttpProblem(422, str(error)) from None
    if key is None:
        return uuid.uuid4().hex
    if not 0 < len(key) <= _LONGEST_KEY:
        raise HttpProblem(400, f"Idempotency-Key: 1 to {_LONGEST_KEY} characters are expected")
    named = "\n".join((org, kind, key)).encode("utf-8", "surrogatepass")
    return f"key-{hashlib.sha256(named).hexdigest()[:32]}"


def take(kind: str, org: str, body: RequestBody, event_id: str, *, measured: bool = True) -> Taken:
    """Return the events of the valid entries, in their order.

    Each has at most 1,000 entries and 1 MiB; the ids of those after the first have a number behind
    them. measured: whether entries may be too large for one event. Raise HttpProblem (422) if the
    body cannot be an event of the kind.
    """
    refused = list(body.refused)
    events: list[dict[str, Any]] = []
    accepted = 0
    for number, part in enumerate(_parts(body.entries, refused, measured), start=1):
        name = numbered(event_id, number)
        event, part = _event(kind, org, part, name, body.replan, refused)
        if event is None:
            continue
        kept, whys = entries_of(event)
        refused += [(part[each.index or 0][0], each.why) for each in whys]
        if kept:
            accepted += len(kept)
            entries = [part[index][1] for index, _ in kept]
            content = {"event_id": name, "org_id": org, "entries": entries}
            events.append({**content, "replan": body.replan})
    return Taken(events, accepted, sorted(refused))


def _event(
    kind: str,
    org: str,
    part: Entries,
    event_id: str,
    replan: bool,
    refused: list[tuple[int, str]],
) -> tuple[IntakeEvent | None, Entries]:
    """Return the event of the entries, None if there are none, and the entries that it has."""
    model = EVENTS[kind]
    content = {"event_id": event_id, "org_id": org, "replan": replan}
    try:
        entries = [entry for _, entry in part]
        return model.model_validate({**content, "entries": entries}), part
    except ValidationError as error:
        # each is JSON: what pydantic does not take is one that it cannot follow to its end
        deep = {int(each["loc"][1]) for each in error.errors(include_url=False) if each["loc"][1:]}
        if not deep:
            raise HttpProblem(422, first_problem_text(error)) from None
    refused += [(part[number][0], "it is nested too deeply") for number in deep]
    rest = [each for number, each in enumerate(part) if number not in deep]
    if not rest:
        return None, []
    return _event(kind, org, rest, event_id, replan, refused)


def _parts(entries: Entries, refused: list[tuple[int, str]], measured: bool) -> Iterator[Entries]:
    """Yield entries that fit into one event together; one that fits into none is refused."""
    if not measured and 0 < len(entries) <= MAX_ENTRIES:
        yield entries
        return

    def refuse(item: tuple[int, dict[str, Any]], why: str) -> None:
        refused.append((item[0], why))

    yield from packed(entries, lambda item: json.dumps(item[1], ensure_ascii=False), refuse)
