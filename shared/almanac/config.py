"""The configuration of an organization: keys, defaults and bounds (semantics: Configuration)."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
)

from almanac.config_closed_days import ClosedDays
from almanac.config_contacts import ContactColumns
from almanac.config_delivery import Deliverability, DeliverySettings
from almanac.config_problems import Takes, lines, near, problems_of
from almanac.config_rules import (
    GivenRules,
    Rules,
    RuleSet,
    State,
    StateRule,
    resolved,
    that_differ,
    written,
)
from almanac.config_values import (
    MONTH_DAY,
    TIME_OF_DAY,
    ZONE,
    Days,
    Section,
    valid_month_day,
    valid_template,
    valid_time_of_day,
    valid_zone,
)
from almanac.config_webhooks import Webhooks
from almanac.errors import ConfigError
from almanac.yaml_text import Path, Problem, read_mapping

BUILT_IN_TYPES = ("birthday", "effective_date", "aep", "post_window")
FOLLOWUP_TYPES = (
    "followup_1_cold",
    "followup_2_clicked_no_hq",
    "followup_3_hq_no_yes",
    "followup_4_hq_with_yes",
)
TEMPLATE_KEYS = BUILT_IN_TYPES + FOLLOWUP_TYPES


def _email_type(key: str) -> str:
    if key not in TEMPLATE_KEYS:
        hint = near(key, TEMPLATE_KEYS) or ";"
        raise ValueError(f"is not an email type{hint} allowed: {', '.join(TEMPLATE_KEYS)}")
    return key


Priority = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
OddDays = Annotated[int, Field(ge=1, le=61), Takes("an odd whole number between 1 and 61")]
EmailType = Annotated[str, AfterValidator(_email_type)]
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
    years: list[Annotated[int, Field(ge=1901, le=9999)]] | None = None
    valid_days: Days = 30


class Frequency(Section):
    max_emails: Annotated[int, Field(ge=1, le=1000)] = 3
    period_days: Annotated[int, Field(ge=1, le=366)] = 30


class LoadBalancing(Section):
    daily_send_percentage_cap: Annotated[float, Field(gt=0, le=1)] = 0.07
    ed_daily_soft_limit: Annotated[int, Field(ge=1, le=1_000_000_000)] = 15
    ed_smoothing_window_days: OddDays = 5
    catch_up_spread_days: Annotated[int, Field(ge=1, le=366)] = 7
    overage_threshold: Annotated[float, Field(ge=1, le=100)] = 1.2
    closed: ClosedDays = ClosedDays()

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


class Priorities(Section):
    birthday: Priority = 10
    effective_date: Priority = 20
    aep: Priority = 30
    post_window: Priority = 40
    followup: Priority = 50


def _default_templates() -> dict[str, str]:
    return {key: f"{key}_template" for key in TEMPLATE_KEYS}


def _default_sms() -> dict[str, str | None]:
    """Text messages are sent as follow-ups only, unless a template says otherwise."""
    return {key: f"{key}_sms" if key in FOLLOWUP_TYPES else None for key in TEMPLATE_KEYS}


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
    delivery: DeliverySettings = DeliverySettings()
    deliverability: Deliverability = Deliverability()
    webhooks: Webhooks = Webhooks()
    organization: Organization = Organization()
    priorities: Priorities = Priorities()
    templates: dict[EmailType, Template] = Field(default_factory=_default_templates)
    sms: dict[EmailType, Template | None] = Field(default_factory=_default_sms)
    rule_set: RuleSet = "standard"
    # those that differ from the rule set's; None: the state has no rule
    state_rules: dict[State, GivenRules] = {}

    @field_validator("templates", mode="before")
    @classmethod
    def _over_default_templates(cls, given: object) -> object:
        return _default_templates() | given if isinstance(given, dict) else given

    @field_validator("sms", mode="before")
    @classmethod
    def _over_default_sms(cls, given: object) -> object:
        return _default_sms() | given if isinstance(given, dict) else given

    @field_validator("state_rules")
    @classmethod
    def _not_of_the_set(cls, given: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return that_differ(info.data.get("rule_set", "standard"), given)

    @cached_property
    def rules(self) -> Rules:
        """The rules that hold, by state: those of `state_rules`, of other states the set's."""
        return resolved(self.rule_set, self.state_rules)

    def keep_rules(self, rules: Mapping[str, Sequence[StateRule]]) -> None:
        """Set the rules that hold, whatever the rule set has become since they were resolved."""
        self.__dict__["rules"] = {state: tuple(each) for state, each in rules.items()}

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
    def _as_given(self, rules: dict[str, Any]) -> dict[str, object]:
        return written(self.rule_set, rules)

    def settings(self) -> dict[str, Any]:
        """Return all settings as plain data, with every state's rules as they hold."""
        return self.model_dump(mode="json") | {"state_rules": written("statutory", self.rules)}

    def canonical(self) -> str:
        """Return the configuration as JSON with sorted keys, which `load_config` reads back.

        Equal configurations have equal texts; without a newer key, those of older releases.
        """
        settings = self.model_dump(mode="json")
        if self.load_balancing.closed == ClosedDays():
            del settings["load_balancing"]["closed"]
        for key in ("rule_set", "webhooks", "deliverability"):
            if getattr(self, key) == Config.model_fields[key].default:
                del settings[key]
        return json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def digest(self) -> str:
        """Return the SHA-256 of `canonical` in hex."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def load_config(text: str | bytes, source: str = "config.yaml") -> Config:
    """Return the configuration in a YAML text; an empty text gives the defaults.

    Raises ConfigError with a line for each problem: source, key, found value and valid values.
    """
    return validated(*read_mapping(text, source), source)


def validated(settings: dict[str, Any], problems: list[Problem], source: str) -> Config:
    """Return the configuration of plain settings; raise as `load_config`.

    problems: those of reading the settings, which are reported too.
    """
    config = None
    try:
        config = Config.model_validate(settings)
    except ValidationError as error:
        found = problems_of(error, Config)
        problems = problems + [(_as_typed(path, settings), text) for path, text in found]
    if problems or config is None:
        raise ConfigError(lines(problems, source))
    return config


def _as_typed(path: Path, settings: dict[str, Any]) -> Path:
    """Return the path of a key without the place of a rule that is its state's only one."""
    of_a_rule = path[:1] == ("state_rules",) and len(path) > 3
    if of_a_rule and isinstance(settings["state_rules"][path[1]], dict):
        return path[:2] + path[3:]
    return path


def first_send_date(as_of: dt.date, clock: dt.datetime, config: Config) -> dt.date:
    """Return T0: as_of if `clock` is before its send time in the organization's zone, else +1."""
    send = dt.datetime.combine(as_of, config.send_clock, config.zone)
    return as_of if clock < send else as_of + dt.timedelta(days=1)
