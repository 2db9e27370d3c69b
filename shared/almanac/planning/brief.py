"""The run context: what holds for all contacts of a run, the same for every shard, and small."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, field_serializer, model_validator

from almanac import civil
from almanac.config import Config
from almanac.config_rules import StateRule
from almanac.config_values import VALID
from almanac.planning.instance_fields import Split, overrides_of, text_of, type_fields

LEGACY_TYPE, LEGACY_NAME = "rate_increase", "legacy_rate_increase"
LEGACY_TRIGGER_DAYS = 14
LONGEST_VALID = 366  # days from an ideal date to its deadline, by any setting
YEAR = 366  # days

DATES = (
    *("active_start_date", "active_end_date", "spread_start_date", "spread_end_date"),
    "created_at",
)


class Instance(BaseModel):
    """A campaign instance: its type's fields with its overrides."""

    model_config = ConfigDict(frozen=True)

    id: int
    type_name: str
    name: str
    problem: str | None = None  # why it is left out, for the report
    understood: bool = True  # if not, no field below is reliable
    takes_part: bool = False
    silent_aep: bool = False  # of type aep and says neither when nor to whom: it is no campaign
    lends_aep: bool = False  # its templates and its priority, to the built-in AEP
    priority: int = 10
    days_before_event: int = 0
    respect_exclusion_windows: bool = True
    enable_followups: bool = True
    skip_failed_underwriting: bool = False
    target_all_contacts: bool = False
    spread: tuple[dt.date, dt.date] | None = None
    active_start: dt.date | None = None
    active_end: dt.date | None = None
    default_trigger: dt.date
    target_states: list[str] | None = None  # None: every state
    target_carriers: list[str] | None = None
    email_template: str | None = None
    sms_template: str | None = None
    followup_email_template: str | None = None
    followup_sms_template: str | None = None
    when_created: bool = False  # triggered by the contact's created_at
    split: Split | None = None

    @property
    def email_type(self) -> str:
        return f"campaign_{self.type_name}"

    @property
    def why_silent(self) -> str:
        """Return why a silent AEP takes no part."""
        what = "it is no campaign"
        if self.lends_aep:
            what = "it lends its templates and its priority to the built-in AEP message"
        return f"it says neither when nor to whom: {what}"


