"""Validation of the fields of campaign types and instances; errors name the field."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any

from almanac import civil
from almanac.campaigns.change_request import Changes
from almanac.campaigns.repository import Campaigns
from almanac.database.catalog import Record
from almanac.errors import RequestError
from almanac.messaging.messages import CHANGE_FIELDS, CampaignChange, parse
from almanac.messaging.planned_change import PlannedChange
from almanac.planning.instance_fields import TYPE_DEFAULTS, overrides_of, type_fields
from almanac.rules.states import USPS_STATES

_NAME_LENGTH = 200
_TYPE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no")
_DATE_RANGES = (("active_start_date", "active_end_date"), ("spread_start_date", "spread_end_date"))


def campaign_change(org_id: str, change: PlannedChange) -> CampaignChange:
    """Return the message for a change; raise RequestError as its receiver would."""
    _check_known(change.changes, CHANGE_FIELDS)
    given = change.model_dump() | {"org_id": org_id}
    try:
        return parse(CampaignChange, json.dumps(given).encode())
    except RequestError as error:
        text = str(error)
        for words in ("CampaignChange.changes: ", "CampaignChange."):
            text = text.removeprefix(words)
        raise RequestError(text) from None


def check_instance(row: Record, changed: Mapping[str, object]) -> None:
    """Raise RequestError if the changed fields make the resulting row of the instance invalid."""
    for first, last in _DATE_RANGES:
        if first in changed or last in changed:
            _check_order(row, first, last)
    spread = [row.get(name) or None for name in _DATE_RANGES[1]]
    if not changed.keys().isdisjoint(_DATE_RANGES[1]) and spread.count(None) == 1:
        missing = _DATE_RANGES[1][spread.index(None)]
        raise RequestError(f"{missing}: is missing; expected both spread dates or none")
    if changed.get("target_states"):
        _check_states(str(row["target_states"]))
    try:
        overrides_of(changed.get("metadata"))
    except ValueError as error:
        raise RequestError(f"metadata: {error}") from None


def _check_order(row: Record, first: str, last: str) -> None:
    start, end = (civil.parse_date(str(row.get(name) or "")) for name in (first, last))
    if start is not None and end is not None and end < start:
        raise RequestError(f"{last}: {end} is before {first}, {start}")


def _check_states(text: str) -> None:
    items = [item.strip().upper() for item in text.split(",") if item.strip()]
    unknown = [item for item in items if item not in (*USPS_STATES, "ALL")]
    if unknown:
        raise RequestError(
            f"target_states: {unknown[0]!r} is no USPS state code; expected such as TX,FL, or ALL"
        )


def type_changes(changes: Changes) -> dict[str, int]:
    """Return the changed columns of campaign_types as stored; a cleared one gets its default."""
    _check_known(changes, TYPE_DEFAULTS)
    return {field: _type_value(field, text) for field, text in changes.items()}


def _type_value(field: str, text: str | None) -> int:
    default = TYPE_DEFAULTS[field]
    if text is None:
        return int(default)
    word = text.strip().lower()
    if isinstance(default, bool):
        if word not in (*_TRUE, *_FALSE):
            raise RequestError(f"{field}: {text!r} is neither true nor false")
        return int(word in _TRUE)
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", word):
        raise RequestError(f"{field}: {text!r} is not a whole number")
    try:
        return int(type_fields({field: int(word)})[field])
    except ValueError as error:
        raise RequestError(str(error)) from None


def check_new_type(found: Campaigns, name: str) -> None:
    """Raise RequestError for an invalid name of a type, or an existing one."""
    if not _TYPE_NAME.fullmatch(name):
        raise RequestError(
            f"campaign type {name!r}: expected letters, digits, _ and -, 63 at most; it becomes "
            "part of an email type"
        )
    for row in found.types:
        # email types are compared in lower case
        if str(row["name"]).lower() == name.lower():
            raise RequestError(f"campaign type {name!r}: there is one already: {row['name']}")


def check_new_instance(found: Campaigns, type_name: str, name: str) -> None:
    """Raise RequestError for an unknown type, or an invalid or existing name of an instance."""
    found.type(type_name)
    if not name.strip() or len(name) > _NAME_LENGTH or not name.isprintable():
        raise RequestError(
            f"campaign {name!r}: expected a name of 1 to {_NAME_LENGTH} printable characters"
        )
    if name.strip().isdecimal():
        raise RequestError(f"campaign {name!r}: a number would be taken for an id; use a name")
    for row in found.of_type(type_name):
        if row.get("instance_name") == name:
            raise RequestError(
                f"campaign {name!r}: type {type_name} has one of this name already: {row['id']}"
            )


def _check_known(changes: Mapping[str, object], known: Any) -> None:
    for field in changes:
        if field not in known:
            near = difflib.get_close_matches(field, list(known), n=1)
            hint = (
                f"did you mean {near[0]}?"
                if near
                else f"expected one of {', '.join(sorted(known))}"
            )
            raise RequestError(f"{field!r} is not a field that can be set; {hint}")
