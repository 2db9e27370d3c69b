"""What `almanac rules` returns, as `--json` prints it."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel

from almanac.config_rules import RuleKind, StateRule
from almanac.planning.rule_text import rule_with_limits


class RuleLine(BaseModel):
    """A rule of a state."""

    state: str
    id: str | None
    kind: RuleKind
    words: str  # what it excludes, with ages and dates, without the days ahead of windows
    age_min: int | None  # completed years for which it holds, both included; None is open
    age_max: int | None
    valid_from: dt.date | None
    valid_to: dt.date | None
    cite: str | None
    url: str | None
    verified: dt.date | None  # when the source was last looked up
    confidence: Literal["primary", "secondary"] | None
    note: str | None

    @classmethod
    def of(cls, state: str, rule: StateRule) -> RuleLine:
        """Return the line of a rule."""
        source = rule.source
        return cls(
            state=state,
            id=rule.id,
            kind=rule.kind,
            words=rule_with_limits(rule),
            age_min=rule.age.min if rule.age else None,
            age_max=rule.age.max if rule.age else None,
            valid_from=rule.valid_from,
            valid_to=rule.valid_to,
            cite=source.cite if source else None,
            url=source.url if source else None,
            verified=source.verified if source else None,
            confidence=rule.confidence,
            note=rule.note,
        )


class RuleList(BaseModel):
    """The rules in force on a day."""

    on: dt.date
    configuration: str  # which one, as text
    rule_set: str
    pre_window_days: int  # days ahead of every window, unless its rule says otherwise
    rules: list[RuleLine]
    without: list[str]  # states that have rules, but none in force on the day


class DrawnContact(BaseModel):
    """The protected days of a contact, who stands for all of one state."""

    words: str
    days: list[tuple[dt.date, dt.date]]  # spans, both ends included


class RuleChange(BaseModel):
    """A rule that begins or ends: the first day on which it is law, or no longer is."""

    day: dt.date
    state: str
    words: str


class StateYear(BaseModel):
    """A state's rules, and a year of protected days."""

    state: str
    name: str
    first: dt.date
    last: dt.date
    configuration: str
    rule_set: str
    pre_window_days: int
    rules: list[RuleLine]
    contacts: list[DrawnContact]
    changes: list[RuleChange]
    statutory: list[RuleLine]  # the rules of the statutory set, if the others differ


class Lack(BaseModel):
    """A state in which the statutory rules protect days that the configuration does not."""

    state: str
    days: int  # most of them that a contact has until the horizon
    statutory: list[str]  # its rules in words
    configured: list[str]
    contacts: int | None = None  # of the database who have such days; None without a database
    messages: int | None = None  # planned on such days


class ChangingRule(BaseModel):
    """A rule that begins or ends before the horizon, and whom it concerns."""

    day: dt.date
    state: str
    words: str
    rule_set: str  # "configured", or "statutory" for one that the configuration lacks
    contacts: int | None = None  # of the state
    messages: int | None = None  # planned for them from that day on


class OldSource(BaseModel):
    """A rule whose source was not looked up for long."""

    state: str
    id: str | None
    cite: str
    verified: dt.date
    contacts: int | None = None
    messages: int | None = None


class RulesCheck(BaseModel):
    """The configuration's rules compared with the statutory set."""

    database: str | None
    configuration: str
    rule_set: str
    as_of: dt.date
    horizon: dt.date
    lacks: list[Lack]
    changes: list[ChangingRule]
    old_sources: list[OldSource]

    @property
    def findings(self) -> int:
        """Return how many there are."""
        return len(self.lacks) + len(self.changes) + len(self.old_sources)
