"""The configuration of an organization: keys, defaults and bounds (semantics: Configuration)."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
)

from almanac.config_problems import Takes, lines, near, problems_of
from almanac.config_values import (
    COLUMN,
    MONTH_DAY,
    STATUS,
    TIME_OF_DAY,
    ZONE,
    valid_column,
    valid_month_day,
    valid_status,
    valid_template,
    valid_time_of_day,
    valid_zone,
)
from almanac.errors import ConfigError
from almanac.rules.states import STATE_RULES, USPS_STATES
from almanac.yaml_text import read_mapping

BUILT_IN_TYPES = ("birthday", "effective_date", "aep", "post_window")
FOLLOWUP_TYPES = (
    "followup_1_cold",
    "followup_2_clicked_no_hq",
    "followup_3_hq_no_yes",
    "followup_4_hq_with_yes",
)
# columns of contacts that are read; contacts.columns can map all of them but id
CONTACT_COLUMNS = (
    *("id", "email", "zip_code", "state", "birth_date", "effective_date", "carrier"),
    *("failed_underwriting", "phone_number", "status", "created_at"),
)
TEMPLATE_KEYS = BUILT_IN_TYPES + FOLLOWUP_TYPES


def _state(code: str) -> str:
    if code not in USPS_STATES:
        hint = f"; did you mean {code.upper()}?" if code.upper() in USPS_STATES else ""
        raise ValueError(f"is not a state; it takes the USPS code, such as CA{hint}")
    return code


def _email_type(key: str) -> str:
    if key not in TEMPLATE_KEYS:
        hint = near(key, TEMPLATE_KEYS) or ";"
        raise ValueError(f"is not an email type{hint} allowed: {', '.join(TEMPLATE_KEYS)}")
    return key


def _contact_column(name: str) -> str:
    if name == "id":
        raise ValueError("cannot be mapped: contacts are known by their column id")
    if name not in CONTACT_COLUMNS:
        hint = near(name, CONTACT_COLUMNS[1:]) or ";"
        known = ", ".join(CONTACT_COLUMNS[1:])
        raise ValueError(f"is not a column that Almanac reads{hint} allowed: {known}")
    return name


class Section(BaseModel):
    """A mapping in the YAML; unknown keys are invalid."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Days = Annotated[int, Field(ge=0, le=366)]
Priority = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
Percentage = Annotated[float, Field(gt=0, le=1)]
Year = Annotated[int, Field(ge=1, le=9999)]
Age = Annotated[int, Field(ge=0, le=150)]
OddDays = Annotated[int, Field(ge=1, le=61), Takes("an odd whole number between 1 and 61")]
State = Annotated[str, AfterValidator(_state)]
EmailType = Annotated[str, AfterValidator(_email_type)]
ContactColumn = Annotated[str, AfterValidator(_contact_column)]
Column = Annotated[str, AfterValidator(valid_column), Takes(COLUMN)]
Status = Annotated[str, AfterValidator(valid_status), Takes(STATUS)]
Template = Annotated[str, AfterValidator(valid_template), Takes("the name of a template")]


class Timing(Section):
    birthday_days_before: Days = 14
    effective_date_days_before: Days = 30
    pre_window_days: Days = 60
    post_window_valid_days: Days = 30
    followup_delay_days: Days = 2
    followup_lookback_days: Days = 35
    campaign_valid_days: Days = 30

    @field_validator("followup_lookback_days")
    @classmethod
    def _after_delay(cls, value: int, info: ValidationInfo) -> int:
        delay = info.data.get("followup_delay_days", 0)
        if value < delay:
            raise ValueError(f"is less than followup_delay_days ({delay}): none could go out")
        return value


class Aep(Section):
    enabled: bool = True
    date: Annotated[str, AfterValidator(valid_month_day), Takes(MONTH_DAY)] = "09-15"
    years: list[Year] | None = None
    valid_days: Days = 30


class Frequency(Section):
    max_emails: Annotated[int, Field(ge=1, le=1000)] = 3
    period_days: Annotated[int, Field(ge=1, le=366)] = 30


class LoadBalancing(Section):
    daily_send_percentage_cap: Percentage = 0.07
    ed_daily_soft_limit: Annotated[int, Field(ge=1, le=1_000_000_000)] = 15
    ed_smoothing_window_days: OddDays = 5
    catch_up_spread_days: Annotated[int, Field(ge=1, le=366)] = 7
    overage_threshold: Annotated[float, Field(ge=1, le=100)] = 1.2

    @field_validator("ed_smoothing_window_days")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("is not an odd number of days")
        return value


class Organization(Section):
    enable_post_window_emails: bool = True
    effective_date_first_email_months: Annotated[int, Field(ge=0, le=1200)] = 11
    exclude_failed_underwriting_global: bool = False
    send_without_zipcode_for_universal: bool = True
    send_without_window_date: bool = True


class ContactColumns(Section):
    """How `contacts` is read: statuses and columns, which may have other names."""

    active_statuses: list[Status] = ["active"]
    columns: dict[ContactColumn, Column] = {}
    opt_out_columns: list[Column] = ["do_not_communicate", "do_not_contact"]
    sms_consent_columns: list[Column] = ["sms_consent", "sms_opt_in"]


