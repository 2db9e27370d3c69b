"""The sections `delivery`, in whose time zone messages go out, and the hours of text messages
(semantics: Hours), and `deliverability`, the rates of which results warn."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator

from almanac.config_problems import Takes
from almanac.config_rules import State
from almanac.config_values import TIME_OF_DAY, Section, valid_time_of_day

TimeOfDay = Annotated[str, AfterValidator(valid_time_of_day), Takes(TIME_OF_DAY)]

# Federal quiet hours leave 08:00 to 21:00 (47 CFR 64.1200(c)(1)); Florida, Maryland and Oklahoma
# end at 20:00, Texas begins at 09:00: 09:00 to 20:00 suits all but Kentucky.
STATE_HOURS: dict[str, dict[str, Any]] = {"KY": {"from": "10:00"}}


def _after_begin(end: str | None, info: ValidationInfo) -> str | None:
    begin = info.data.get("begin")
    if begin is not None and end is not None and end <= begin:
        raise ValueError(f'is not after from ("{begin}")')
    return end


class StateHours(Section):
    """What differs in a state; None: as everywhere."""

    model_config = ConfigDict(serialize_by_alias=True)

    begin: Annotated[TimeOfDay | None, Field(alias="from")] = None
    end: Annotated[TimeOfDay | None, Field(alias="to")] = None

    _in_order = field_validator("end")(_after_begin)


class SmsHours(Section):
    """The hours in which text messages go out: from `begin` until before `end`."""

    model_config = ConfigDict(serialize_by_alias=True)

    begin: Annotated[TimeOfDay, Field(alias="from")] = "09:00"
    end: Annotated[TimeOfDay, Field(alias="to", validate_default=True)] = "20:00"
    states: dict[State, StateHours | None] = Field(
        default_factory=lambda: dict(STATE_HOURS), validate_default=True
    )

    _in_order = field_validator("end")(_after_begin)

    @field_validator("states", mode="before")
    @classmethod
    def _over_default_states(cls, given: object) -> object:
        """Complete what is given for a state by its defaults; null removes them."""
        if not isinstance(given, dict):
            return given
        completed = {
            state: {**STATE_HOURS.get(state, {}), **hours} if isinstance(hours, dict) else hours
            for state, hours in given.items()
        }
        return STATE_HOURS | completed

    @field_validator("states")
    @classmethod
    def _none_without_hours(
        cls, states: dict[str, StateHours | None], info: ValidationInfo
    ) -> dict[str, StateHours | None]:
        general = (info.data.get("begin"), info.data.get("end"))
        for state, hours in states.items():
            begin, end = _completed(hours, *general)
            if begin is not None and end is not None and end <= begin:
                raise ValueError(f'leaves {state} no hours: from "{begin}" to "{end}"')
        return states

    def of_state(self, state: str | None) -> tuple[str, str]:
        """Return begin and end in a state, or in one without hours of its own."""
        begin, end = _completed(self.states.get(state or ""), self.begin, self.end)
        assert begin is not None
        assert end is not None
        return begin, end


def _completed(
    hours: StateHours | None, begin: str | None, end: str | None
) -> tuple[str | None, str | None]:
    if hours is None:
        return begin, end
    return hours.begin or begin, hours.end or end


class DeliverySettings(Section):
    """When a sender sends the messages of a day."""

    zone: Literal["agency", "contact"] = "agency"
    sms_hours: SmsHours = Field(default_factory=lambda: SmsHours.model_validate({}))


class Deliverability(Section):
    """Shares of the messages sent above which results warn."""

    bounce_rate: Annotated[float, Field(gt=0, le=1)] = 0.02
    complaint_rate: Annotated[float, Field(gt=0, le=1)] = 0.001
