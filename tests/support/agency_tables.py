"""The tables of agency databases, old and new, and the odd values found in them."""

from datetime import date

SCHEMAS = ("old", "new", "text", "minimal", "bare")

CONTACTS_OLD = """CREATE TABLE contacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, first_name TEXT, email TEXT NOT NULL UNIQUE,
    current_carrier TEXT NOT NULL DEFAULT '', effective_date TEXT NOT NULL DEFAULT '',
    birth_date TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT '',
    zip_code TEXT NOT NULL DEFAULT '', phone_number TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'active', failed_underwriting INTEGER DEFAULT 0)"""
CONTACTS_NEW = """CREATE TABLE contacts (
    id INTEGER PRIMARY KEY, email TEXT, zip_code TEXT, state TEXT, birth_date TEXT, birthday TEXT,
    effective_date TEXT, carrier TEXT, current_carrier TEXT, failed_underwriting BOOLEAN,
    phone_number TEXT, status TEXT, created_at DATETIME, do_not_contact TEXT,
    do_not_communicate BOOLEAN, sms_consent BOOLEAN, agent_note BLOB)"""
# as the shell of SQLite imports a CSV file
CONTACTS_TEXT = """CREATE TABLE contacts (
    id TEXT, email TEXT, zip_code TEXT, state TEXT, birth_date TEXT, effective_date TEXT,
    carrier TEXT, failed_underwriting TEXT, phone_number TEXT, status TEXT, created_at TEXT,
    do_not_contact TEXT, sms_consent TEXT)"""
CONTACTS_MINIMAL = """CREATE TABLE contacts (
    id INTEGER PRIMARY KEY, email TEXT, state TEXT, birth_date TEXT, effective_date TEXT)"""
CONTACTS_BARE = "CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT)"
CONTACTS = {
    "old": CONTACTS_OLD,
    "new": CONTACTS_NEW,
    "text": CONTACTS_TEXT,
    "minimal": CONTACTS_MINIMAL,
    "bare": CONTACTS_BARE,
}

SCHEDULES_START = """id INTEGER PRIMARY KEY AUTOINCREMENT, contact_id INTEGER NOT NULL,
    email_type TEXT NOT NULL, scheduled_send_date TEXT NOT NULL,
    scheduled_send_time TEXT DEFAULT '08:30:00', status TEXT NOT NULL DEFAULT 'pre-scheduled',
    skip_reason TEXT, created_at DATETIME, updated_at DATETIME, batch_id TEXT,
    event_year INTEGER, event_month INTEGER, event_day INTEGER"""
SCHEDULES_LATER = """, actual_send_datetime DATETIME, priority INTEGER DEFAULT 10,
    campaign_instance_id INTEGER, email_template TEXT, sms_template TEXT,
    scheduler_run_id TEXT, metadata TEXT"""
SCHEDULES_OLD = ", catchup_note TEXT, sent_at TEXT, sendgrid_message_id TEXT"
OLD_GUARDS = (
    """CREATE UNIQUE INDEX one_a_day
        ON email_schedules(contact_id, email_type, scheduled_send_date)""",
    "CREATE UNIQUE INDEX one_a_year ON email_schedules(contact_id, email_type, event_year)",
    """CREATE TRIGGER touched AFTER UPDATE ON email_schedules FOR EACH ROW BEGIN
        UPDATE email_schedules SET updated_at = CURRENT_TIMESTAMP WHERE id = OLD.id; END""",
)
OTHER_TABLES = {
    "campaign_types": """name TEXT PRIMARY KEY, respect_exclusion_windows BOOLEAN DEFAULT 1,
        enable_followups BOOLEAN DEFAULT 1, days_before_event INTEGER DEFAULT 0,
        target_all_contacts BOOLEAN DEFAULT 0, priority INTEGER DEFAULT 10,
        active BOOLEAN DEFAULT 1, spread_evenly BOOLEAN DEFAULT 0,
        skip_failed_underwriting BOOLEAN DEFAULT 0, created_at DATETIME, updated_at DATETIME""",
    "campaign_instances": """id INTEGER PRIMARY KEY AUTOINCREMENT, campaign_type TEXT NOT NULL,
        instance_name TEXT NOT NULL, email_template TEXT, sms_template TEXT,
        active_start_date DATE, active_end_date DATE, spread_start_date DATE,
        spread_end_date DATE, target_states TEXT, target_carriers TEXT, metadata TEXT,
        created_at DATETIME, updated_at DATETIME, UNIQUE(campaign_type, instance_name)""",
    "contact_campaigns": """id INTEGER PRIMARY KEY AUTOINCREMENT, contact_id INTEGER NOT NULL,
        campaign_instance_id INTEGER NOT NULL, trigger_date DATE, status TEXT DEFAULT 'pending',
        metadata TEXT, created_at DATETIME, updated_at DATETIME,
        UNIQUE(contact_id, campaign_instance_id, trigger_date)""",
    "tracking_clicks": "id INTEGER PRIMARY KEY, contact_id INTEGER, clicked_at TEXT, url TEXT",
    "contact_events": """id INTEGER PRIMARY KEY, contact_id INTEGER, event_type TEXT,
        created_at TEXT, metadata TEXT""",
    "suppressions": """email TEXT, contact_id INTEGER, reason TEXT, source TEXT, since TEXT,
        until TEXT, channel TEXT, email_types TEXT, phone TEXT""",
    "private_notes": "k TEXT, v BLOB",
}

