"""Campaign types, instances, targets, and old rate increases (semantics: Input database,
Campaigns)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from .database import Database, Record, text, truth_or, whole
from .dates import parse_date, parse_time, plus
from .schedules import Scheduled

_NUMBERS = ("priority", "days_before_event")
_PLAIN_FLAGS = ("respect_exclusion_windows", "enable_followups", "skip_failed_underwriting")
_FLAGS = (*_PLAIN_FLAGS, "spread_evenly")
_OVERRIDDEN = (*_NUMBERS, *_PLAIN_FLAGS)
_DATES = (
    *("active_start_date", "active_end_date", "spread_start_date", "spread_end_date"),
    "created_at",
)
_TEXTS = ("followup_email_template", "followup_sms_template")

LEGACY_TYPE = "scheduled_rate_increase"
LEGACY_INSTANCE = ("rate_increase", "legacy_rate_increase")


@dataclass(frozen=True)
class CampaignType:
    """A type with its defaults filled in."""

    name: str
    respect_exclusion_windows: bool
    enable_followups: bool
    days_before_event: int
    target_all_contacts: bool
    priority: int
    active: bool
    spread_evenly: bool
    skip_failed_underwriting: bool


@dataclass(frozen=True)
class Instance:
    """An instance with its type's fields as its metadata overrides them."""

    id: int
    type: CampaignType
    name: str
    email_template: str | None
    sms_template: str | None
    active_start: date | None
    active_end: date | None
    spread: tuple[date, date] | None  # first and last day, where it is spread at all
    states: frozenset[str] | None  # None: everyone
    carriers: frozenset[str] | None
    created: date | None
    priority: int
    days_before_event: int
    respect_exclusion_windows: bool
    enable_followups: bool
    skip_failed_underwriting: bool
    followup_email_template: str | None
    followup_sms_template: str | None
    when_created: bool  # triggered by the contact's own created_at
    split: dict[str, Any] | None  # group, from, to

    def takes_part(self, as_of: date, horizon: date) -> bool:
        """Whether the instance plans anything on as_of."""
        begun = self.active_start is None or self.active_start <= horizon
        over = self.active_end is not None and self.active_end < as_of
        return self.type.active and begun and not over


@dataclass(frozen=True)
class Target:
    """A contact that an instance was given."""

    contact_id: int | None  # None: nobody's
    instance: int
    trigger: date | None
    status: str
    created: date | None = None
    data: dict[str, Any] | None = None  # what the messages carry along


@dataclass
class Campaigns:
    """Everything about campaigns that the rules read."""

    types: dict[str, CampaignType]
    instances: dict[int, Instance]  # with a type and valid metadata
    types_by_instance: dict[int, str]  # of all instances, for old rows' names
    targets: list[Target]
    errors: list[tuple[int, str]]  # instances that are left out, and why
    migrated: set[int]  # old rate increases that became targets

    def _active(self, as_of: date, horizon: date) -> list[Instance]:
        left_out = {instance for instance, _ in self.errors}
        return [
            one
            for one in self.instances.values()
            if one.takes_part(as_of, horizon) and one.id not in left_out
        ]

    def taking_part(self, as_of: date, horizon: date) -> list[Instance]:
        """The instances that plan on as_of, those reported as errors left out."""
        return [one for one in self._active(as_of, horizon) if not _says_nothing_of_aep(one)]

    def aep_replaced(self, as_of: date, horizon: date) -> bool:
        """Whether campaigns take the place of the built-in AEP email."""
        return any(one.type.name == "aep" for one in self.taking_part(as_of, horizon))

    def aep_lender(self, as_of: date, horizon: date) -> Instance | None:
        """The instance that lends the built-in AEP email its templates and priority."""
        silent = [one for one in self._active(as_of, horizon) if _says_nothing_of_aep(one)]
        return min(silent, key=lambda one: one.id, default=None)


def _says_nothing_of_aep(one: Instance) -> bool:
    """Whether it is of type aep and says neither when nor to whom."""
    says = not one.type.target_all_contacts or one.active_start or one.spread or one.when_created
    return one.type.name == "aep" and not says


