"""The Arrow schemas of a snapshot's tables, and the SQL of their columns."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from almanac.config_contacts import ContactColumns
from almanac.database.columnar import CODES
from almanac.database.contact_values import contact_values
from almanac.database.joined import Group, Joined
from almanac.database.schema import COMMITTED, LEGACY_TYPE, PLANNED, PRE_SCHEDULED
from almanac.database.sql import SEPARATOR, TRUE_WORDS, Columns, trimmed

Select = dict[str, str]

_EVENT = ("event_year", "event_month", "event_day")
_CONTENT = ("priority", "scheduled_send_time", "email_template", "sms_template")

CONTACTS_SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "email": pa.string(),
        "zip_code": pa.string(),
        "state": pa.string(),
        "birth_date": pa.string(),
        "effective_date": pa.string(),
        "carrier": pa.string(),
        "phone_number": pa.string(),
        "status": pa.string(),
        "created_at": pa.string(),
        "failed_underwriting": pa.int8(),
        "consents": pa.int8(),
        "opt_out": pa.string(),
    }
)
COMMITTED_SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "contact_id": pa.int64(),
        "email_type": pa.string(),
        "scheduled_send_date": pa.string(),
        "actual_send_datetime": pa.string(),
        "status": pa.string(),
        "campaign_instance_id": pa.int64(),
        "event_year": pa.int32(),
        "event_month": pa.int32(),
        "event_day": pa.int32(),
        "ideal_send_date": pa.string(),
        "target": pa.string(),
    }
)
PLANNED_SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "contact_id": pa.int64(),
        "email_type": CODES,
        "campaign_instance_id": pa.int64(),
        "event_year": pa.int32(),
        "event_month": pa.int32(),
        "event_day": pa.int32(),
        "scheduled_send_date": CODES,
        "ideal_send_date": CODES,
        "scheduled": pa.int8(),
        "skip_reason": CODES,
        "content": CODES,
        "metadata": pa.string(),
    }
)
TARGETS_SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "contact_id": pa.int64(),
        "campaign_instance_id": pa.int64(),
        "trigger_date": pa.string(),
        "status": pa.string(),
        "created_at": pa.string(),
        "data": pa.string(),
        "odd_metadata": pa.int8(),
    }
)
CLICKS_SCHEMA = pa.schema({"contact_id": pa.int64(), "clicked_at": pa.string()})
ANSWERS_SCHEMA = pa.schema(
    {
        "contact_id": pa.int64(),
        "created_at": pa.string(),
        "yes": pa.int8(),
        "medical_conditions": pa.int8(),
    }
)
ISSUES_SCHEMA = pa.schema(
    {
        "contact_id": pa.int64(),
        "issue": pa.string(),
        "detail": pa.string(),
        "first_seen": pa.string(),
    }
)
SUPPRESSIONS_SCHEMA = pa.schema(
    {
        "email": pa.string(),
        "contact_id": pa.int64(),
        "reason": pa.string(),
        "since": pa.string(),
        "until": pa.string(),
        "channel": pa.string(),
        "email_types": pa.string(),
        "phone": pa.string(),
    }
)
OCCUPANCY_SCHEMA = pa.schema(
    {
        "scheduled_send_date": pa.string(),
        "committed": pa.int8(),
        "effective_date": pa.int8(),
        "count": pa.int64(),
    }
)
COMMITTED_CAMPAIGNS_SCHEMA = pa.schema(
    {"contact_id": pa.int64(), "scheduled_send_date": pa.string()}
)


def plain(columns: Columns, schema: pa.Schema) -> Select:
    """Return SQL of every column under its own name, by its type in the schema."""
    readers = {pa.string(): columns.text, CODES: columns.text, pa.int64(): columns.integer}
    special: dict[str, Callable[[str], str]]
    special = dict.fromkeys(_EVENT, columns.date_part)
    special["id"] = lambda _: columns.row_id()
    special |= dict.fromkeys(("contact_id", "campaign_instance_id"), columns.id_or_zero)
    return {
        f.name: (special.get(f.name) or readers[f.type])(f.name)
        for f in schema
        if f.type in readers or f.name in special
    }


def contact_columns(columns: Columns, settings: ContactColumns) -> Select:
    """Return the columns of `contacts`: see `contact_values.contact_values`."""
    return _in_order(contact_values(columns, settings), CONTACTS_SCHEMA)


def committed_columns(columns: Columns) -> Select:
    """Return the columns of committed rows."""
    target = {"target": columns.json_object("metadata", "$.target")}
    return _in_order(plain(columns, COMMITTED_SCHEMA) | target, COMMITTED_SCHEMA)


def target_columns(columns: Columns) -> Select:
    """Return the columns of campaign targets, with what they carry."""
    data = columns.json_object("metadata")
    text = trimmed(columns.text("metadata"))
    is_object = f"json_valid({text}) AND json_type({text}) = 'object'"
    odd = f"CASE WHEN {text} = '' THEN 0 WHEN {is_object} THEN 0 ELSE 1 END"
    computed = {"data": data, "odd_metadata": odd}
    return _in_order(plain(columns, TARGETS_SCHEMA) | computed, TARGETS_SCHEMA)


def planned_columns(columns: Columns) -> Select:
    """Return the columns of planned rows of email_schedules."""
    texts = f" || {SEPARATOR} || ".join(columns.text(name) for name in _CONTENT)
    computed = {"scheduled": scheduled(columns), "content": texts}
    return _in_order(plain(columns, PLANNED_SCHEMA) | computed, PLANNED_SCHEMA)


def planned_joined(columns: Columns) -> Joined:
    """Return what reads the same as `planned_columns`."""
    kinds = {
        **_as_they_are(columns, "email_type", "campaign_instance_id", "skip_reason"),
        "scheduled": (scheduled(columns),),
        "content": tuple(columns.value(name) for name in _CONTENT),
    }
    dates = _as_they_are(columns, *_EVENT, "scheduled_send_date", "ideal_send_date")
    return _joined(columns, PLANNED_SCHEMA, [kinds, dates], planned_columns(columns))


def committed_joined(columns: Columns) -> Joined:
    """Return what reads the same as `committed_columns`."""
    kinds = _as_they_are(columns, "email_type", "status", "campaign_instance_id", "ideal_send_date")
    dates = _as_they_are(columns, *_EVENT)
    return _joined(columns, COMMITTED_SCHEMA, [kinds, dates], committed_columns(columns))


def _as_they_are(columns: Columns, *names: str) -> Group:
    return {name: (columns.value(name),) for name in names}


def _joined(columns: Columns, schema: pa.Schema, groups: list[Group], select: Select) -> Joined:
    """Return how rows of contacts are read, of which only those with a whole id are."""
    others = {name: sql for name, sql in select.items() if all(name not in g for g in groups)}
    return Joined(schema, groups, others | {"contact_id": columns.known_whole("contact_id")})


def answer_columns(columns: Columns) -> Select:
    """Return the columns of eligibility answers; metadata that is no JSON object has no answer."""
    text = columns.text("metadata")
    count, conditions = (
        (f"json_type({text}, '$.{name}')", f"json_extract({text}, '$.{name}')")
        for name in ("main_questions_yes_count", "has_medical_conditions")
    )
    words = f"lower({trimmed(f'CAST({conditions[1]} AS TEXT)')}) IN {TRUE_WORDS}"
    tests = {
        "yes": f"CASE WHEN {count[0]} IN ('integer', 'real') THEN {count[1]} > 0 "
        f"WHEN {count[0]} = 'text' THEN CAST({count[1]} AS REAL) > 0 ELSE 0 END",
        "medical_conditions": f"CASE WHEN {conditions[0]} = 'true' THEN 1 "
        f"WHEN {conditions[0]} IN ('integer', 'real') THEN {conditions[1]} = 1 "
        f"WHEN {conditions[0]} = 'text' THEN {words} ELSE 0 END",
    }
    judged = {
        name: f"CASE WHEN json_valid({text}) THEN COALESCE({test}, 0) ELSE 0 END"
        for name, test in tests.items()
    }
    return _in_order(plain(columns, ANSWERS_SCHEMA) | judged, ANSWERS_SCHEMA)


def _in_order(select: Select, schema: pa.Schema) -> Select:
    return {name: select[name] for name in schema.names}


# The migration adds a missing status, with the default that makes all rows planned.


def committed(columns: Columns) -> str:
    """Return the condition of committed rows."""
    return COMMITTED if columns.has("status") else "0"


def planned(columns: Columns) -> str:
    """Return the condition of planned rows."""
    return PLANNED if columns.has("status") else "1"


def scheduled(columns: Columns) -> str:
    """Return the condition of PRE_SCHEDULED rows."""
    return PRE_SCHEDULED if columns.has("status") else "1"


def legacy(columns: Columns) -> str:
    """Return the condition of planned rows of the type that a campaign has replaced."""
    without_ideal, text = f"{columns.text('ideal_send_date')} = ''", columns.text("email_type")
    return (
        f"{planned(columns)} AND {without_ideal} AND {scheduled(columns)} "
        f"AND lower({text}) = '{LEGACY_TYPE}'"
    )