class RunContext(BaseModel):
    """The decisions that hold for all contacts of a run."""

    model_config = ConfigDict(frozen=True)

    as_of: dt.date
    t0: dt.date
    config: Config
    # by state, as they were when the run was planned; None: those of the configuration
    rules: dict[str, list[StateRule]] | None = None
    instances: list[Instance]
    aep_replaced: bool = False
    suppression_reasons: list[str] = []
    legacy_instance: int | None = None  # the instance that old rate increases become targets of
    closed_days: list[dt.date] = []  # from as_of to last_day

    @model_validator(mode="after")
    def _plan_by_the_rules(self) -> Self:
        if self.rules is not None:
            self.config.keep_rules(self.rules)
        return self

    @field_serializer("rules")
    def _rules_as_given(self, rules: dict[str, list[StateRule]] | None) -> object:
        if rules is None:
            return None
        return {state: [rule.model_dump(mode="json") for rule in rules[state]] for state in rules}

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Return the context in the JSON of one, whose configuration is taken as valid."""
        return cls.model_validate_json(text, context=VALID)

    @property
    def aep_lender(self) -> Instance | None:
        """Return the instance that lends the built-in AEP its templates and its priority."""
        return next((i for i in self.instances if i.lends_aep), None)

    @property
    def horizon(self) -> dt.date:
        """Return H, the last ideal date that the run plans."""
        return self.as_of + dt.timedelta(days=self.config.horizon_days)

    @property
    def last_day(self) -> dt.date:
        """Return a day after which no message of the run is of use."""
        campaigns = [each for each in self.instances if each.takes_part]
        valid = max([LONGEST_VALID, *(each.days_before_event for each in campaigns)])
        last = min(dt.date.max.toordinal(), self.horizon.toordinal() + valid)
        spreads = [each.spread[1] for each in campaigns if each.spread]
        return max([dt.date.fromordinal(last), *spreads])

    @property
    def weeks(self) -> list[dt.date]:
        """Return as_of and the same day of the following weeks, of a year at most."""
        count = min(YEAR, self.config.horizon_days) // 7 + 1
        return [self.as_of + dt.timedelta(weeks=n) for n in range(count)]

    @property
    def send_time(self) -> str:
        """Return the scheduled_send_time of every row."""
        return f"{self.config.send_time}:00"


def make_run_context(
    *,
    as_of: dt.date,
    t0: dt.date,
    config: Config,
    campaign_types: Sequence[Mapping[str, Any]],
    campaign_instances: Sequence[Mapping[str, Any]],
    suppression_reasons: Sequence[str] = (),
    legacy_instance: int | None = None,
) -> RunContext:
    """Return what holds for all contacts (semantics: Campaigns).

    `legacy_instance` is the id that the instance of old rate increases will get if the database
    has such rows; an existing instance of that name keeps its own id.
    """
    types = {str(t["name"]): t for t in campaign_types}
    rows = list(campaign_instances)
    if legacy_instance is not None:
        if LEGACY_TYPE not in types:
            types[LEGACY_TYPE] = {"name": LEGACY_TYPE, "days_before_event": 14, "priority": 1}
        if not any(int(row["id"]) == legacy_instance for row in rows):
            legacy = {"campaign_type": LEGACY_TYPE, "instance_name": LEGACY_NAME}
            rows.append({"id": legacy_instance} | legacy)
    horizon = as_of + dt.timedelta(days=config.horizon_days)
    instances = [_resolve(row, types, as_of, horizon) for row in rows]
    # a later scheduler put a campaign of this type into every database: it is none
    silent = [i for i in instances if i.takes_part and _says_nothing_of_aep(i)]
    replaced = any(i.takes_part and i.type_name == "aep" and i not in silent for i in instances)
    lender = None if replaced else min((i.id for i in silent), default=None)
    instances = [
        i.model_copy(update={"takes_part": False, "silent_aep": True, "lends_aep": i.id == lender})
        if i in silent
        else i
        for i in instances
    ]
    return RunContext(
        as_of=as_of,
        t0=t0,
        config=config,
        rules={state: list(rules) for state, rules in config.rules.items()},
        instances=instances,
        aep_replaced=replaced,
        suppression_reasons=sorted(set(suppression_reasons)),
        legacy_instance=legacy_instance,
    )


def _says_nothing_of_aep(instance: Instance) -> bool:
    """Return whether it is of type aep and says neither when nor to whom."""
    says = instance.active_start or instance.spread or instance.when_created
    return instance.type_name == "aep" and instance.target_all_contacts and not says


def _resolve(
    row: Mapping[str, Any],
    types: Mapping[str, Mapping[str, Any]],
    as_of: dt.date,
    horizon: dt.date,
) -> Instance:
    type_name = text_of(row.get("campaign_type")) or ""
    start, end = _date(row.get("active_start_date")), _date(row.get("active_end_date"))
    facts: dict[str, Any] = {
        "id": int(row["id"]),
        "type_name": type_name,
        "name": text_of(row.get("instance_name")) or "",
        "default_trigger": start or _date(row.get("created_at")) or as_of,
    }
    for name in DATES:
        text = text_of(row.get(name)) or ""
        if text.strip() and _date(text) is None:
            problem = f"{name}: expected a date (YYYY-MM-DD), found {text[:40]!r}"
            return _misunderstood(facts, problem)
    if type_name not in types:
        return _misunderstood(facts, f"its type {type_name!r} is not in campaign_types")
    kind = types[type_name]
    try:
        overrides = overrides_of(row.get("metadata"))
    except ValueError as error:
        return _misunderstood(facts, f"its metadata is not valid: {error}")
    try:
        fields = type_fields(kind) | overrides
    except ValueError as error:
        return _misunderstood(facts, f"its type {type_name!r} is not valid: {error}")
    if fields.get("when_created") and not fields["target_all_contacts"]:
        problem = "trigger: contact_created is for types that target all contacts"
        return _misunderstood(facts, f"its metadata is not valid: {problem}")
    spread = _date(row.get("spread_start_date")), _date(row.get("spread_end_date"))
    active = fields.pop("active")
    if fields.pop("spread_evenly") and spread[0] and spread[1]:
        if spread[1] < spread[0]:
            # messages of it that were sent before may still have follow-ups
            active = False
            facts["problem"] = f"its spread ends on {spread[1]}, before it begins ({spread[0]})"
        else:
            facts["spread"] = spread
    return Instance(
        **facts,
        **fields,
        takes_part=active and (start or as_of) <= horizon and as_of <= (end or as_of),
        active_start=start,
        active_end=end,
        target_states=_list(row.get("target_states")),
        target_carriers=_list(row.get("target_carriers")),
        email_template=text_of(row.get("email_template")) or None,
        sms_template=text_of(row.get("sms_template")) or None,
    )


def _misunderstood(facts: dict[str, Any], problem: str) -> Instance:
    return Instance(**facts, problem=problem, understood=False)


def _list(value: object) -> list[str] | None:
    items = [item.strip().upper() for item in (text_of(value) or "").split(",")]
    items = [item for item in items if item]
    return None if not items or "ALL" in items else sorted(set(items))


def _date(value: object) -> dt.date | None:
    return civil.parse_date(text_of(value) or "")