class InvalidMetadataError(ValueError):
    """An instance's metadata says something that no instance can."""


def _checked(metadata: Record, keys: tuple[str, ...], fits: Callable[[object], bool]) -> Record:
    chosen = {key: metadata[key] for key in keys if key in metadata}
    for key, value in chosen.items():
        if not fits(value):
            raise InvalidMetadataError(f"{key}: {value!r}")
    return chosen


def read_metadata(value: object) -> dict[str, Any]:
    """The overrides in an instance's metadata; raises InvalidMetadataError."""
    if text(value) == "":
        return {}
    try:
        metadata = json.loads(text(value))
    except ValueError as error:
        raise InvalidMetadataError(str(error)) from error
    if not isinstance(metadata, dict):
        raise InvalidMetadataError("not an object")
    numbers = _checked(metadata, _NUMBERS, lambda v: type(v) is int)
    flags = _checked(
        metadata, _FLAGS, lambda v: type(v) is bool or (type(v) is int and v in (0, 1))
    )
    texts = _checked(metadata, _TEXTS, lambda v: v is None or isinstance(v, str))
    trigger = _checked(metadata, ("trigger",), lambda v: v == "contact_created")
    split = _checked(metadata, ("split",), _is_split)
    return numbers | {key: bool(flag) for key, flag in flags.items()} | texts | trigger | split


def _is_split(value: object) -> bool:
    if not isinstance(value, dict) or set(value) != {"group", "from", "to"}:
        return False
    first, end = value["from"], value["to"]
    whole_numbers = type(first) is int and type(end) is int
    return isinstance(value["group"], str) and whole_numbers and 0 <= first < end <= 100


def _whole(value: object, default: int) -> int:
    found = whole(value)
    if text(value) and found is None:
        raise ValueError(f"no whole number: {value!r}")
    return default if found is None else found


def _read_type(row: Record) -> CampaignType:
    return CampaignType(
        name=row["name"],
        respect_exclusion_windows=truth_or(row.get("respect_exclusion_windows"), True),
        enable_followups=truth_or(row.get("enable_followups"), True),
        days_before_event=_whole(row.get("days_before_event"), 0),
        target_all_contacts=truth_or(row.get("target_all_contacts"), False),
        priority=_whole(row.get("priority"), 10),
        active=truth_or(row.get("active"), True),
        spread_evenly=truth_or(row.get("spread_evenly"), False),
        skip_failed_underwriting=truth_or(row.get("skip_failed_underwriting"), False),
    )


def target_data(value: object) -> dict[str, Any] | None:
    """What a target carries: a JSON object that is not empty."""
    try:
        data = json.loads(text(value))
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _everyone_or(value: object) -> frozenset[str] | None:
    items = {item.strip().upper() for item in text(value).split(",")} - {""}
    return None if not items or "ALL" in items else frozenset(items)


def _spread(row: Record) -> tuple[date, date] | None:
    first, last = parse_date(row.get("spread_start_date")), parse_date(row.get("spread_end_date"))
    return (first, last) if first is not None and last is not None else None


def _read_instance(row: Record, kind: CampaignType) -> Instance:
    own = read_metadata(row.get("metadata"))
    if "trigger" in own and not kind.target_all_contacts:
        raise InvalidMetadataError("trigger: the type does not target all contacts")
    for name in _DATES:
        if text(row.get(name)) and parse_date(row.get(name)) is None:
            raise InvalidMetadataError(f"{name}: {row.get(name)!r}")
    return Instance(
        id=row["id"],
        type=kind,
        name=row["instance_name"],
        email_template=row.get("email_template"),
        sms_template=row.get("sms_template"),
        active_start=parse_date(row.get("active_start_date")),
        active_end=parse_date(row.get("active_end_date")),
        spread=_spread(row) if own.get("spread_evenly", kind.spread_evenly) else None,
        states=_everyone_or(row.get("target_states")),
        carriers=_everyone_or(row.get("target_carriers")),
        created=parse_date(row.get("created_at")),
        followup_email_template=own.get("followup_email_template") or None,
        followup_sms_template=own.get("followup_sms_template") or None,
        when_created="trigger" in own,
        split=own.get("split"),
        **{key: own.get(key, getattr(kind, key)) for key in _OVERRIDDEN},
    )


