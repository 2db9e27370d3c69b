"""The oracle against cases worked out by hand from the rules, so that it is not its own judge."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import (
    DEFAULTS,
    Plan,
    Row,
    anniversary,
    excluded,
    h,
    merged,
    months,
    parse_date,
    plan,
    windows,
)
from tests.oracle.candidates import Candidate
from tests.oracle.contacts import Contact
from tests.oracle.hashing import splitmix64
from tests.oracle.placing import limits
from tests.oracle.sifting import FREQUENCY, limit_frequency, set_ranges

# the oracle's own rules; quick tests compare whole plans with it (test_oracle_agreement.py)
pytestmark = pytest.mark.slow

RULES = DEFAULTS["state_rules"]
NEW_YEAR = date(2027, 1, 1)
SCHEDULES = """id INTEGER PRIMARY KEY, contact_id INTEGER, email_type TEXT,
    scheduled_send_date TEXT, status TEXT, campaign_instance_id INTEGER, event_year INTEGER,
    event_month INTEGER, event_day INTEGER, ideal_send_date TEXT, actual_send_datetime TEXT"""
TABLES = {
    "contacts": """id INTEGER PRIMARY KEY, email TEXT, state TEXT, zip_code TEXT,
        birth_date TEXT, effective_date TEXT, carrier TEXT, failed_underwriting INTEGER,
        phone_number TEXT, status TEXT""",
    "email_schedules": SCHEDULES,
    "campaign_types": """name TEXT PRIMARY KEY, respect_exclusion_windows, enable_followups,
        days_before_event, target_all_contacts, priority, active, spread_evenly,
        skip_failed_underwriting""",
    "campaign_instances": """id INTEGER PRIMARY KEY AUTOINCREMENT, campaign_type, instance_name,
        email_template, sms_template, active_start_date, active_end_date, spread_start_date,
        spread_end_date, target_states, target_carriers, metadata, created_at""",
    "contact_campaigns": "id INTEGER PRIMARY KEY, contact_id, campaign_instance_id, trigger_date,"
    " status",
    "tracking_clicks": "contact_id, clicked_at",
    "contact_events": "contact_id, event_type, created_at, metadata",
    "suppressions": "email, contact_id, reason, since, until",
}
WriteAgency = Callable[..., Path]


@pytest.fixture
def agency(tmp_path: Path) -> WriteAgency:
    """Writes a database with the rows given by table; contacts live in Texas unless told."""

    def write(**rows: list[dict[str, Any]]) -> Path:
        path = tmp_path / "agency.sqlite3"
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as database:
            for table, columns in TABLES.items():
                database.execute(f"CREATE TABLE {table} ({columns})")
                for row in rows.get(table, []):
                    filled = row
                    if table == "contacts":
                        filled = {"email": f"u{row['id']}@example.com", "state": "TX", **row}
                    names, marks = ", ".join(filled), ", ".join("?" * len(filled))
                    database.execute(
                        f"INSERT INTO {table} ({names}) VALUES ({marks})", list(filled.values())
                    )
        database.close()
        return path

    return write


def scheduled(
    contact_id: int, email_type: str, day: str, status: str, **more: Any
) -> dict[str, Any]:
    """A row of email_schedules; event and ideal as dates in text."""
    row = {
        "contact_id": contact_id,
        "email_type": email_type,
        "scheduled_send_date": day,
        "status": status,
    }
    if event := more.pop("event", None):
        year, month, dom = (int(part) for part in event.split("-"))
        row |= {"event_year": year, "event_month": month, "event_day": dom}
    return row | more


def of(found: Plan, email_type: str) -> list[Row]:
    return [row for row in found.rows if row.email_type == email_type]


def only(found: Plan, email_type: str) -> Row:
    (row,) = of(found, email_type)
    return row


def excluded_on(day: str, state: str, birth: str | None, effective: str | None = None) -> Any:
    return excluded(
        RULES, 60, state, parse_date(birth), parse_date(effective), date.fromisoformat(day)
    )


# --- dates and windows (sections 1 and 4) -----------------------------------------------------


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2020-02-29", date(2020, 2, 29)),
        ("2020-01-01 00:00:00", date(2020, 1, 1)),
        ("2020-01-01T23:59:59Z", date(2020, 1, 1)),
        ("06/15/1990", None),
        ("1990-02-30", None),
        ("0000-00-00", None),
        ("2020-1-1", None),
        ("2020-01-01x", None),
        ("", None),
        (None, None),
        (20200101, None),
    ],
)
def test_a_stored_date_is_a_date_or_it_is_none(text: object, day: date | None) -> None:
    assert parse_date(text) == day


def test_29_february_is_28_february_in_a_common_year() -> None:
    leap = date(1952, 2, 29)
    assert anniversary(leap, 2027) == date(2027, 2, 28)
    assert anniversary(leap, 2028) == date(2028, 2, 29)


def test_months_count_calendar_months_only() -> None:
    assert months(date(2026, 6, 30), date(2027, 5, 1)) == 11
    assert months(date(2026, 6, 1), date(2026, 6, 30)) == 0


def test_a_window_crosses_new_year() -> None:
    birth = "1950-12-20"  # Kentucky: 60 days early, 60 days after
    assert excluded_on("2026-10-20", "KY", birth) is None
    assert excluded_on("2026-10-21", "KY", birth) == "Birthday exclusion window for KY"
    assert excluded_on("2027-01-10", "KY", birth) == "Birthday exclusion window for KY"
    assert excluded_on("2027-02-18", "KY", birth) == "Birthday exclusion window for KY"
    assert excluded_on("2027-02-19", "KY", birth) is None


def test_a_window_of_29_february_follows_the_year() -> None:
    leap = date(1952, 2, 29)  # Maryland: 60 days early, 30 after
    found = windows(RULES, 60, "MD", leap, None, date(2027, 1, 1), date(2028, 1, 1))
    assert found == [
        (date(2026, 12, 30), date(2027, 3, 30)),
        (date(2027, 12, 31), date(2028, 3, 30)),
    ]


def test_nevada_counts_from_the_first_of_the_month() -> None:
    found = windows(RULES, 60, "NV", date(1950, 3, 20), None, NEW_YEAR, date(2027, 6, 1))
    assert found == [(date(2026, 12, 31), date(2027, 4, 30))]


def test_missouri_counts_from_the_effective_date() -> None:
    reason = "Effective date exclusion window for MO"
    assert excluded_on("2027-02-08", "MO", "1950-02-09", "2020-05-10") is None
    assert excluded_on("2027-02-09", "MO", "1950-02-09", "2020-05-10") == reason
    assert excluded_on("2027-06-12", "MO", None, "2020-05-10") == reason
    assert excluded_on("2027-06-13", "MO", None, "2020-05-10") is None
    assert excluded_on("2027-05-10", "MO", "1950-05-10", None) is None


def test_year_round_states_need_no_date_and_others_know_no_window() -> None:
    assert excluded_on("2027-05-10", "NY", None) == "Year-round exclusion for NY"
    assert excluded_on("2027-05-10", "TX", "1950-05-10", "2020-05-10") is None
    assert excluded(RULES, 60, None, date(1950, 5, 10), None, date(2027, 5, 10)) is None


def test_age_is_measured_on_the_day_checked() -> None:
    kind = {"kind": "birthday_window", "before": 0, "after": 0, "year_round_from_age": 77}
    leap = date(1952, 2, 29)

    def reason(day: date) -> str | None:
        return excluded({"OR": kind}, 0, "OR", leap, None, day)

    assert reason(date(2029, 2, 27)) is None
    assert reason(date(2028, 2, 29)) == "Birthday exclusion window for OR"
    assert reason(date(2029, 2, 28)) == "Age exclusion for OR"  # of age and in the window
    assert reason(date(2031, 7, 1)) == "Age exclusion for OR"


def test_a_window_longer_than_a_year_is_found_from_any_year() -> None:
    wide = {"kind": "birthday_window", "after": 800, "age": {"min": 75, "max": 76}}
    found = windows(
        {"FL": wide}, 0, "FL", date(1950, 6, 1), None, date(2027, 5, 1), date(2027, 5, 1)
    )
    assert found == [(date(2025, 6, 1), date(2028, 8, 9))]


# --- the hash (section 6) -----------------------------------------------------------------------


def crc32_by_hand(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_splitmix64_gives_its_published_first_values() -> None:
    assert splitmix64(0) == 0xE220A8397B1DCDAF
    assert splitmix64(0x9E3779B97F4A7C15) == 0x6E789E6AA1B965F4


def test_h_is_the_number_worked_out_by_hand() -> None:
    golden, a, b = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB

    def mix(z: int) -> int:
        z = (z + golden) % 2**64
        z = ((z ^ z >> 30) * a) % 2**64
        z = ((z ^ z >> 27) * b) % 2**64
        return z ^ z >> 31

    crc = crc32_by_hand(b"campaign_rate_increase:12:2027")
    assert h(4711, "campaign_rate_increase", 12, 2027) == mix(4711 ^ mix(crc))
    assert crc32_by_hand(b"123456789") == 0xCBF43926
    assert h(1, "birthday", None, 2027) == h(1, "birthday", 0, 2027)


# --- anniversary emails (section 5) -------------------------------------------------------------


def test_a_contact_gets_its_three_emails_of_the_year(agency: WriteAgency) -> None:
    contact = {"id": 7, "birth_date": "1950-06-15", "effective_date": "2020-08-01"}
    found = plan(agency(contacts=[contact]), NEW_YEAR, NEW_YEAR)
    assert [(row.email_type, row.event_date, row.ideal_send_date) for row in found.rows] == [
        ("aep", date(2027, 9, 15), date(2027, 9, 15)),
        ("birthday", date(2027, 6, 15), date(2027, 6, 1)),
        ("effective_date", date(2027, 8, 1), date(2027, 7, 2)),
    ]
    assert [row.deadline for row in found.rows] == [
        date(2027, 10, 15),
        date(2027, 6, 14),
        date(2027, 7, 31),
    ]
    birthday = only(found, "birthday")
    assert birthday.status == "pre-scheduled"
    assert birthday.scheduled_send_date == date(2027, 6, 1)
    assert birthday.scheduled_send_time == "08:30:00"
    assert (birthday.priority, birthday.email_template) == (10, "birthday_template")
    assert birthday.sms_template is None  # there is no phone number


def test_with_no_days_before_the_birthday_itself_is_the_last_day(agency: WriteAgency) -> None:
    path = agency(contacts=[{"id": 7, "birth_date": "1950-01-01"}])
    config = {"timing": {"birthday_days_before": 0}}
    assert only(plan(path, NEW_YEAR, NEW_YEAR, config), "birthday").event_date == NEW_YEAR
    default = only(plan(path, NEW_YEAR, NEW_YEAR), "birthday")
    assert default.event_date == date(2028, 1, 1)  # 31 December was the last day of use


def test_the_first_effective_date_email_waits_for_its_months(agency: WriteAgency) -> None:
    path = agency(contacts=[{"id": 7, "effective_date": "2026-06-20"}])
    assert only(plan(path, NEW_YEAR, NEW_YEAR), "effective_date").event_date == date(2027, 6, 20)
    config = {"organization": {"effective_date_first_email_months": 12}, "horizon_days": 600}
    found = only(plan(path, NEW_YEAR, NEW_YEAR, config), "effective_date")
    assert (found.event_date, found.ideal_send_date) == (date(2027, 6, 20), date(2027, 6, 1))
    config["organization"] = {"effective_date_first_email_months": 13}
    found = only(plan(path, NEW_YEAR, NEW_YEAR, config), "effective_date")
    assert (found.event_date, found.ideal_send_date) == (date(2028, 6, 20), date(2028, 5, 21))


def test_an_email_committed_within_180_days_is_handled(agency: WriteAgency) -> None:
    contact = {"id": 7, "birth_date": "1950-06-15"}  # ideal 2027-06-01
    for day, gets_one in (("2026-12-03", False), ("2026-12-02", True)):
        rows = [scheduled(7, "BIRTHDAY", day, "failed")]
        found = plan(agency(contacts=[contact], email_schedules=rows), NEW_YEAR, NEW_YEAR)
        assert bool(of(found, "birthday")) is gets_one


def test_what_a_window_swallows_is_made_up_for_after_it(agency: WriteAgency) -> None:
    contact = {"id": 7, "state": "CA", "birth_date": "1950-06-15"}
    path = agency(contacts=[contact])
    found = plan(path, NEW_YEAR, NEW_YEAR)
    birthday, makeup = only(found, "birthday"), only(found, "post_window")
    assert birthday.skip_reason == "Birthday exclusion window for CA"
    assert birthday.scheduled_send_date == date(2027, 6, 1)  # a skipped row has its ideal date
    assert (makeup.event_date, makeup.ideal_send_date) == (date(2027, 8, 14), date(2027, 8, 15))
    assert makeup.deadline == date(2027, 9, 14)

    late = date(2027, 9, 14)  # the birthday is over, the make-up is still of use
    this_year, next_year = of(plan(path, late, late), "post_window")
    assert this_year.scheduled_send_date == late
    assert next_year.ideal_send_date == date(2028, 8, 15)
    off = {"organization": {"enable_post_window_emails": False}}
    assert of(plan(path, NEW_YEAR, NEW_YEAR, off), "post_window") == []


def test_a_window_that_swallows_nothing_has_no_make_up(agency: WriteAgency) -> None:
    rules = {"state_rules": {"TX": {"kind": "birthday_window", "before": 0, "after": 5}}}
    config = rules | {"timing": {"pre_window_days": 0}}
    contact = {"id": 7, "birth_date": "1950-06-15"}  # 15 to 20 June; the email is of 1 June
    found = plan(agency(contacts=[contact]), NEW_YEAR, NEW_YEAR, config)
    assert of(found, "post_window") == []


def test_a_mail_is_skipped_if_the_day_it_could_start_is_excluded(agency: WriteAgency) -> None:
    rules = {"TX": {"kind": "effective_date_window", "before": 0, "after": 9}}
    config = {"state_rules": rules, "timing": {"pre_window_days": 0}}
    contact = {"id": 7, "birth_date": "1950-01-12", "effective_date": "2020-01-01"}
    row = only(plan(agency(contacts=[contact]), NEW_YEAR, NEW_YEAR, config), "birthday")
    assert row.ideal_send_date == date(2026, 12, 29)
    assert row.skip_reason == "Effective date exclusion window for TX"


def test_failed_underwriting_excludes_all_but_aep(agency: WriteAgency) -> None:
    contact = {"id": 7, "state": "CA", "birth_date": "1950-06-15", "failed_underwriting": 1}
    path = agency(contacts=[contact])
    config = {"organization": {"exclude_failed_underwriting_global": True}}
    found = plan(path, NEW_YEAR, NEW_YEAR, config)
    assert only(found, "birthday").skip_reason == "Failed underwriting - global exclusion"
    assert only(found, "aep").status == "pre-scheduled"
    assert of(found, "post_window") == []


# --- contacts (section 3) -----------------------------------------------------------------------


def test_issues_say_what_is_wrong_with_a_contact(agency: WriteAgency) -> None:
    contacts = [
        {"id": 1, "email": "nobody", "state": "Texaz", "birth_date": "06/15/1990"},
        {"id": 2, "state": "tx", "zip_code": "90210-1234"},
        {"id": 3, "state": "", "zip_code": "00000"},
        {"id": 4, "state": "", "zip_code": "63101", "effective_date": "0000-00-00"},
        {"id": 5, "email": "nobody", "status": "bounced"},
    ]
    found = plan(agency(contacts=contacts), NEW_YEAR, NEW_YEAR)
    assert found.issues == {
        (1, "invalid_email"),
        (1, "invalid_state"),
        (1, "state_unknown"),
        (1, "invalid_birth_date"),
        (2, "state_zip_mismatch"),
        (3, "invalid_zip"),
        (3, "state_unknown"),
        (4, "invalid_effective_date"),
        (4, "no_window_date"),
    }
    assert [row.contact_id for row in of(found, "aep")] == [2, 3, 4]


def test_an_unknown_state_gets_nothing_if_the_organization_says_so(agency: WriteAgency) -> None:
    path = agency(contacts=[{"id": 1, "state": ""}])
    config = {"organization": {"send_without_zipcode_for_universal": False}}
    assert len(plan(path, NEW_YEAR, NEW_YEAR).rows) == 1
    assert plan(path, NEW_YEAR, NEW_YEAR, config).rows == []


def test_a_suppression_in_force_comes_before_any_other_reason(agency: WriteAgency) -> None:
    contacts = [{"id": one, "state": "NY"} for one in (1, 2, 3, 4)]
    suppressions = [
        {"contact_id": 1, "reason": "complaint", "until": "2027-01-01"},
        {"email": " U2@Example.com", "reason": None, "since": "2027-01-01"},
        {"contact_id": 3, "reason": "over", "until": "2026-12-31"},
        {"contact_id": 4, "reason": "not yet", "since": "2027-01-02"},
    ]
    found = plan(agency(contacts=contacts, suppressions=suppressions), NEW_YEAR, NEW_YEAR)
    assert [row.skip_reason for row in of(found, "aep")] == [
        "Suppressed: complaint",
        "Suppressed: unspecified",
        "Year-round exclusion for NY",
        "Year-round exclusion for NY",
    ]


# --- campaigns (section 5.2) --------------------------------------------------------------------

RATE = {"name": "rate", "days_before_event": 14, "priority": 1}


def campaign(agency: WriteAgency, trigger: str | None, **instance: Any) -> Path:
    """Contact 7 as the one target of instance 3 of type rate."""
    return agency(
        contacts=[{"id": 7, "failed_underwriting": 1, "carrier": "Aetna"}],
        campaign_types=[RATE],
        campaign_instances=[{"id": 3, "campaign_type": "rate", "instance_name": "q1", **instance}],
        contact_campaigns=[{"contact_id": 7, "campaign_instance_id": 3, "trigger_date": trigger}],
    )


def rate_row(path: Path, config: dict[str, Any] | None = None) -> Row:
    return only(plan(path, NEW_YEAR, NEW_YEAR, config), "campaign_rate")


def test_a_campaign_email_precedes_its_trigger_date(agency: WriteAgency) -> None:
    row = rate_row(campaign(agency, "2027-03-15", email_template="dear"))
    assert (row.event_date, row.ideal_send_date) == (date(2027, 3, 15), date(2027, 3, 1))
    assert row.deadline == date(2027, 3, 14)
    assert (row.campaign_instance_id, row.priority, row.email_template) == (3, 1, "dear")


def test_metadata_overrides_the_type(agency: WriteAgency) -> None:
    row = rate_row(
        campaign(agency, "2027-03-15", metadata='{"priority": 9, "days_before_event": -5}')
    )
    assert (row.priority, row.ideal_send_date) == (9, date(2027, 3, 20))
    assert row.deadline == date(2027, 4, 19)


def test_a_campaign_email_is_not_earlier_than_its_campaign(agency: WriteAgency) -> None:
    row = rate_row(campaign(agency, "2027-01-05", active_start_date="2026-12-30"))
    assert (row.ideal_send_date, row.deadline) == (date(2026, 12, 30), date(2027, 1, 4))


def test_a_missing_trigger_is_the_start_then_the_creation_then_today(
    agency: WriteAgency,
) -> None:
    same_day = {"metadata": '{"days_before_event": 0}'}
    created = same_day | {"created_at": "2026-12-28 10:00:00"}
    both = created | {"active_start_date": "2026-12-30"}
    assert rate_row(campaign(agency, None, **both)).event_date == date(2026, 12, 30)
    assert rate_row(campaign(agency, " ", **created)).event_date == date(2026, 12, 28)
    assert rate_row(campaign(agency, None, **same_day)).event_date == NEW_YEAR


def test_reasons_are_tested_targeting_then_dates_then_underwriting(agency: WriteAgency) -> None:
    skip = {"metadata": '{"skip_failed_underwriting": true}'}
    everywhere = {"organization": {"exclude_failed_underwriting_global": True}}
    early_end = skip | {"active_end_date": "2027-02-01"}
    elsewhere = early_end | {"target_states": "CA, ny"}
    trigger = "2027-03-15"

    def reason(config: dict[str, Any], **instance: Any) -> str | None:
        return rate_row(campaign(agency, trigger, **instance), config).skip_reason

    assert reason({}) is None
    assert reason({}, **skip) == "Failed underwriting - campaign exclusion"
    assert reason(everywhere, **skip) == "Failed underwriting - global exclusion"
    assert reason(everywhere, **early_end) == "Outside campaign dates"
    assert reason(everywhere, **elsewhere) == "Outside campaign targeting"


def test_a_spread_is_even_by_contact_id(agency: WriteAgency) -> None:
    path = campaign(
        agency,
        "2027-01-20",
        metadata='{"spread_evenly": true}',
        spread_start_date="2027-02-01",
        spread_end_date="2027-02-05",
    )
    row = rate_row(path)  # 7 mod 5 days is 2
    assert row.ideal_send_date == date(2027, 2, 3)
    assert row.deadline == date(2027, 3, 5)


def test_a_campaign_email_is_handled_by_its_event_or_within_45_days(
    agency: WriteAgency,
) -> None:
    def rows(**row: Any) -> list[Row]:
        path = campaign(agency, "2027-03-15")  # ideal 2027-03-01
        with sqlite3.connect(path) as database:
            marks = ", ".join("?" * len(row))
            statement = f"INSERT INTO email_schedules ({', '.join(row)}) VALUES ({marks})"
            database.execute(statement, list(row.values()))
        database.close()
        return of(plan(path, NEW_YEAR, NEW_YEAR), "campaign_rate")

    assert rows(**scheduled(7, "CAMPAIGN_RATE_3", "2027-01-15", "failed")) == []
    assert len(rows(**scheduled(7, "CAMPAIGN_RATE_3", "2027-01-14", "failed"))) == 1
    assert len(rows(**scheduled(7, "campaign_other_3", "2027-03-01", "failed"))) == 1
    old = scheduled(7, "campaign_rate", "2020-01-01", "sent", event="2027-03-15")
    assert rows(**old, campaign_instance_id=3) == []


def test_instances_that_cannot_be_read_are_reported(agency: WriteAgency) -> None:
    path = campaign(agency, "2027-03-15", metadata="{bad")
    found = plan(path, NEW_YEAR, NEW_YEAR)
    assert of(found, "campaign_rate") == []
    assert [instance for instance, _ in found.errors] == [3]


def test_an_active_type_named_aep_alone_replaces_nothing(agency: WriteAgency) -> None:
    kinds = [{"name": "aep", "active": 1}]
    found = plan(agency(contacts=[{"id": 7}], campaign_types=kinds), NEW_YEAR, NEW_YEAR)
    assert [row.email_type for row in found.rows] == ["aep"]


def test_an_old_rate_increase_becomes_a_campaign_target(agency: WriteAgency) -> None:
    path = agency(
        contacts=[{"id": 7}],
        email_schedules=[
            scheduled(7, "Scheduled_Rate_Increase", "2027-03-01", "pre-scheduled", id=11)
            | {"event_year": 2025, "event_month": 1, "event_day": 1},
            scheduled(7, "SCHEDULED_RATE_INCREASE", "2027-05-01", "skipped", id=12),
        ],
    )
    found = plan(path, NEW_YEAR, NEW_YEAR)
    row = only(found, "campaign_rate_increase")
    assert (row.event_date, row.ideal_send_date) == (date(2027, 3, 15), date(2027, 3, 1))
    assert (row.campaign_instance_id, row.priority) == (1, 1)
    assert (found.migrated, found.removed) == ({11}, {11, 12})


# --- follow-ups (section 5.3) -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "clicked", "mail"),
    [
        ('{"has_medical_conditions": true}', True, "followup_4_hq_with_yes"),
        ('{"main_questions_yes_count": 1}', False, "followup_4_hq_with_yes"),
        ('{"has_medical_conditions": false}', True, "followup_3_hq_no_yes"),
        ("{bad", False, "followup_3_hq_no_yes"),
        (None, True, "followup_2_clicked_no_hq"),
        (None, False, "followup_1_cold"),
    ],
)
def test_a_follow_up_is_of_the_kind_that_the_contact_behaved(
    agency: WriteAgency, answer: str | None, clicked: bool, mail: str
) -> None:
    sent = "2026-12-20"
    events = [
        {"contact_id": 7, "event_type": "eligibility_answered", "created_at": sent}
        | {"metadata": answer}
    ]
    path = agency(
        contacts=[{"id": 7}],
        email_schedules=[scheduled(7, "AEP", sent, "delivered", id=5, event="2026-09-15")],
        contact_events=events if answer else [],
        tracking_clicks=[{"contact_id": 7, "clicked_at": sent if clicked else "2026-12-19 23:00"}],
    )
    (row,) = [one for one in plan(path, NEW_YEAR, NEW_YEAR).rows if one.email_type != "aep"]
    assert (row.email_type, row.event_date) == (mail, date(2026, 12, 20))
    assert (row.ideal_send_date, row.deadline) == (date(2026, 12, 22), date(2027, 1, 24))
    assert row.scheduled_send_date == NEW_YEAR  # late ones go at once
    assert row.metadata is not None
    assert row.metadata["initial_comm_log_id"] == 5
    assert row.metadata["followup_behavior"]["clicked"] is clicked


def test_a_follow_up_of_a_birthday_is_about_the_birthday(agency: WriteAgency) -> None:
    parent = scheduled(7, "birthday", "2026-12-20", "sent", event="2027-01-03")
    path = agency(contacts=[{"id": 7}], email_schedules=[parent])
    assert only(plan(path, NEW_YEAR, NEW_YEAR), "followup_1_cold").event_date == date(2027, 1, 3)


def test_a_later_follow_up_ends_the_matter(agency: WriteAgency) -> None:
    for day, ended in (("2026-12-21", True), ("2026-12-20", False)):
        rows = [
            scheduled(7, "aep", "2026-12-20", "sent"),
            scheduled(7, "FOLLOWUP_1_COLD", day, "failed"),
        ]
        path = agency(contacts=[{"id": 7}], email_schedules=rows)
        assert (of(plan(path, NEW_YEAR, NEW_YEAR), "followup_1_cold") == []) is ended


# --- steps 4 to 6: conflicts, frequency and ranges ---------------------------------------------


def candidate(email_type: str, ideal: date, priority: int, latest: date | None = None) -> Candidate:
    """A candidate of contact 1 that has gone through steps 1 to 3 on its ideal date."""
    contact = Contact(
        1, None, None, None, "", False, None, "", True, True, [], None, None, merged(None)
    )
    deadline = latest or ideal + timedelta(days=100)
    return Candidate(
        contact=contact,
        email_type=email_type,
        instance=None,
        event=ideal,
        ideal=ideal,
        deadline=deadline,
        priority=priority,
        email_template=None,
        sms_template=None,
        start=ideal,
        latest=deadline,
        x=ideal,
    )


def test_of_two_campaigns_on_one_ideal_date_the_better_stays(agency: WriteAgency) -> None:
    instances = [{"id": one, "campaign_type": "rate", "instance_name": f"q{one}"} for one in (3, 4)]
    targets = [
        {"contact_id": 7, "campaign_instance_id": one, "trigger_date": "2027-03-15"}
        for one in (4, 3)
    ]
    path = agency(
        contacts=[{"id": 7}],
        campaign_types=[RATE],
        campaign_instances=instances,
        contact_campaigns=targets,
    )
    first, second = of(plan(path, NEW_YEAR, NEW_YEAR), "campaign_rate")
    assert (first.campaign_instance_id, first.skip_reason) == (3, None)
    assert second.skip_reason == "Campaign priority conflict"


def test_the_frequency_limit_takes_the_more_important_first() -> None:
    config = merged({"frequency": {"max_emails": 1, "period_days": 30}})
    day = date(2027, 6, 1)
    low = candidate("aep", day, 30)
    low.latest = day + timedelta(days=58)
    high = candidate("birthday", day + timedelta(days=29), 10)
    far = candidate("post_window", day + timedelta(days=59), 40)
    assert limit_frequency([low, high, far], [], config) == [high, far]
    assert low.reason == FREQUENCY


def test_an_email_waits_for_the_frequency_limit() -> None:
    config = merged({"frequency": {"max_emails": 1, "period_days": 30}})
    day = date(2027, 6, 1)
    low = candidate("aep", day, 30)
    low.latest = day + timedelta(days=59)
    high = candidate("birthday", day + timedelta(days=29), 10)
    assert limit_frequency([low, high], [], config) == [high, low]
    assert (high.x, low.x) == (high.ideal, day + timedelta(days=59))


def test_committed_emails_count_for_the_frequency_limit() -> None:
    config = merged({"frequency": {"max_emails": 2, "period_days": 30}})
    day = date(2027, 6, 1)
    before = [day - timedelta(days=20), day + timedelta(days=10)]
    crowded = candidate("aep", day, 30)
    # Of the three no span of 30 days holds all: -20 and +10 are 31 days.
    assert limit_frequency([crowded], before, config) == [crowded]
    crowded.latest = day + timedelta(days=9)
    assert limit_frequency([crowded], [day, *before], config) == []


def test_an_email_may_move_until_it_would_crowd_a_later_one() -> None:
    config = merged({"frequency": {"max_emails": 2, "period_days": 30}})
    day = date(2027, 6, 1)
    first = candidate("birthday", day, 10)
    second = candidate("aep", day + timedelta(days=5), 30)
    third = candidate("post_window", day + timedelta(days=40), 40)
    set_ranges([first, second, third], [], config)
    assert (first.lo, first.hi) == (day, day + timedelta(days=10))
    assert (second.lo, second.hi) == (second.ideal, second.latest)


def test_an_effective_date_email_may_come_earlier_where_the_limit_lets_it() -> None:
    config = merged({"frequency": {"max_emails": 1, "period_days": 30}})
    day = date(2027, 6, 1)
    for gap, slack in ((31, 0), (32, 2)):
        first = candidate("birthday", day, 10)
        second = candidate("effective_date", day + timedelta(days=gap), 20)
        set_ranges([first, second], [], config)
        assert second.lo == second.ideal - timedelta(days=slack)
        assert first.hi == second.lo - timedelta(days=30)


def test_an_email_without_a_day_left_is_skipped() -> None:
    config = merged({"frequency": {"max_emails": 1, "period_days": 30}})
    day = date(2027, 6, 1)
    late = replace(candidate("aep", day, 30), start=day + timedelta(days=5))
    after = [day + timedelta(days=30)]
    set_ranges([late], after, config)
    assert late.hi == day
    assert late.reason == FREQUENCY


# --- steps 7 to 9: days ---------------------------------------------------------------------------


def test_products_are_exact_decimals() -> None:
    config = merged(
        {"load_balancing": {"daily_send_percentage_cap": 0.29, "overage_threshold": 1.1}}
    )
    found = limits(100, config)
    assert (found.c, found.x, found.effective_dates) == (29, 31, 8)
    assert limits(0, config).c == 1


def birthday_agency(agency: WriteAgency, *rows: dict[str, Any]) -> Path:
    contact = {"id": 7, "birth_date": "1950-06-15"}  # ideal 2027-06-01, deadline 06-14
    return agency(contacts=[contact], email_schedules=list(rows))


def test_an_email_keeps_the_day_that_it_has(agency: WriteAgency) -> None:
    def kept_on(day: str, **more: Any) -> date:
        known = {"event": "2027-06-15", "ideal_send_date": "2027-06-01"} | more
        path = birthday_agency(agency, scheduled(7, "birthday", day, "pre-scheduled", **known))
        return only(plan(path, NEW_YEAR, NEW_YEAR), "birthday").scheduled_send_date

    ideal = date(2027, 6, 1)
    assert kept_on("2027-06-10") == date(2027, 6, 10)
    assert kept_on("2027-06-14") == date(2027, 6, 14)
    assert kept_on("2027-06-15") == ideal  # after its deadline
    assert kept_on("2027-05-31") == ideal  # before its range
    assert kept_on("2027-06-10", ideal_send_date="2027-06-02") == ideal
    assert kept_on("2027-06-10", event="2027-06-14") == ideal
    assert kept_on("2027-06-10", ideal_send_date=None) == ideal


def test_a_late_email_is_spread_over_the_next_days(agency: WriteAgency) -> None:
    as_of = date(2027, 6, 10)  # five days to 14 June are left of the seven
    row = only(plan(birthday_agency(agency), as_of, as_of), "birthday")
    assert row.scheduled_send_date == as_of + timedelta(days=h(7, "birthday", 0, 2027) % 5)


def test_effective_dates_leave_a_crowded_day_as_their_hash_says(agency: WriteAgency) -> None:
    contacts = [{"id": one, "effective_date": "2020-06-15"} for one in range(1, 6)]
    config = {
        "load_balancing": {"ed_daily_soft_limit": 4, "daily_send_percentage_cap": 1.0},
        "aep": {"enabled": False},
    }
    ideal = date(2027, 5, 16)
    found = plan(agency(contacts=contacts), NEW_YEAR, NEW_YEAR, config)
    assert found.effective_date_limit == 1  # 0.3 of C = 5
    for row in found.rows:
        shift = h(row.contact_id, "effective_date", 0, 2027) % 5 - 2
        assert row.scheduled_send_date == ideal + timedelta(days=shift)

    alone = [contacts[0], *({"id": one} for one in range(2, 6))]
    (row,) = plan(agency(contacts=alone), NEW_YEAR, NEW_YEAR, config).rows
    assert row.scheduled_send_date == ideal


def aep_days(path: Path, config: dict[str, Any]) -> dict[int, int]:
    """Days after 15 September, by contact."""
    rows = of(plan(path, NEW_YEAR, NEW_YEAR, config), "aep")
    return {row.contact_id: (row.scheduled_send_date - date(2027, 9, 15)).days for row in rows}


def test_up_to_the_ceiling_a_day_takes_all_and_above_it_only_the_cap(
    agency: WriteAgency,
) -> None:
    config = {"load_balancing": {"daily_send_percentage_cap": 0.5, "overage_threshold": 1.5}}
    texans = [{"id": one} for one in (1, 2, 3)]
    three = agency(contacts=[*texans, {"id": 4, "state": "NY"}])
    assert plan(three, NEW_YEAR, NEW_YEAR, config).X == 3
    assert aep_days(three, config) == {1: 0, 2: 0, 3: 0, 4: 0}  # 4 is skipped: its ideal date

    by_hash = sorted(range(1, 5), key=lambda one: h(one, "aep", 0, 2027))
    four = agency(contacts=[*texans, {"id": 4}])
    assert aep_days(four, config) == dict(zip(by_hash, (0, 0, 1, 1), strict=True))


def test_what_stands_takes_room_and_what_finds_none_is_skipped(agency: WriteAgency) -> None:
    config = {
        "load_balancing": {"daily_send_percentage_cap": 0.5, "overage_threshold": 1.0},
        "aep": {"valid_days": 1},
    }
    committed = scheduled(99, "birthday", "2027-09-16", "failed")  # even of an unknown contact
    path = agency(contacts=[{"id": 1}, {"id": 2}, {"id": 3}], email_schedules=[committed])
    found = plan(path, NEW_YEAR, NEW_YEAR, config)
    assert (found.C, found.X) == (1, 1)
    by_hash = sorted(found.rows, key=lambda row: h(row.contact_id, "aep", 0, 2027))
    assert [row.skip_reason for row in by_hash] == [None, "Daily volume cap", "Daily volume cap"]
    assert {row.scheduled_send_date for row in found.rows} == {date(2027, 9, 15)}


def test_two_campaign_emails_of_a_contact_never_share_a_day(agency: WriteAgency) -> None:
    instances = [{"id": one, "campaign_type": "rate", "instance_name": f"q{one}"} for one in (3, 4)]
    targets = [
        {"contact_id": 7, "campaign_instance_id": 3, "trigger_date": "2027-01-06"},
        {"contact_id": 7, "campaign_instance_id": 4, "trigger_date": "2027-01-05"},
    ]
    path = agency(
        contacts=[{"id": 7}],
        campaign_types=[RATE],
        campaign_instances=instances,
        contact_campaigns=targets,
    )
    config = {"load_balancing": {"catch_up_spread_days": 1, "daily_send_percentage_cap": 1.0}}
    days = {
        row.campaign_instance_id: row.scheduled_send_date
        for row in of(plan(path, NEW_YEAR, NEW_YEAR, config), "campaign_rate")
    }
    # Both are late and want 1 January; instance 4 has the earlier deadline and so the better rank.
    assert days == {4: NEW_YEAR, 3: date(2027, 1, 2)}


# --- section 7 ------------------------------------------------------------------------------------


def test_planned_rows_that_nobody_wants_go_or_become_history(agency: WriteAgency) -> None:
    rows = [
        scheduled(7, "birthday", "2027-01-01", "pre-scheduled", id=1),
        scheduled(7, "birthday", "2026-12-31", "pre-scheduled", id=2),
        scheduled(7, "birthday", "2026-12-30", "skipped", id=3),
        scheduled(8, "birthday", "2027-01-01", "pre-scheduled", id=4),
        scheduled(9, "birthday", "2027-01-01", "pre-scheduled", id=5),
        scheduled(7, "birthday", "2027-02-01", "pre-scheduled", id=6, event="2027-03-01")
        | {"ideal_send_date": "2027-02-01"},
    ]
    path = agency(contacts=[{"id": 7}, {"id": 8}], email_schedules=rows)
    found = plan(path, NEW_YEAR, NEW_YEAR, contacts={7, 9})
    assert (found.scope, found.removed, found.history) == ({7}, {1, 6}, {2})
    assert {row.contact_id for row in found.rows} == {7}


def test_a_database_of_contacts_alone_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "bare.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT)")
        database.execute("INSERT INTO contacts VALUES (1, 'one@example.com')")
    database.close()
    found = plan(path, NEW_YEAR, NEW_YEAR)
    assert [row.email_type for row in found.rows] == ["aep"]
    assert found.issues == {(1, "state_unknown")}
