"""The tables, columns and indexes that Almanac needs in an agency's database, as data.

Migrations only add: a missing table is created, and an existing one gets its missing columns, each
with a declaration with which SQLite can add it to existing rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from almanac.schedule_status import Status

LEGACY_TYPE = "scheduled_rate_increase"
LEGACY_CAMPAIGN = "rate_increase"
LEGACY_INSTANCE = "legacy_rate_increase"


@dataclass(frozen=True)
class Column:
    """A column: its declaration in a new table, and that with which it is added to an old one."""

    name: str
    declaration: str
    # None: as declared, which SQLite refuses for keys, NOT NULL without a default and computed
    # defaults; "" for a column that cannot be added
    added: str | None = None

    def addition(self) -> str:
        """Return the declaration for ALTER TABLE ADD COLUMN; '' if it cannot be added."""
        return self.declaration if self.added is None else self.added


@dataclass(frozen=True)
class Table:
    """A table that Almanac creates: its columns and the constraints over several of them."""

    name: str
    columns: tuple[Column, ...]
    constraints: tuple[str, ...] = ()

    def create_sql(self) -> str:
        """Return the statement that creates the table."""
        parts = [f"{c.name} {c.declaration}" for c in self.columns] + list(self.constraints)
        return f"CREATE TABLE {self.name} (\n  " + ",\n  ".join(parts) + "\n)"

    def addition_sql(self, column: Column) -> str:
        """Return the statement that adds a column to the existing table."""
        return f"ALTER TABLE {self.name} ADD COLUMN {column.name} {column.addition()}"


@dataclass(frozen=True)
class Index:
    """An index that Almanac creates on email_schedules."""

    name: str
    on: str
    where: str = ""
    unique: bool = False

    def create_sql(self) -> str:
        """Return the statement that creates the index, as SQLite keeps it in its schema."""
        where = f" WHERE {self.where}" if self.where else ""
        unique = "UNIQUE " if self.unique else ""
        return f"CREATE {unique}INDEX {self.name} ON email_schedules ({self.on}){where}"


_ID = Column("id", "INTEGER PRIMARY KEY AUTOINCREMENT", "")
_CREATED = Column("created_at", "DATETIME DEFAULT CURRENT_TIMESTAMP", "DATETIME")
_UPDATED = Column("updated_at", "DATETIME DEFAULT CURRENT_TIMESTAMP", "DATETIME")

EMAIL_SCHEDULES = Table(
    "email_schedules",
    (
        _ID,
        Column("contact_id", "INTEGER NOT NULL", "INTEGER"),
        Column("email_type", "TEXT NOT NULL", "TEXT"),
        Column("scheduled_send_date", "TEXT NOT NULL", "TEXT"),
        Column("scheduled_send_time", "TEXT DEFAULT '08:30:00'"),
        Column("status", f"TEXT NOT NULL DEFAULT '{Status.PRE_SCHEDULED}'"),
        Column("skip_reason", "TEXT"),
        Column("priority", "INTEGER DEFAULT 10"),
        Column("campaign_instance_id", "INTEGER"),
        Column("email_template", "TEXT"),
        Column("sms_template", "TEXT"),
        Column("scheduler_run_id", "TEXT"),
        Column("batch_id", "TEXT"),
        Column("event_year", "INTEGER"),
        Column("event_month", "INTEGER"),
        Column("event_day", "INTEGER"),
        Column("ideal_send_date", "TEXT"),
        Column("metadata", "TEXT"),
        _CREATED,
        _UPDATED,
        Column("actual_send_datetime", "DATETIME"),
    ),
)

CAMPAIGN_TYPES = Table(
    "campaign_types",
    (
        Column("name", "TEXT PRIMARY KEY", "TEXT"),
        Column("respect_exclusion_windows", "BOOLEAN DEFAULT 1"),
        Column("enable_followups", "BOOLEAN DEFAULT 1"),
        Column("days_before_event", "INTEGER DEFAULT 0"),
        Column("target_all_contacts", "BOOLEAN DEFAULT 0"),
        Column("priority", "INTEGER DEFAULT 10"),
        Column("active", "BOOLEAN DEFAULT 1"),
        Column("spread_evenly", "BOOLEAN DEFAULT 0"),
        Column("skip_failed_underwriting", "BOOLEAN DEFAULT 0"),
        _CREATED,
        _UPDATED,
    ),
)

CAMPAIGN_INSTANCES = Table(
    "campaign_instances",
    (
        _ID,
        Column("campaign_type", "TEXT NOT NULL", "TEXT"),
        Column("instance_name", "TEXT NOT NULL", "TEXT"),
        Column("email_template", "TEXT"),
        Column("sms_template", "TEXT"),
        Column("active_start_date", "DATE"),
        Column("active_end_date", "DATE"),
        Column("spread_start_date", "DATE"),
        Column("spread_end_date", "DATE"),
        Column("target_states", "TEXT"),
        Column("target_carriers", "TEXT"),
        Column("metadata", "TEXT"),
        _CREATED,
        _UPDATED,
    ),
    ("UNIQUE (campaign_type, instance_name)",),
)

CONTACT_CAMPAIGNS = Table(
    "contact_campaigns",
    (
        _ID,
        Column("contact_id", "INTEGER NOT NULL", "INTEGER"),
        Column("campaign_instance_id", "INTEGER NOT NULL", "INTEGER"),
        Column("trigger_date", "DATE"),
        Column("status", "TEXT DEFAULT 'pending'"),
        Column("metadata", "TEXT"),
        _CREATED,
        _UPDATED,
    ),
    ("UNIQUE (contact_id, campaign_instance_id, trigger_date)",),
)

CAMPAIGN_CHANGE_LOG = Table(
    "campaign_change_log",
    (
        _ID,
        Column("campaign_instance_id", "INTEGER"),
        Column("field_changed", "TEXT"),
        Column("old_value", "TEXT"),
        Column("new_value", "TEXT"),
        Column("changed_at", "DATETIME DEFAULT CURRENT_TIMESTAMP", "DATETIME"),
        Column("changed_by", "TEXT"),
        Column("requires_rescheduling", "BOOLEAN DEFAULT 1"),
        Column("event_id", "TEXT"),
    ),
)

SCHEDULER_CHECKPOINTS = Table(
    "scheduler_checkpoints",
    (
        _ID,
        Column("run_timestamp", "DATETIME"),
        Column("scheduler_run_id", "TEXT UNIQUE", "TEXT"),
        Column("contacts_checksum", "TEXT"),
        Column("schedules_before_checksum", "TEXT"),
        Column("schedules_after_checksum", "TEXT"),
        Column("contacts_processed", "INTEGER"),
        Column("emails_scheduled", "INTEGER"),
        Column("emails_skipped", "INTEGER"),
        Column("status", "TEXT"),
        Column("error_message", "TEXT"),
        Column("completed_at", "DATETIME"),
    ),
)

CONFIG_VERSIONS = Table(
    "config_versions",
    (
        _ID,
        Column("config_type", "TEXT"),
        Column("config_data", "JSON"),
        Column("valid_from", "DATETIME"),
        Column("valid_to", "DATETIME"),
        _CREATED,
        Column("created_by", "TEXT"),
    ),
)

CONTACT_ISSUES = Table(
    "contact_issues",
    (
        Column("contact_id", "INTEGER NOT NULL", "INTEGER"),
        Column("issue", "TEXT NOT NULL", "TEXT"),
        Column("detail", "TEXT"),
        Column("first_seen", "DATETIME"),
    ),
    ("PRIMARY KEY (contact_id, issue)",),
)

TABLES = (
    EMAIL_SCHEDULES,
    CAMPAIGN_TYPES,
    CAMPAIGN_INSTANCES,
    CONTACT_CAMPAIGNS,
    CAMPAIGN_CHANGE_LOG,
    SCHEDULER_CHECKPOINTS,
    CONFIG_VERSIONS,
    CONTACT_ISSUES,
)

# tables with a key of ids
KEYED = frozenset(table.name for table in TABLES if table.columns[0].name == "id")

# `contacts` belongs to the user: Almanac only expects these column names
CONTACT_COLUMNS = (
    "id",
    "email",
    "zip_code",
    "state",
    "birth_date",
    "effective_date",
    "carrier",
    "failed_underwriting",
    "phone_number",
    "status",
)
CONTACT_ALIASES = {"birth_date": "birthday", "carrier": "current_carrier"}

# SQLite uses a partial index only for a query that repeats its condition word for word
_PLANNED = f"('{Status.PRE_SCHEDULED}', '{Status.SKIPPED}')"
PLANNED = f"status IN {_PLANNED}"
COMMITTED = f"COALESCE(status, '') NOT IN {_PLANNED}"
PRE_SCHEDULED = f"status = '{Status.PRE_SCHEDULED}'"
IDENTIFIED = "ideal_send_date IS NOT NULL"
UNIDENTIFIED = "ideal_send_date IS NULL"

IDENTITY_INDEX = Index(
    "almanac_planned_identity",
    "contact_id, email_type, COALESCE(campaign_instance_id, 0), event_year, event_month, event_day",
    f"{PLANNED} AND {IDENTIFIED}",
    unique=True,
)
# with the date in the index, queries for rows from a day on do not read the rows themselves
COMMITTED_INDEX = Index("almanac_committed", "contact_id, scheduled_send_date", COMMITTED)
OLDER_INDEX = Index("almanac_planned_by_others", "contact_id", f"{PLANNED} AND {UNIDENTIFIED}")
STATUS_INDEX = Index("almanac_status_date", "status, scheduled_send_date")
# under which all planned rows are, and the condition of each besides PLANNED
PLANNED_INDEXES = ((IDENTITY_INDEX, IDENTIFIED), (OLDER_INDEX, UNIDENTIFIED))

# the column sets whose uniqueness forbids two instances of a campaign type in a year
FORBIDDEN_UNIQUE = (
    frozenset({"contact_id", "email_type", "scheduled_send_date"}),
    frozenset({"contact_id", "email_type", "event_year"}),
)
