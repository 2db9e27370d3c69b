"""The tables of an agency's database in the field, before any migration."""

from __future__ import annotations

from almanac.generation.shape import Shape

TABLES = (
    """CREATE TABLE contacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    email TEXT NOT NULL,
    current_carrier TEXT NOT NULL,
    plan_type TEXT NOT NULL,
    effective_date TEXT NOT NULL,
    birth_date TEXT NOT NULL,
    tobacco_user INTEGER NOT NULL,
    gender TEXT NOT NULL,
    state TEXT NOT NULL,
    zip_code TEXT NOT NULL,
    agent_id INTEGER,
    phone_number TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'active',
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    failed_underwriting INTEGER DEFAULT 0
)""",
    """CREATE TABLE email_schedules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    contact_id INTEGER NOT NULL,
    email_type TEXT NOT NULL,
    scheduled_send_date TEXT NOT NULL,
    scheduled_send_time TEXT NOT NULL DEFAULT '08:30:00',
    status TEXT NOT NULL DEFAULT 'scheduled',
    skip_reason TEXT,
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    updated_at TEXT NOT NULL DEFAULT (datetime('now')),
    batch_id TEXT,
    event_year INTEGER,
    event_month INTEGER,
    event_day INTEGER,
    catchup_note TEXT,
    sent_at TEXT,
    sendgrid_message_id TEXT,
    sms_sent_at TEXT,
    twilio_sms_id TEXT,
    actual_send_datetime TEXT,
    priority INTEGER DEFAULT 10,
    campaign_instance_id INTEGER,
    email_template TEXT,
    sms_template TEXT,
    scheduler_run_id TEXT,
    metadata TEXT,
    FOREIGN KEY (contact_id) REFERENCES contacts(id) ON DELETE CASCADE
)""",
    """CREATE TABLE campaign_types (
    name TEXT PRIMARY KEY,
    respect_exclusion_windows BOOLEAN DEFAULT 1,
    enable_followups BOOLEAN DEFAULT 1,
    days_before_event INTEGER DEFAULT 0,
    target_all_contacts BOOLEAN DEFAULT 0,
    priority INTEGER DEFAULT 10,
    active BOOLEAN DEFAULT 1,
    spread_evenly BOOLEAN DEFAULT 0,
    skip_failed_underwriting BOOLEAN DEFAULT 0,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP
)""",
    """CREATE TABLE campaign_instances (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign_type TEXT NOT NULL,
    instance_name TEXT NOT NULL,
    email_template TEXT,
    sms_template TEXT,
    active_start_date DATE,
    active_end_date DATE,
    spread_start_date DATE,
    spread_end_date DATE,
    target_states TEXT,
    target_carriers TEXT,
    metadata TEXT,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    UNIQUE(campaign_type, instance_name)
)""",
    """CREATE TABLE contact_campaigns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    contact_id INTEGER NOT NULL,
    campaign_instance_id INTEGER NOT NULL,
    trigger_date DATE,
    status TEXT DEFAULT 'pending',
    metadata TEXT,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    UNIQUE(contact_id, campaign_instance_id, trigger_date)
)""",
    """CREATE TABLE tracking_clicks (
    id INTEGER PRIMARY KEY,
    contact_id INTEGER NOT NULL,
    clicked_at TEXT,
    url TEXT
)""",
    """CREATE TABLE contact_events (
    id INTEGER PRIMARY KEY,
    contact_id INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    created_at TEXT,
    metadata TEXT
)""",
    """CREATE TABLE suppressions (
    email TEXT,
    contact_id INTEGER,
    reason TEXT,
    source TEXT,
    since TEXT,
    until TEXT
)""",
    # the agency's own table, which no scheduler uses
    """CREATE TABLE call_notes (
    note_id INTEGER PRIMARY KEY,
    contact_id INTEGER,
    agent_id INTEGER,
    called_at TEXT,
    note BLOB
)""",
)

# Created after all rows are inserted: several times faster than updating them row by row.
INDEXES = (
    "CREATE UNIQUE INDEX idx_contacts_email ON contacts(email)",
    "CREATE INDEX idx_contacts_state ON contacts(state)",
    """CREATE UNIQUE INDEX idx_email_schedules_unique
    ON email_schedules(contact_id, email_type, scheduled_send_date)""",
    """CREATE UNIQUE INDEX idx_email_schedules_unique_event
    ON email_schedules(contact_id, email_type, event_year)""",
    "CREATE INDEX idx_email_schedules_status ON email_schedules(status)",
    """CREATE TRIGGER update_email_schedules_updated_at AFTER UPDATE ON email_schedules
FOR EACH ROW BEGIN
    UPDATE email_schedules SET updated_at = CURRENT_TIMESTAMP WHERE id = OLD.id;
END""",
)


def tables(shape: Shape) -> list[str]:
    """Return the statements that create the tables, with NULLs and columns as the shape has."""
    contacts, *others = TABLES
    for column in shape.nullable:
        contacts = contacts.replace(f" {column} TEXT NOT NULL", f" {column} TEXT")
        contacts = contacts.replace(f" {column} INTEGER NOT NULL", f" {column} INTEGER")
    extra = (f'ALTER TABLE contacts ADD COLUMN "{e.name}" {e.kind}' for e in shape.extra_columns)
    return [contacts, *others, *extra]


def indexes(shape: Shape) -> list[str]:
    """Return the statements after the last row."""
    first, *others = INDEXES
    return [first.replace("UNIQUE ", "") if shape.repeats_emails else first, *others]
