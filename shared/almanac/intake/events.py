"""The events that come in between runs: what each kind takes, and what one entry of it is.

An event is a message; its entries are validated apart from it, so that a malformed entry costs that
entry and not the event. docs/intake.md has the fields as tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from almanac.errors import RequestError
from almanac.intake.entries import (
    ActivityEntry,
    CampaignEntry,
    ContactEntry,
    DeliveryEntry,
    IntakeEntry,
    SuppressionEntry,
    TargetEntry,
)
from almanac.messaging.messages import EventId, Message, OrgId, parse
from almanac.validation_text import problems_by_item

MAX_ENTRIES = 1_000
MAX_BYTES = 1 << 20  # of an event as JSON


class IntakeEvent(Message):
    """Something that happened outside, with its entries as they came.

    replan: plan the contacts that it affects at once, and not with the next run.
    """

    event_id: EventId
    org_id: OrgId
    entries: Annotated[list[Any], Field(min_length=1, max_length=MAX_ENTRIES)]  # JSON values
    replan: bool = False


class Deliveries(IntakeEvent):
    """What a sender reports of messages: marks."""

    replan: Literal[False] = False


class Activity(IntakeEvent):
    """What contacts did: clicks, answers and other events."""

    replan: Literal[False] = False


class Suppressions(IntakeEvent):
    """To whom nothing is to be sent, and where that ends."""


class ContactChanges(IntakeEvent):
    """Contacts that are new or changed."""


class CampaignTargets(IntakeEvent):
    """Contacts that campaigns are to reach, or not any more."""


class CampaignDefine(IntakeEvent):
    """Campaign types and instances that are new or changed."""


EVENTS: Mapping[str, type[IntakeEvent]] = {
    "deliveries": Deliveries,
    "activity": Activity,
    "suppressions": Suppressions,
    "contacts": ContactChanges,
    "targets": CampaignTargets,
    "campaigns": CampaignDefine,
}
ENTRIES: Mapping[str, type[IntakeEntry]] = {
    "deliveries": DeliveryEntry,
    "activity": ActivityEntry,
    "suppressions": SuppressionEntry,
    "contacts": ContactEntry,
    "targets": TargetEntry,
    "campaigns": CampaignEntry,
}
_KINDS = {event: kind for kind, event in EVENTS.items()}


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """An entry that is refused; index: None for the whole event."""

    index: int | None
    why: str


def kind_of(event: IntakeEvent) -> str:
    """Return the word for the kind of an event."""
    return _KINDS[type(event)]


def parse_event(kind: str, data: bytes) -> IntakeEvent:
    """Parse an event of a kind, a JSON object; its entries are not looked at.

    Raise RequestError in one line: unknown kind, size, or key and what was found.
    """
    model = EVENTS.get(kind)
    if model is None:
        raise RequestError(f"{kind[:80]!r} is not one of {', '.join(EVENTS)}")
    check_size(model.__name__, len(data))
    return parse(model, data)


def check_size(name: str, size: int) -> None:
    """Raise RequestError for an event of too many bytes."""
    if size > MAX_BYTES:
        raise RequestError(f"{name}: {size:,} bytes of JSON; an event has {MAX_BYTES:,} at most")


def entries_of(
    event: IntakeEvent,
) -> tuple[list[tuple[int, IntakeEntry]], list[RefusedEntry]]:
    """Return the valid entries of an event, and the others with the reason; both by their index."""
    return valid_entries(kind_of(event), event.entries)


def valid_entries(
    kind: str, values: Sequence[object]
) -> tuple[list[tuple[int, Any]], list[RefusedEntry]]:
    """Return those of the values that are entries of a kind; as `entries_of`."""
    adapter = _adapter(kind)
    try:
        return list(enumerate(adapter.validate_python(values))), []
    except ValidationError as error:
        refused = problems_by_item(error)
    kept = [index for index in range(len(values)) if index not in refused]
    found = adapter.validate_python([values[index] for index in kept])
    whys = [RefusedEntry(index, why) for index, why in sorted(refused.items())]
    return list(zip(kept, found, strict=True)), whys


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(list[ENTRIES[kind]])  # type: ignore[valid-type]  # chosen by kind
