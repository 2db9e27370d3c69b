"""The messages: RunRequest, CampaignChange and ShardTask are requests, ShardDone is an event.

Each is one JSON object; unknown keys, wrong types and impossible values are refused with a
RequestError that names the key.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from almanac.errors import RequestError
from almanac.names import FIRST_YEAR, LAST_YEAR, check_event_id, check_org_id, check_run_id
from almanac.validation_text import first_problem, shown_value

_INT64 = 2**63 - 1

# What a campaign change may set: the columns of campaign_instances that planning reads.
TEXT_FIELDS = frozenset({"email_template", "sms_template", "target_states", "target_carriers"})
DATE_FIELDS = frozenset(
    {"active_start_date", "active_end_date", "spread_start_date", "spread_end_date"}
)
CHANGE_FIELDS = TEXT_FIELDS | DATE_FIELDS | {"metadata"}


def _valid(check: Callable[[str], str]) -> AfterValidator:
    def validate(text: str) -> str:
        try:
            return check(text)
        except RequestError as error:
            # pydantic names the key already
            raise ValueError(str(error).partition(": ")[2]) from None

    return AfterValidator(validate)


def _date_text(value: object) -> object:
    if isinstance(value, str):
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
                return dt.date.fromisoformat(value)
        except ValueError:
            pass
        raise ValueError(f"{shown_value(value)} is not a date YYYY-MM-DD")
    return value


def _within_years(date: dt.date) -> dt.date:
    if not FIRST_YEAR <= date.year <= LAST_YEAR:
        raise ValueError(f"{date}: expected a year from {FIRST_YEAR} to {LAST_YEAR}")
    return date


OrgId = Annotated[str, _valid(check_org_id)]
RunId = Annotated[str, _valid(check_run_id)]
EventId = Annotated[str, _valid(check_event_id)]
Date = Annotated[dt.date, BeforeValidator(_date_text), AfterValidator(_within_years)]
Time = Annotated[AwareDatetime, AfterValidator(_within_years)]
RowId = Annotated[int, Field(ge=-_INT64 - 1, le=_INT64)]


class Message(BaseModel):
    """One JSON object in the data of a Pub/Sub message."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RunRequest(Message):
    """Plan an organization, or all of them where org_id is null.

    replan: plan the contacts that an event in the inbox affects, and apply all that waits there.
    check: plan nothing, and log each organization whose last run is too old.
    deadline: plan nothing, and log of each organization whether it is planned for the day.
    """

    org_id: OrgId | None = None
    as_of: Date | None = None
    requested_at: Time | None = None
    reason: Literal["daily", "manual", "replan", "check", "deadline"] = "daily"
    event_id: EventId | None = None
    force: bool = False

    @model_validator(mode="after")
    def _of_an_event(self) -> RunRequest:
        if (self.reason == "replan") != (self.event_id is not None):
            raise ValueError("event_id: a request to replan has one, and no other request")
        if self.reason == "replan" and self.org_id is None:
            raise ValueError("org_id: a request to replan is about one organization")
        return self


class ShardTask(Message):
    """Plan the contacts whose ids lie in [first_id, last_id]."""

    org_id: OrgId
    run_id: RunId
    shard: int = Field(ge=0, le=99_999)
    first_id: RowId
    last_id: RowId

    @model_validator(mode="after")
    def _in_order(self) -> ShardTask:
        if self.first_id > self.last_id:
            raise ValueError(f"first_id: {self.first_id} is after last_id: {self.last_id}")
        return self


class ShardDone(Message):
    """The fragment of the shard exists."""

    org_id: OrgId
    run_id: RunId
    shard: int = Field(ge=0, le=99_999)


class CampaignChange(Message):
    """Change a campaign instance and replan the contacts it affects.

    changes: columns of campaign_instances and their new text or null. metadata may be a JSON object
    and becomes its text. Empty if the changes are in the database already.
    """

    event_id: EventId
    org_id: OrgId
    campaign_instance_id: int = Field(ge=0, le=_INT64)
    changes: Mapping[str, str | None] = Field(default_factory=dict)
    changed_by: str | None = None

    @field_validator("changes", mode="before")
    @classmethod
    def _fields(cls, changes: object) -> object:
        if not isinstance(changes, Mapping):
            raise ValueError(
                f"{shown_value(changes)} is not an object of fields and their new values"
            )
        return {key: _new_value(key, value) for key, value in changes.items()}

    @field_validator("changed_by")
    @classmethod
    def _no_nul(cls, text: str | None) -> str | None:
        return _text("", text) if text is not None else None


def _new_value(field: object, value: object) -> str | None:
    """Return the column's new text; raise ValueError, which begins with the field's name."""
    if field not in CHANGE_FIELDS:
        known = ", ".join(sorted(CHANGE_FIELDS))
        raise ValueError(f"{shown_value(field)} is not a field that can be changed ({known})")
    if value is None:
        return None
    if field == "metadata":
        return _metadata(value)
    text = _text(f"{field}: ", value)
    if field in DATE_FIELDS:
        try:
            _date_text(text)
        except ValueError as error:
            raise ValueError(f"{field}: {error}") from None
    return text


def _metadata(value: object) -> str:
    if isinstance(value, Mapping):
        try:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)
        except ValueError:
            raise ValueError("metadata: a number that JSON does not have") from None
    text = _text("metadata: ", value)
    if text.strip():
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            raise ValueError(f"metadata: {shown_value(text)} is not a JSON object")
    return text


def _text(where: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where}{shown_value(value)} is neither text nor null")
    if "\0" in value:
        raise ValueError(f"{where}text with a NUL character")
    return value


M = TypeVar("M", bound=Message)


def parse(model: type[M], data: bytes) -> M:
    """Parse the message in data; no data is the empty object.

    Raises RequestError in one line: message, key, what was found or expected.
    """
    try:
        return model.model_validate_json(data or b"{}")
    except ValidationError as error:
        raise RequestError(f"{model.__name__}{_reason(error)}") from None


def _reason(error: ValidationError) -> str:
    key, text = first_problem(error)
    where = f".{key}" if key else ""
    where = where if len(where) <= 80 else f"{where[:80]}..."
    return " ".join(f"{where}: {text}".split())


def to_json(message: Message) -> bytes:
    """Return the message as sent; the same message gives the same bytes."""
    return message.model_dump_json().encode()