RULE_STATES = ["CA", "ID", "KY", "MD", "NV", "OK", "OR", "VA", "MO", "CT", "MA", "NY", "WA"]
OTHER_STATES = ["TX", "FL", "GA", "AZ", "DC", "PR", "AE", "GU"]
ODD_STATES = [
    "", "", "ZZ", "Calif", "ca", " mo ", "XX", "nv", "  ", "California", " new york ", "Missouri",
    "District of Columbia", "NewYork", "Virgin Islands",
]  # fmt: skip
ZIPS = ["90210", "10001", "63101", "77001", "33101", "63101-1234", "90210-0001", "02138", "06101"]
ODD_ZIPS = [
    "", "00000", "9021", "ABCDE", "90210-12", " 10001 ", "902100", "2138", "6101.0", "90210.0",
    "2138-1234", "21381234", "902101234", "21", "90210.5", "2138.00",
]  # fmt: skip
PHONES = [
    "", "  ", "555-0100", "(555) 010-0000", "+1 555 010 0000", "15550100001", "5550100002.0", "N/A",
    "0000000000", "555.010.0003 x12", "1234567890123456",
]  # fmt: skip
NO_IDS = ["003Hs00004AbC", "7f3c-11", "42 43", "", "1.5", "x7"]  # ids that are no whole numbers
CARRIERS = ["Aetna", "Humana", "Cigna", "aetna ", ""]
ODD_DATES = [
    "06/15/1990", "1990-02-30", "0000-00-00", "", "1990-6-5", "soon", " 1990-06-05", "1900-01-01",
    "1900-12-31", "1901-01-01", "2050-06-01",
]  # fmt: skip
ODD_EMAILS = [
    "", "nobody", "a@b", "two@at@x.com", "x@y.c", "spa ce@x.com", "x@y.com,z@y.com",
    "o'brien@example.com", "a@example..com", "a.@example.com", ".a@example.com", "a@-x.com",
    "a@x.xn--p1ai", "a@x.123", "a@x_y.com", "a..b@example.com", "A+b/c@X-1.Example.COM",
]  # fmt: skip
STATUSES = ["scheduled", "processing", "sent", "delivered", "failed", "bounced"]
INSTANCE_TYPES = [
    "rate_increase", "rate_increase", "promo", "promo_1", "initial_blast", "newsletter",
    "newsletter", "thankyou", "retired", "all_null", "aep", "aep", "welcome", "VIP", "nosuchtype",
]  # fmt: skip
COMMITTED_TYPES = [
    "birthday", "BIRTHDAY", "effective_date", "EFFECTIVE_DATE", "aep", "AEP", "post_window",
    "POST_WINDOW", "POST_WINDOW_BIRTHDAY", "POST_WINDOW_EFFECTIVE_DATE",
    "SCHEDULED_RATE_INCREASE", "campaign_rate_increase", "campaign_rate_increase_1",
    "CAMPAIGN_RATE_INCREASE_2", "campaign_promo_1_4", "campaign_newsletter",
    "campaign_initial_blast_99", "followup_1_cold", "FOLLOWUP_2_CLICKED_NO_HQ",
    "followup_3_hq_no_yes", "custom_note",
]  # fmt: skip
METADATA = [
    *[None] * 12, "", "  ", "{}", '{"priority": 2}', '{"days_before_event": 3}',
    '{"days_before_event": -2, "enable_followups": false}', '{"respect_exclusion_windows": false}',
    '{"respect_exclusion_windows": 1, "skip_failed_underwriting": true, "note": [1]}',
    '{"spread_evenly": true}', '{"spread_evenly": 0, "priority": 12}',
    '{"followup_email_template": "own_follow", "followup_sms_template": "own_sms"}',
    '{"followup_email_template": null, "followup_sms_template": ""}',
    '{not json', "[]", "5", "null", '{"priority": "high"}', '{"priority": true}',
    '{"enable_followups": "yes"}', '{"days_before_event": 1.5}', '{"followup_sms_template": 3}',
    *['{"split": {"group": "spring", "from": 0, "to": 50}}'] * 3,
    *['{"split": {"group": "spring", "from": 50, "to": 90}, "priority": 4}'] * 2,
    '{"split": {"group": "spring", "from": 50, "to": 50}}', '{"split": {"from": 0, "to": 50}}',
    '{"split": {"group": "é", "from": 0, "to": 100}}', '{"split": "half"}',
    *['{"trigger": "contact_created"}'] * 3, '{"trigger": "created"}',
    '{"trigger": "contact_created", "split": {"group": "welcome", "from": 30, "to": 100}}',
]  # fmt: skip
TARGET_METADATA = [
    *[None] * 4, "", " ", "{}", " { } ", '{"new_premium": 118.5, "plan": "G"}',
    '{"new_premium": "120", "tags": ["a", {"b": null}], "note": "é \\" quoted"}', '{"new": true}',
    "[1]", "5", "{bad", "null", "Premium 118",
]  # fmt: skip
EVENT_METADATA = [
    None, "", "{bad", "{}", "[]", '{"has_medical_conditions": true}',
    '{"has_medical_conditions": "true"}', '{"has_medical_conditions": false}',
    '{"main_questions_yes_count": 2}', '{"main_questions_yes_count": 0}',
    '{"main_questions_yes_count": "3"}', '{"main_questions_yes_count": null}',
    '{"has_medical_conditions": 1}', '{"has_medical_conditions": 2}',
    '{"has_medical_conditions": " Yes "}', '{"has_medical_conditions": 1.0}',
    '{"main_questions_yes_count": "2"}', '{"main_questions_yes_count": "0"}',
    '{"main_questions_yes_count": "none"}', '{"main_questions_yes_count": true}',
    '{"main_questions_yes_count": 0.5}',
]  # fmt: skip
AS_OF_DATES = [
    date(2028, 2, 28), date(2028, 2, 29), date(2028, 3, 1), date(2027, 2, 28), date(2027, 1, 1),
    date(2026, 12, 31), date(2026, 9, 15), date(2027, 9, 14), date(2026, 8, 16),
]  # fmt: skip
