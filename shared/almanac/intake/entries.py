"""What one entry of each kind of event takes, one model a kind.

Ids may be texts and numbers may be given for texts, as spreadsheets and CRMs write them; empty text
is none. Times without an offset are in the organization's time zone, which is not known here.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from almanac.errors import RequestError
from almanac.names import FIRST_YEAR, LAST_YEAR, MAX_ID, MIN_ID, time_of
from almanac.schedule_status import MARKS
from almanac.validation_text import shown_value

_NUMBER = re.compile(r"-?[0-9]{1,18}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T]|\Z)")


def _id(value: object) -> object:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text):
            return int(text)
        if not text:
            return None
    elif isinstance(value, float) and value.is_integer():
        return int(value)
    raise ValueError(f"{shown_value(value)} is not an id, a whole number")


def _required_id(value: object) -> object:
    if type(value) is int:  # nearly always, of 100,000 marks
        return value
    found = _id(value)
    if found is None:
        raise ValueError(f"{shown_value(value)} is not an id, a whole number")
    return found


def _day(value: object) -> object:
    if value is None or isinstance(value, dt.date):
        return value
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        try:
            day = dt.date.fromisoformat(text[:10]) if _DATE.match(text) else None
        except ValueError:
            day = None
        if day is not None and FIRST_YEAR <= day.year <= LAST_YEAR:
            return day
    raise ValueError(
        f"{shown_value(value)} is not a date YYYY-MM-DD from {FIRST_YEAR} to {LAST_YEAR}"
    )


def _moment(value: object) -> object:
    if value is None or isinstance(value, dt.datetime):
        return value
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        text = str(value).strip()
        try:
            return time_of(text) if text else None
        except RequestError as error:
            raise ValueError(str(error).removeprefix("at: ")) from None
    raise ValueError(f"{shown_value(value)} is not a time")


def _word(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("text with a NUL character")
    return text


def _types(value: object) -> object:
    """Return types of message as text, of a list too."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    return value


def _cell(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    if value is None or isinstance(value, bool | int | float):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{shown_value(value)} is neither text nor a number, true, false or null")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{shown_value(value)} is not text") from None
    return _no_nul(value)


Id = Annotated[int, Field(ge=MIN_ID, le=MAX_ID), BeforeValidator(_required_id)]
# null needs no validation: the outer None; empty text is none, too: the inner one
OptionalId = (
    Annotated[Annotated[int, Field(ge=MIN_ID, le=MAX_ID)] | None, BeforeValidator(_id)] | None
)
Day = Annotated[dt.date | None, BeforeValidator(_day)] | None
# without an offset: in the organization's zone
Moment = Annotated[dt.datetime | None, BeforeValidator(_moment)] | None
Word = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_no_nul),
]
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=10_000), AfterValidator(_no_nul)
]
Cell = Annotated[str | int | float | bool | None, BeforeValidator(_cell)]  # of a table
JsonObject = dict[str, JsonValue]


class IntakeEntry(BaseModel):
    """One entry of an event."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False
    )


class DeliveryEntry(IntakeEntry):
    """A mark: what became of a message, and if it is a line of `due`, the message's identity."""

    model_config = ConfigDict(extra="ignore")

    id: Id
    status: Annotated[Literal[MARKS], BeforeValidator(_word)]  # type: ignore[valid-type]
    at: Moment = None
    message_id: Text | None = None
    detail: Text | None = None
    reason: Text | None = None  # another name for detail
    contact_id: OptionalId = None
    scheduled_send_date: Day = None
    email: Text | None = None  # the address that the message went to
    sendgrid_message_id: Text | None = None
    twilio_sms_id: Text | None = None
    # the identity: what puts a row back that a run has removed
    email_type: Text | None = None
    campaign_instance_id: OptionalId = None
    event_date: Day = None
    ideal_send_date: Day = None
    scheduled_send_time: Text | None = None
    email_template: Text | None = None
    sms_template: Text | None = None
    priority: OptionalId = None
    metadata: JsonObject | Text | None = None


class ActivityEntry(IntakeEntry):
    """Something that a contact did, such as `click` or `eligibility_answered`."""

    type: Word
    contact_id: OptionalId = None
    email: Text | None = None
    message: OptionalId = None  # the row of email_schedules that it is about
    at: Moment = None
    url: Text | None = None
    metadata: JsonObject | None = None

    @model_validator(mode="after")
    def _of_a_contact(self) -> Self:
        if self.contact_id is None and not self.email and self.message is None:
            raise ValueError("contact_id, email or message is missing")
        return self


class SuppressionEntry(IntakeEntry):
    """A suppression to add or to end."""

    action: Annotated[Literal["add", "end"], BeforeValidator(_word)] = "add"
    email: Text | None = None
    contact_id: OptionalId = None
    phone: Text | None = None
    reason: Text | None = None
    source: Text | None = None
    since: Day = None
    until: Day = None
    channel: Text | None = None  # sms: text messages only
    # messages of these types only: a list, or texts with commas between
    email_types: Annotated[Text | None, BeforeValidator(_types)] = None

    @model_validator(mode="after")
    def _names_someone(self) -> Self:
        if self.contact_id is None and not self.email and not self.phone:
            raise ValueError("email, contact_id or phone is missing")
        return self


class ContactEntry(IntakeEntry):
    """A contact to insert, change or deactivate; all further keys are columns of `contacts`."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=False)
    __pydantic_extra__: dict[str, Cell] = Field(init=False)

    action: Annotated[Literal["upsert", "deactivate"], BeforeValidator(_word)] = "upsert"
    id: OptionalId = None
    email: Text | None = None

    @model_validator(mode="after")
    def _names_someone(self) -> Self:
        if self.id is None and not self.email:
            raise ValueError("id or email is missing")
        return self

    @property
    def columns(self) -> dict[str, Cell]:
        """Return the further keys with their values."""
        return self.__pydantic_extra__


class TargetEntry(IntakeEntry):
    """A contact that a campaign is to reach, or not any more."""

    action: Annotated[Literal["add", "remove"], BeforeValidator(_word)] = "add"
    campaign_instance_id: Id
    contact_id: OptionalId = None
    email: Text | None = None
    trigger_date: Day = None
    metadata: JsonObject | None = None

    @model_validator(mode="after")
    def _names_someone(self) -> Self:
        if self.contact_id is None and not self.email:
            raise ValueError("contact_id or email is missing")
        return self


class CampaignEntry(IntakeEntry):
    """A campaign type, or an instance of one, with the fields to set."""

    type: JsonObject | None = None
    instance: JsonObject | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.type is None) == (self.instance is None):
            raise ValueError("expected either type or instance, an object of fields")
        return self
