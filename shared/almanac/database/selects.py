"""The Arrow schemas of a snapshot's tables, and the SQL of their columns."""

from __future__ import annotations

import pyarrow as pa

from almanac.database.columnar import CODES
from almanac.database.schema import COMMITTED, CONTACT_ALIASES, LEGACY_TYPE, PLANNED, PRE_SCHEDULED
from almanac.database.sql import SEPARATOR, Columns

Select = dict[str, str]

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
        "failed_underwriting": pa.int8(),
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
        "scheduled_send_date": pa.string(),
        "ideal_send_date": pa.string(),
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
    parts = {"event_year", "event_month", "event_day"}
    return {
        f.name: columns.date_part(f.name) if f.name in parts else readers[f.type](f.name)
        for f in schema
        if f.type in readers or f.name in parts
    }


def contact_columns(columns: Columns) -> Select:
    """Return the columns of contacts; an old column name if the new one is missing or blank."""
    select = plain(columns, CONTACTS_SCHEMA)
    for name, alias in CONTACT_ALIASES.items():
        select[name] = columns.first_text(name, alias)
    return select | {"failed_underwriting": columns.flag("failed_underwriting")}


def planned_columns(columns: Columns) -> Select:
    """Return the columns of planned rows of email_schedules."""
    content = ("priority", "scheduled_send_time", "email_template", "sms_template")
    texts = f" || {SEPARATOR} || ".join(columns.text(name) for name in content)
    computed = {"scheduled": scheduled(columns), "content": texts}
    return _in_order(plain(columns, PLANNED_SCHEMA) | computed, PLANNED_SCHEMA)


def answer_columns(columns: Columns) -> Select:
    """Return the columns of eligibility answers; metadata that is no JSON object has no answer."""
    text = columns.text("metadata")
    count = f"json_type({text}, '$.main_questions_yes_count') IN ('integer', 'real')"
    tests = {
        "yes": f"{count} AND json_extract({text}, '$.main_questions_yes_count') > 0",
        "medical_conditions": f"json_type({text}, '$.has_medical_conditions') IS 'true'",
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
    ideal = " AND ideal_send_date IS NULL" if columns.has("ideal_send_date") else ""
    text = columns.text("email_type")
    return f"{planned(columns)}{ideal} AND {scheduled(columns)} AND lower({text}) = '{LEGACY_TYPE}'"