class Priorities(Section):
    birthday: Priority = 10
    effective_date: Priority = 20
    aep: Priority = 30
    post_window: Priority = 40
    followup: Priority = 50


class StateRule(Section):
    """When contacts of a state must not get messages."""

    kind: Literal["birthday_window", "effective_date_window", "year_round"]
    before: Days = 0
    after: Days = 0
    use_month_start: bool = False
    year_round_from_age: Age | None = None


def _default_templates() -> dict[str, str]:
    return {key: f"{key}_template" for key in TEMPLATE_KEYS}


def _default_sms() -> dict[str, str | None]:
    """Text messages are sent as follow-ups only, unless a template says otherwise."""
    return {key: f"{key}_sms" if key in FOLLOWUP_TYPES else None for key in TEMPLATE_KEYS}


def _default_rules() -> dict[str, StateRule]:
    return {state: StateRule.model_validate(rule) for state, rule in STATE_RULES.items()}


class Config(Section):
    """All settings of one organization."""

    timezone: Annotated[str, AfterValidator(valid_zone), Takes(ZONE)] = "America/Chicago"
    send_time: Annotated[str, AfterValidator(valid_time_of_day), Takes(TIME_OF_DAY)] = "08:30"
    horizon_days: Annotated[int, Field(ge=1, le=3660)] = 365
    timing: Timing = Timing()
    aep: Aep = Aep()
    frequency: Frequency = Frequency()
    load_balancing: LoadBalancing = LoadBalancing()
    contacts: ContactColumns = ContactColumns()
    organization: Organization = Organization()
    priorities: Priorities = Priorities()
    templates: dict[EmailType, Template] = Field(default_factory=_default_templates)
    sms: dict[EmailType, Template | None] = Field(default_factory=_default_sms)
    state_rules: dict[State, StateRule] = Field(default_factory=_default_rules)

    @field_validator("templates", mode="before")
    @classmethod
    def _over_default_templates(cls, given: object) -> object:
        return _default_templates() | given if isinstance(given, dict) else given

    @field_validator("sms", mode="before")
    @classmethod
    def _over_default_sms(cls, given: object) -> object:
        return _default_sms() | given if isinstance(given, dict) else given

    @field_validator("state_rules", mode="before")
    @classmethod
    def _over_default_rules(cls, given: object) -> object:
        """Replace the default rules of the given states as a whole; null removes one."""
        if not isinstance(given, dict):
            return given
        removed = {state for state, rule in given.items() if rule is None and state in USPS_STATES}
        rules = STATE_RULES | given
        return {state: rule for state, rule in rules.items() if state not in removed}

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def send_clock(self) -> dt.time:
        return dt.time.fromisoformat(self.send_time)

    def email_template(self, email_type: str) -> str:
        """Return the e-mail template of a built-in or follow-up type."""
        return self.templates.get(email_type, f"{email_type}_template")

    def sms_template(self, email_type: str) -> str | None:
        """Return the SMS template of a built-in or follow-up type, None without one."""
        return self.sms.get(email_type)

    def daily_cap(self, total_contacts: int) -> int:
        """Return C, the number of messages that a day aims at (semantics: Smoothing)."""
        share = Decimal(str(self.load_balancing.daily_send_percentage_cap))
        return max(1, int(total_contacts * share))

    def ceiling(self, total_contacts: int) -> int:
        """Return X, the number of messages that no day exceeds (semantics: Daily cap)."""
        cap = self.daily_cap(total_contacts)
        return max(cap, int(cap * Decimal(str(self.load_balancing.overage_threshold))))

    def effective_date_limit(self, total_contacts: int) -> int:
        """Return the number of effective-date messages above which a day is smoothed."""
        share = int(Decimal("0.3") * self.daily_cap(total_contacts))
        return max(1, min(self.load_balancing.ed_daily_soft_limit, share))

    @field_serializer("state_rules")
    def _with_removed_rules(self, rules: dict[str, StateRule]) -> dict[str, StateRule | None]:
        """Write a removed default rule as null, so that reading the result removes it as well."""
        return dict.fromkeys(STATE_RULES) | rules

    def canonical(self) -> str:
        """Return the configuration as JSON with sorted keys, which `load_config` reads back.

        Equal configurations have equal texts.
        """
        settings = self.model_dump(mode="json")
        return json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def digest(self) -> str:
        """Return the SHA-256 of `canonical` in hex."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def load_config(text: str | bytes, source: str = "config.yaml") -> Config:
    """Return the configuration in a YAML text; an empty text gives the defaults.

    Raises ConfigError with a line for each problem: source, key, found value and valid values.
    """
    settings, problems = read_mapping(text, source)
    config = None
    try:
        config = Config.model_validate(settings)
    except ValidationError as error:
        problems = problems + problems_of(error, Config)
    if problems or config is None:
        raise ConfigError(lines(problems, source))
    return config


def first_send_date(as_of: dt.date, clock: dt.datetime, config: Config) -> dt.date:
    """Return T0: as_of if `clock` is before its send time in the organization's time zone, else
    the day after."""
    send = dt.datetime.combine(as_of, config.send_clock, config.zone)
    return as_of if clock < send else as_of + dt.timedelta(days=1)
