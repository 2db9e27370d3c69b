"""Apply entries about campaigns: types and instances created or changed, and logged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import apsw

from almanac.campaigns.change_request import ChangeRequest, Changes
from almanac.campaigns.define import define_instance, define_type
from almanac.campaigns.repository import Campaigns
from almanac.database.campaigns import complete_tables
from almanac.database.refused_rows import REFUSALS
from almanac.errors import RequestError
from almanac.intake.applied import Absorption, Applied, pairs_of
from almanac.intake.entries import CampaignEntry
from almanac.intake.events import MAX_ENTRIES, RefusedEntry
from almanac.intake.parts import refusal
from almanac.json_text import json_text
from almanac.validation_text import shown_value

_KEYS = ("id", "campaign_type", "instance_name")


def apply(
    connection: apsw.Connection,
    entries: Sequence[tuple[int, CampaignEntry]],
    absorption: Absorption,
) -> Applied:
    """Create and change types and instances in the order of the entries, and log each field.

    Inside the caller's transaction. A type that changes concerns all its instances.
    """
    complete_tables(connection)
    result = Applied()
    changed: list[tuple[int, int]] = []
    campaigns = Campaigns.read(connection)
    for number, entry in entries:
        try:
            with connection:  # an entry is several rows: all of them or none
                request = _request(number, absorption)
                campaigns, found, did = _define(connection, campaigns, entry, request)
        except RequestError as error:
            result.refused.append(RefusedEntry(number, str(error)))
            continue
        except REFUSALS as error:
            result.refused.append(RefusedEntry(number, refusal(connection, error)))
            continue
        result.changed += did
        changed += [(number, each) for each in found]
    result.instances = pairs_of(changed)
    return result


def _define(
    connection: apsw.Connection, campaigns: Campaigns, entry: CampaignEntry, request: ChangeRequest
) -> tuple[Campaigns, list[int], bool]:
    """Return the campaigns after an entry, the instances that it changes, and whether it did."""
    if entry.type is not None:
        name = _name("name", entry.type.get("name"))
        fields = _changes({k: v for k, v in entry.type.items() if k != "name"})
        campaigns, did = define_type(connection, campaigns, name, fields, request)
        return campaigns, [int(row["id"]) for row in campaigns.of_type(name)] if did else [], did
    given = entry.instance or {}
    fields = _changes({k: v for k, v in given.items() if k not in _KEYS})
    campaigns, instance, did = define_instance(
        connection, campaigns, _names(given), fields, request
    )
    return campaigns, [instance] if did else [], did


def _request(number: int, absorption: Absorption) -> ChangeRequest:
    """Return the request that an entry is: the log has it by the event's id and its index."""
    event = absorption.event_of(number)
    return ChangeRequest(
        event_id=f"{event.event_id}.{number % MAX_ENTRIES}",
        changed_by=absorption.applied_by,
        as_of=absorption.today,
        now=absorption.now,
    )


def _names(given: Mapping[str, object]) -> dict[str, object]:
    """Return what names an instance. Raises RequestError."""
    names: dict[str, object] = {key: _name(key, given[key]) for key in _KEYS[1:] if key in given}
    if "id" in given:
        number = given["id"]
        text = str(number).strip()
        if isinstance(number, bool) or not text.isdecimal() or len(text) > 18:
            raise RequestError(f"id: {shown_value(number)} is not the id of an instance")
        names["id"] = int(text)
    return names


def _name(key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        what = "is missing" if value is None else f"{shown_value(value)} is not a name"
        raise RequestError(f"{key}: {what}")
    return value


def _changes(fields: Mapping[str, object]) -> Changes:
    """Return fields as the commands take them, as texts; null clears one. Raises RequestError."""
    return {field: _text(field, value) for field, value in fields.items()}


def _text(field: str, value: object) -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case float() if math.isfinite(value) and value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case dict() if field == "metadata":
            return json_text(value)
        case list() if all(isinstance(each, str) for each in value):
            return ",".join(value)  # states, carriers
    raise RequestError(f"{field}: {shown_value(value)} is neither text nor a number nor null")