def _legacy_trigger(row: Scheduled) -> date | None:
    """The trigger date of an old rate increase, if it says any (semantics: Input database)."""
    if row.send_date is None:
        return row.event
    if row.event is not None and abs((row.event - row.send_date).days) <= 60:
        return row.event
    return plus(row.send_date, 14)


def _legacy_targets(
    database: Database, scheduled: list[Scheduled], types: list[Record], instances: list[Record]
) -> tuple[list[Target], set[int]]:
    """Old rate increases as targets; the type and instance they need join the given lists."""
    old = [
        (row, trigger)
        for row in scheduled
        if row.email_type == LEGACY_TYPE
        and row.status == "pre-scheduled"
        and (trigger := _legacy_trigger(row)) is not None
    ]
    if not old:
        return [], set()
    kind, name = LEGACY_INSTANCE
    if not any(row["name"] == kind for row in types):
        types.append({"name": kind, "days_before_event": 14, "priority": 1})
    ids = [
        row["id"]
        for row in instances
        if (row["campaign_type"], row["instance_name"]) == LEGACY_INSTANCE
    ]
    if ids:
        instance = ids[0]
    else:
        highest = max((row["id"] for row in instances), default=0)
        instance = max(database.sequence("campaign_instances"), highest) + 1
        instances.append({"id": instance, "campaign_type": kind, "instance_name": name})
    targets = [
        Target(row.contact_id, instance, trigger, "pending")
        for row, trigger in old
        if row.contact_id is not None
    ]
    return targets, {row.id for row, _ in old}


def read_campaigns(database: Database, scheduled: list[Scheduled]) -> Campaigns:
    """All campaign tables, with the old rate increases migrated."""
    type_rows, instance_rows = (
        database.records("campaign_types"),
        database.records("campaign_instances"),
    )
    stored = [
        Target(
            whole(row["contact_id"]),
            instance,
            parse_date(row.get("trigger_date")),
            text(row.get("status")).lower(),
            parse_time(row.get("created_at")),
            target_data(row.get("metadata")),
        )
        for row in database.records("contact_campaigns")
        if (instance := whole(row["campaign_instance_id"])) is not None
        # a trigger date that cannot be read is not taken for missing
        and (not text(row.get("trigger_date")) or parse_date(row.get("trigger_date")))
    ]
    # A target that is there already, sent or not, is not made again.
    known = {(one.contact_id, one.instance, one.trigger) for one in stored}
    legacy, migrated = _legacy_targets(database, scheduled, type_rows, instance_rows)
    targets = stored + [
        one for one in legacy if (one.contact_id, one.instance, one.trigger) not in known
    ]

    types: dict[str, CampaignType] = {}
    odd_types: dict[str, str] = {}
    for row in type_rows:
        try:
            types[row["name"]] = _read_type(row)
        except ValueError as error:
            odd_types[row["name"]] = str(error)
    instances: dict[int, Instance] = {}
    errors: list[tuple[int, str]] = []
    for row in sorted(instance_rows, key=lambda row: row["id"]):
        kind = types.get(row["campaign_type"])
        if kind is None:
            why = odd_types.get(row["campaign_type"], "it does not exist")
            errors.append((row["id"], f"no campaign type {row['campaign_type']!r}: {why}"))
            continue
        try:
            one = _read_instance(row, kind)
        except InvalidMetadataError as error:
            errors.append((row["id"], f"metadata is not valid: {error}"))
            continue
        instances[one.id] = one
        if one.spread is not None and one.spread[1] < one.spread[0]:
            errors.append((one.id, "the spread ends before it starts"))
    names = {row["id"]: str(row["campaign_type"]) for row in instance_rows}
    return Campaigns(types, instances, names, targets, errors, migrated)
