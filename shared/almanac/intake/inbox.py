"""The inbox of an organization: events that are durable, and wait for the run that applies them.

An object of the inbox is a batch, so that many small events cost one object. It is written once and
deleted when the version that has its events is current. Who wants the current version and what
waits beside it reads the inbox first and current.json after it: what was applied and deleted in
between is then in the version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime, ValidationError

from almanac.errors import Corrupt, NotFound, OutcomeUnknown, PreconditionFailed, RequestError
from almanac.intake.events import EVENTS, IntakeEvent, check_size
from almanac.storage import layout
from almanac.storage.documents import Document
from almanac.storage.store import ObjectInfo, ObjectStore, read_or_none, write_once
from almanac.tracing import traced
from almanac.validation_text import first_problem_text

T = TypeVar("T")
R = TypeVar("R")
Source = Literal["http", "pubsub", "webhook", "command"]
THREADS = 8  # read or delete objects at the same time


class Received(Document):
    """An event, and when and how it came; received: its publish time."""

    kind: str
    event: dict[str, Any]
    received: AwareDatetime
    source: Source
    digest: str = ""  # of kind and event, as `put` writes it

    @property
    def event_id(self) -> str:
        return str(self.event.get("event_id", ""))

    @property
    def content_digest(self) -> str:
        """The digest under which intake_log has it."""
        return self.digest or self.computed_digest()

    def computed_digest(self) -> str:
        """Return what distinguishes its content from that of other events."""
        content = json.dumps([self.kind, self.event], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    def parsed(self) -> IntakeEvent:
        """Return the event; raise RequestError if it is none that this release takes."""
        model = EVENTS.get(self.kind)
        if model is None:
            raise RequestError(f"{self.kind[:80]!r} is not one of {', '.join(EVENTS)}")
        try:
            return model.model_validate(self.event)
        except ValidationError as error:
            raise RequestError(f"{model.__name__}.{first_problem_text(error)}") from None


class InboxBatch(Document):
    """An object of the inbox."""

    events: list[Received]


@traced("put")
def put(store: ObjectStore, org: str, received: Sequence[Received]) -> str:
    """Write events as one object, and return its name; they are durable then.

    The same events again are success. Raise RequestError for one that is too large, that is of
    another organization, or whose id is that of another event of the same time.
    """
    texts = []
    for each in received:
        if each.event.get("org_id") != org:
            raise RequestError(f"org_id: {each.event.get('org_id')!r} is not {org}")
        # half a character, which JSON can name and nothing else can hold, becomes a question mark
        text = json.dumps(each.event, ensure_ascii=False).encode("utf-8", "replace")
        check_size(each.event_id, len(text))
        known = each.model_copy(update={"digest": each.computed_digest()})
        rest = known.model_dump_json(exclude={"event"}).encode()
        texts.append(b'%s,"event":%s}' % (rest[:-1], text))
    first = min(received, key=lambda each: each.received)
    name = layout.inbox_object(org, first.received, first.event_id)
    try:
        write_once(store, name, b'{"events":[%s]}\n' % b",\n".join(texts))
    except PreconditionFailed:
        raise RequestError(f"event_id: {first.event_id!r} is that of another event") from None
    return name


def waiting(store: ObjectStore, org: str) -> list[ObjectInfo]:
    """Return the objects of an inbox, by the time of their first event."""
    return list(store.list(layout.inbox(org)))


@dataclass(frozen=True)
class Batches:
    """Objects of an inbox in order, without those that are gone: they were applied."""

    events: dict[str, list[Received]]  # by object
    unreadable: dict[str, str]  # why, by object that is no batch

    def in_order(self) -> list[Received]:
        """Return all events, as `in_order`."""
        return in_order(event for events in self.events.values() for event in events)


def read_batches(store: ObjectStore, objects: Sequence[ObjectInfo]) -> Batches:
    """Return the events of objects. Raises what the store raises."""
    found = _in_threads(lambda each: _read(store, each.name), objects)
    batches = Batches({}, {})
    for each, batch in zip(objects, found, strict=True):
        if isinstance(batch, InboxBatch):
            batches.events[each.name] = batch.events
        elif batch is not None:
            batches.unreadable[each.name] = batch
    return batches


def read(store: ObjectStore, objects: Sequence[ObjectInfo]) -> list[Received]:
    """Return the events of objects by publish time, each once; raise Corrupt for no batch.

    Other content under the id of an event before it is kept, and refused when it is applied.
    """
    batches = read_batches(store, objects)
    for name, why in batches.unreadable.items():
        raise Corrupt(
            f"{name}: it may hold claims, but is no batch of events that can be read: {why}"
        )
    return batches.in_order()


def in_order(events: Iterable[Received]) -> list[Received]:
    """Return events by publish time; the same event again is left out."""
    kept: list[Received] = []
    seen: dict[str, list[Received]] = {}
    for event in sorted(events, key=attrgetter("received")):
        same_id = seen.setdefault(event.event_id, [])
        if same_id and any(each.content_digest == event.content_digest for each in same_id):
            continue
        same_id.append(event)
        kept.append(event)
    return kept


def delete(store: ObjectStore, names: Sequence[str]) -> None:
    """Delete objects whose events are applied; those that are gone are as they should be."""

    def delete_one(name: str) -> None:
        with suppress(NotFound, OutcomeUnknown):  # the next run deletes what is left
            store.delete(name, if_generation=None)

    _in_threads(delete_one, names)


def _in_threads(call: Callable[[T], R], each_of: Sequence[T]) -> list[R]:
    if len(each_of) <= 1 or THREADS == 1:
        return [call(each) for each in each_of]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, each_of))


def _read(store: ObjectStore, name: str) -> InboxBatch | str | None:
    """Return the batch; None if it is gone, in words why it is none."""
    found = read_or_none(store, name)
    if found is None:
        return None
    try:
        return InboxBatch.model_validate_json(found.data)
    except ValidationError as error:
        return first_problem_text(error)
