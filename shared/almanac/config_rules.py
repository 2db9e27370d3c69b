"""The states' exclusion rules: keys, bounds, and the sets that a configuration starts from
(semantics: Windows)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, assert_never

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from almanac.config_problems import Takes
from almanac.config_values import (
    DATE,
    MONTH_DAY,
    TEXT,
    URL,
    Days,
    Section,
    read_date,
    valid_month_day,
    valid_text,
    valid_url,
)
from almanac.rules.states import STATE_RULES, USPS_STATES

RuleKind = Literal["birthday_window", "effective_date_window", "calendar_window", "year_round"]
RuleSet = Literal["standard", "statutory"]
RULE = "a rule (a mapping with at least kind), a list of rules, or null"

Age = Annotated[int, Field(ge=0, le=150)]
Date = Annotated[dt.date, BeforeValidator(read_date), Takes(DATE)]
MonthDay = Annotated[str, AfterValidator(valid_month_day), Takes(MONTH_DAY)]
Text = Annotated[str, AfterValidator(valid_text), Takes(TEXT)]
Url = Annotated[str, AfterValidator(valid_url), Takes(URL)]

# a rule of these keys is written in full, as every release has; of the others what is given
_ALWAYS_WRITTEN = ("kind", "before", "after", "use_month_start", "year_round_from_age")
_ANNIVERSARY_KINDS = "a birthday_window or an effective_date_window"


def _state(code: str) -> str:
    if code not in USPS_STATES:
        hint = f"; did you mean {code.upper()}?" if code.upper() in USPS_STATES else ""
        raise ValueError(f"is not a state; it takes the USPS code, such as CA{hint}")
    return code


State = Annotated[str, AfterValidator(_state)]


class AgeBand(Section):
    """Completed years for which a rule holds, both inclusive; None is open."""

    min: Age | None = None
    max: Age | None = None

    @field_validator("max")
    @classmethod
    def _from_min(cls, value: int | None, info: ValidationInfo) -> int | None:
        least = info.data.get("min")
        if value is not None and least is not None and value < least:
            raise ValueError(f"is less than min ({least}): the rule would hold for no contact")
        return value


class RuleSource(Section):
    """Where a rule is written, and the date on which that was last looked up."""

    cite: Text
    url: Url | None = None
    verified: Date | None = None

    def in_words(self) -> str:
        """Return it on one line."""
        parts = [self.cite]
        if self.url is not None:
            parts.append(self.url)
        if self.verified is not None:
            parts.append(f"verified {self.verified}")
        return ", ".join(parts)


class StateRule(Section):
    """When contacts of a state must not get messages."""

    kind: RuleKind
    before: Days = 0
    after: Days = 0
    use_month_start: bool = False
    year_round_from_age: Age | None = None
    begins: Annotated[MonthDay | None, Field(alias="from", validate_default=True)] = None
    ends: Annotated[MonthDay | None, Field(alias="to", validate_default=True)] = None
    valid_from: Date | None = None
    valid_to: Date | None = None
    age: AgeBand | None = None
    pre_window_days: Days | None = None
    source: RuleSource | None = None
    id: Text | None = None
    note: Text | None = None
    confidence: Literal["primary", "secondary"] | None = None

    @field_validator("before", "after", "use_month_start")
    @classmethod
    def _about_an_anniversary(cls, value: int, info: ValidationInfo) -> int:
        # earlier releases took and recorded these keys on year_round rules, where they mean nothing
        if value and info.data.get("kind") == "calendar_window":
            raise ValueError(f"is for {_ANNIVERSARY_KINDS}; a calendar_window takes from and to")
        return value

    @field_validator("begins", "ends")
    @classmethod
    def _about_the_calendar(cls, value: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind")
        if value is None and kind == "calendar_window":
            raise ValueError(f"is not {MONTH_DAY}: a calendar_window takes both from and to")
        if value is not None and kind not in ("calendar_window", None):
            raise ValueError(f"is for a calendar_window; the rule is a {kind}")
        return value

    @field_validator("valid_to")
    @classmethod
    def _from_valid_from(cls, value: dt.date | None, info: ValidationInfo) -> dt.date | None:
        first = info.data.get("valid_from")
        if value is not None and first is not None and value < first:
            raise ValueError(f"is before valid_from ({first}): the rule would never be law")
        return value

    @field_validator("pre_window_days")
    @classmethod
    def _ahead_of_a_window(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("kind") == "year_round":
            raise ValueError("is for a rule with a window; the rule is a year_round")
        return value

    @model_serializer(mode="wrap")
    def _given_keys(self, default: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write keys that rules have not always had only where they say something."""
        dumped = default(self)
        always = () if self.kind == "calendar_window" else _ALWAYS_WRITTEN
        return {
            key: dumped[name]
            for name, info in type(self).model_fields.items()
            if (key := info.alias or name)
            and name in dumped
            and (name in always or dumped[name] != info.default)
        }

    def is_law_on(self, day: dt.date) -> bool:
        """Return whether the day is one of valid_from to valid_to."""
        return (self.valid_from or dt.date.min) <= day <= (self.valid_to or dt.date.max)


def _as_list(given: object) -> object:
    if isinstance(given, list) and not given:
        raise ValueError(f"is empty; it takes {RULE}")
    return [given] if isinstance(given, dict) else given


Rules = Mapping[str, Sequence[StateRule]]  # by state; of each at least one
GivenRules = Annotated[list[StateRule] | None, BeforeValidator(_as_list), Takes(RULE)]


@cache
def rules_of_set(rule_set: RuleSet) -> dict[str, tuple[StateRule, ...]]:
    """Return the rules of a rule set by state; the law's data is read when it is first used."""
    given: Mapping[str, Sequence[Mapping[str, Any]]]
    match rule_set:
        case "standard":
            given = {state: [rule] for state, rule in STATE_RULES.items()}
        case "statutory":
            from almanac.rules.statutory import statutory_rules

            given = statutory_rules()
        case _:
            assert_never(rule_set)
    return {
        state: tuple(StateRule.model_validate(rule) for rule in rules)
        for state, rules in given.items()
    }


def that_differ(rule_set: RuleSet, given: dict[str, Any]) -> dict[str, Any]:
    """Return the given rules without those that the standard set has too.

    Of the statutory set all stay: it changes with the law, and a rule that is given does not.
    """
    if rule_set != "standard":
        return given
    usual = rules_of_set(rule_set)
    return {s: rules for s, rules in given.items() if tuple(rules or ()) != usual.get(s, ())}


def resolved(rule_set: RuleSet, given: Mapping[str, Sequence[StateRule] | None]) -> Rules:
    """Return the rules that hold: those given for a state, of other states those of the set."""
    rules: dict[str, Sequence[StateRule] | None] = {**rules_of_set(rule_set), **given}
    return {state: tuple(each) for state, each in rules.items() if each}


def written(
    rule_set: RuleSet, given: Mapping[str, Sequence[StateRule] | None]
) -> dict[str, object]:
    """Return the rules as a configuration gives them, with all of the standard set, as every
    release has written them; null for a state without a rule."""
    usual: Mapping[str, Sequence[StateRule] | None] = {}
    if rule_set == "standard":
        usual = rules_of_set(rule_set)
    return {state: _written(rules) for state, rules in {**usual, **given}.items()}


def _written(rules: Sequence[StateRule] | None) -> object:
    plain = [rule.model_dump(mode="json") for rule in rules or ()]
    return (plain[0] if len(plain) == 1 else plain) if plain else None
