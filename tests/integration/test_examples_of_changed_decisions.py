"""What went wrong on databases that are out there, each in the words of the fault."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.hashing import splitmix64
from tests.support.sampling import sampled
from tests.support.tiny import Agency

TODAY = "2027-03-01"
PHONE: dict[str, Any] = {"phone_number": "(212) 555-0100", "sms_consent": 1}
OWN_SMS: dict[str, Any] = {"sms": {"birthday": "our_birthday_sms"}}


def statuses(agency: Agency) -> list[Any]:
    return [s for (s,) in agency.query("SELECT status FROM contact_campaigns ORDER BY id")]


def issues(agency: Agency) -> list[tuple[Any, ...]]:
    return agency.query("SELECT contact_id, issue FROM contact_issues ORDER BY 1, 2")


def texts(agency: Agency) -> list[Any]:
    """The templates of text messages, by contact and ideal date."""
    sql = """SELECT sms_template FROM email_schedules WHERE status <> 'sent'
        ORDER BY contact_id, ideal_send_date"""
    return [template for (template,) in agency.query(sql)]


def deliver(agency: Agency, day: str) -> None:
    """The sender sends what is due."""
    agency.query(
        "UPDATE email_schedules SET status = 'sent', actual_send_datetime = scheduled_send_date"
        " WHERE status = 'pre-scheduled' AND scheduled_send_date <= ?",
        day,
    )


# 1. Several dates of one campaign


def test_the_second_of_three_dates_of_a_campaign_was_deleted_after_the_first_was_sent(
    agency: Agency,
) -> None:
    agency.contact()
    agency.campaign(3, days_before_event=14, enable_followups=0)
    for trigger in ("2027-08-20", "2027-09-20", "2027-10-20"):
        agency.target(3, trigger)
    agency.plan(TODAY)
    deliver(agency, "2027-08-06")
    assert agency.planned("2027-08-07") == [
        "campaign_promo#3 2027-09-20: 2027-09-06",
        "campaign_promo#3 2027-10-20: 2027-10-06",
    ]
    assert statuses(agency) == ["sent", "scheduled", "scheduled"]


def test_a_row_of_an_older_scheduler_near_a_date_handles_it(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, days_before_event=14, enable_followups=0)
    agency.target(3, "2027-03-20")
    agency.target(3, "2027-05-20")
    agency.sent("campaign_promo_3", "2027-02-25")  # nine days before the first is due
    assert agency.planned(TODAY) == ["campaign_promo#3 2027-05-20: 2027-05-06"]


def test_a_target_without_a_date_is_not_sent_again_when_the_instance_changes(
    agency: Agency,
) -> None:
    agency.contact()
    agency.campaign(3, active_start_date="2027-03-01", enable_followups=0)
    agency.target(3, None)
    agency.plan(TODAY)
    deliver(agency, TODAY)
    agency.query("UPDATE campaign_instances SET active_start_date = '2027-03-15'")
    assert agency.planned("2027-03-02") == []


# 2. AEP


@pytest.mark.parametrize(
    ("of_type", "instance", "replaced"),
    sampled(
        [
            ({}, {}, False),
            ({}, {"active_end_date": "2027-12-31"}, False),
            ({}, {"spread_start_date": "2027-10-01", "spread_end_date": "2027-10-09"}, False),
            ({"target_all_contacts": 0}, {}, True),
            ({}, {"active_start_date": "2027-09-20"}, True),
            (
                {"spread_evenly": 1},
                {"spread_start_date": "2027-10-01", "spread_end_date": "2027-10-09"},
                True,
            ),
            ({}, {"metadata": '{"trigger": "contact_created"}'}, True),
            ({"active": 0}, {"active_start_date": "2027-09-20"}, False),
            ({}, {"active_start_date": "2028-09-20"}, False),  # beyond the horizon
        ],
        3,
    ),
)
def test_all_aep_mail_vanished_where_a_later_scheduler_had_put_a_dateless_type_aep(
    agency: Agency, of_type: dict[str, Any], instance: dict[str, Any], replaced: bool
) -> None:
    agency.contact()
    agency.campaign(3, "aep", **{"target_all_contacts": 1} | of_type, **instance)
    lines = agency.planned(TODAY, aep={"enabled": True})
    assert ("aep 2027-09-15: 2027-09-15" not in lines) is replaced


def test_the_dateless_aep_instance_of_the_lowest_id_lends_its_templates_and_priority(
    agency: Agency,
) -> None:
    agency.contact(**PHONE)
    everyone: dict[str, Any] = {"target_all_contacts": 1, "priority": 7}
    agency.campaign(5, "aep", email_template="five", **everyone)
    agency.campaign(4, "aep", email_template="four", sms_template="text", **everyone)
    agency.plan(TODAY, aep={"enabled": True})
    sql = "SELECT email_type, priority, email_template, sms_template FROM email_schedules"
    assert agency.query(sql) == [("aep", 7, "four", "text")]


def test_aep_mail_that_a_campaign_has_sent_is_not_sent_again_by_the_built_in_one(
    agency: Agency,
) -> None:
    agency.contact()
    agency.sent("campaign_aep", "2027-09-10", status="scheduled", campaign_instance_id=9)
    assert agency.planned(TODAY, aep={"enabled": True}) == []


# 3. Effective dates of 1 and 2 March


@pytest.mark.parametrize(
    ("effective", "expected"),
    [
        ("2026-03-01", "effective_date 2027-03-01: 2027-02-01"),
        ("2026-03-02", "effective_date 2027-03-02: 2027-02-01"),
        ("2026-03-03", "effective_date 2027-03-03: 2027-02-01"),
        ("2026-03-04", "effective_date 2027-03-04: 2027-02-02"),
    ],
)
def test_the_first_anniversary_of_policies_of_early_march_was_lost_for_a_year(
    agency: Agency, effective: str, expected: str
) -> None:
    agency.contact(effective_date=effective)
    assert agency.planned("2027-01-15") == [expected]


# 4. Text messages


def test_every_contact_with_a_phone_number_got_a_text_on_every_anniversary(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-15", effective_date="2020-10-01", **PHONE)
    agency.plan(TODAY)
    assert texts(agency) == [None, None]
    agency.plan(TODAY, **OWN_SMS)
    assert texts(agency) == ["our_birthday_sms", None]


@pytest.mark.parametrize(
    ("columns", "texted"),
    sampled(
        [
            ({}, True),
            ({"sms_consent": "yes"}, True),
            ({"sms_consent": 0}, False),
            ({"sms_consent": None}, False),
            ({"sms_consent": 2}, False),
            ({"phone_number": "555-0100"}, False),
            ({"phone_number": "N/A"}, False),
            ({"phone_number": "0000000000"}, False),
            ({"phone_number": "12125550100.0"}, True),
            ({"phone_number": "1234567890123456"}, False),
        ],
        3,
    ),
)
def test_a_text_needs_a_usable_number_and_the_consent_that_a_column_tells(
    agency: Agency, columns: dict[str, Any], texted: bool
) -> None:
    agency.contact(birth_date="1950-06-15", **PHONE | columns)
    agency.plan(TODAY, **OWN_SMS)
    assert texts(agency) == (["our_birthday_sms"] if texted else [None])
    usable = "phone_number" not in columns or texted
    assert issues(agency) == ([] if usable else [(1, "invalid_phone")])


@pytest.mark.parametrize("column", sampled(["do_not_contact", "do_not_communicate"], 1))
def test_contacts_that_had_opted_out_were_mailed(agency: Agency, column: str) -> None:
    flags: tuple[Any, ...] = ("Yes", "no", 1)
    for contact, flag in enumerate(flags, start=1):
        columns = {"birth_date": "1950-06-15", column: flag}
        agency.contact(contact, **columns)
    agency.insert("suppressions", contact_id=3, reason="complaint")
    birthday = "birthday 2027-06-15: 2027-06-01"
    assert agency.planned(TODAY) == [
        f"1 {birthday} skipped, Suppressed: {column}",
        f"2 {birthday}",
        f"3 {birthday} skipped, Suppressed: complaint",  # the table comes first
    ]
    assert len(agency.planned(TODAY, contacts={"opt_out_columns": []})) == 3
    assert agency.lines(1) == [birthday]


@pytest.mark.parametrize(
    ("row", "mailed", "texted"),
    sampled(
        [
            ({"contact_id": 1, "channel": "sms"}, True, False),
            ({"contact_id": 1, "channel": " SMS ", "email_types": "aep"}, True, True),
            ({"contact_id": 1, "channel": "sms", "email_types": "aep, Birthday"}, True, False),
            ({"contact_id": 1, "channel": "email"}, False, False),
            ({"contact_id": 1, "email_types": "campaign_*, followup_1_cold"}, True, True),
            ({"contact_id": 1, "email_types": "BIRTHDAY"}, False, False),
            ({"phone": "1-212-555-0100"}, True, False),
            ({"phone": "212.555.0100", "email_types": "aep"}, True, True),
            ({"phone": "2125550101"}, True, True),
            ({"phone": "2125550101", "contact_id": 1}, True, True),  # that number only
        ],
        3,
    ),
)
def test_a_suppression_of_texts_or_of_a_type_took_everything_away(
    agency: Agency, row: dict[str, Any], mailed: bool, texted: bool
) -> None:
    agency.contact(birth_date="1950-06-15", **PHONE)
    agency.insert("suppressions", reason="asked", **row)
    note = "" if mailed else " skipped, Suppressed: asked"
    assert agency.planned(TODAY, **OWN_SMS) == [f"birthday 2027-06-15: 2027-06-01{note}"]
    if mailed:
        assert texts(agency) == (["our_birthday_sms"] if texted else [None])


def test_a_suppression_of_campaigns_leaves_the_birthday(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-15")
    agency.campaign(3)
    agency.target(3, "2027-07-20")
    agency.insert("suppressions", contact_id=1, reason="no ads", email_types="campaign_*")
    assert agency.planned(TODAY) == [
        "birthday 2027-06-15: 2027-06-01",
        "campaign_promo#3 2027-07-20: 2027-07-20 skipped, Suppressed: no ads",
    ]


# 5. Targets without a date, welcome campaigns, campaigns that start later


@pytest.mark.parametrize(
    ("start", "created", "trigger"),
    sampled(
        [
            (None, "2027-02-20 10:00:00", "2027-02-20"),
            ("2027-02-15", "2027-02-20", "2027-02-20"),
            ("2027-02-20", "2027-02-20", "2027-02-20"),
            ("2027-02-25", "2027-02-20", "2027-02-25"),
            ("2027-02-25", "then", "2027-02-25"),
            (None, None, "2027-02-10"),  # that of the instance
        ],
        2,
    ),
)
def test_targets_that_were_added_later_all_went_by_the_date_of_the_campaign(
    agency: Agency, start: str | None, created: str | None, trigger: str
) -> None:
    agency.contact()
    agency.campaign(3, active_start_date=start, created_at="2027-02-10")
    agency.target(3, None, created_at=created)
    (line,) = agency.planned(TODAY)
    assert line.startswith(f"campaign_promo#3 {trigger}: {trigger} -> ")


def test_a_welcome_campaign_goes_by_the_day_on_which_each_contact_was_created(
    agency: Agency,
) -> None:
    agency.campaign(
        3,
        "welcome",
        target_all_contacts=1,
        days_before_event=-3,
        active_start_date="2027-02-20",
        metadata='{"trigger": "contact_created"}',
    )
    for contact, created in enumerate(
        ["2027-02-19", "2027-02-26 12:00:00", 1803729600, "1803729600000", None, "?"], start=1
    ):
        agency.contact(contact, created_at=created)
    assert agency.planned(TODAY) == [
        "2 campaign_welcome#3 2027-02-26: 2027-03-01",
        "3 campaign_welcome#3 2027-02-27: 2027-03-02",
        "4 campaign_welcome#3 2027-02-27: 2027-03-02",
    ]


def test_a_campaign_of_next_month_was_not_planned_before_it_began(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, days_before_event=14, active_start_date="2027-04-01")
    agency.target(3, "2027-04-10")
    agency.target(3, "2027-06-20")
    assert agency.planned(TODAY) == [
        "campaign_promo#3 2027-04-10: 2027-04-01",
        "campaign_promo#3 2027-06-20: 2027-06-06",
    ]


# 6. What a target carries


def test_the_new_premium_of_a_target_reaches_the_row_and_the_follow_up(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3)
    agency.target(3, "2027-03-01", metadata='{"new_premium": 118.5, "plan": "G"}')
    agency.target(3, "2027-03-01 09:00", metadata='{"new_premium": 99}')  # the same date
    agency.target(3, "2027-05-01", metadata="[1]")
    agency.plan(TODAY)
    sql = """SELECT email_type, metadata FROM email_schedules WHERE status = 'pre-scheduled'
        ORDER BY scheduled_send_date"""
    (first, carried), (second, nothing) = agency.query(sql)
    assert (first, second, nothing) == ("campaign_promo", "campaign_promo", None)
    target = {"new_premium": 118.5, "plan": "G"}
    assert json.loads(carried) == {"target": target}
    deliver(agency, TODAY)
    agency.plan("2027-03-02")
    (kind, followup), _ = agency.query(sql)
    assert kind == "followup_1_cold"
    assert json.loads(followup)["target"] == target


# 7. Waiting for the frequency limit


def test_a_message_that_meets_a_full_month_was_lost_for_the_year(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-15", effective_date="2020-07-05")  # 1 June, 5 June
    one: dict[str, Any] = {"frequency": {"max_emails": 1, "period_days": 20}}
    assert agency.planned(TODAY, **one) == [
        "birthday 2027-06-15: 2027-06-01",
        "effective_date 2027-07-05: 2027-06-05 -> 2027-06-21",
    ]
    one["frequency"]["period_days"] = 34  # its last day is 4 July
    assert agency.planned(TODAY, **one)[1].endswith(" skipped, Frequency limit exceeded")


# 8. Arms and control groups


def test_arms_of_a_split_share_no_contact_and_leave_a_control_group(agency: Agency) -> None:
    def share(contact: int) -> int:
        return splitmix64(contact ^ splitmix64(zlib.crc32(b"split:spring"))) % 100

    arms = {3: (0, 40), 4: (40, 80)}
    for instance, (first, end) in arms.items():
        metadata = {"split": {"group": "spring", "from": first, "to": end}}
        agency.campaign(
            instance, target_all_contacts=1, created_at=TODAY, metadata=json.dumps(metadata)
        )
    for contact in range(1, 61):
        agency.contact(contact)
    agency.plan(TODAY)
    found = dict(agency.query("SELECT contact_id, campaign_instance_id FROM email_schedules"))
    assert found == {
        contact: instance
        for contact in range(1, 61)
        for instance, (first, end) in arms.items()
        if first <= share(contact) < end
    }
    assert 0 < len(found) < 60


def test_a_listed_target_of_another_arm_is_told_so(agency: Agency) -> None:
    metadata = '{"split": {"group": "spring", "from": 0, "to": 50}}'
    agency.campaign(3, metadata=metadata)
    for contact in range(1, 9):
        agency.contact(contact)
        agency.target(3, "2027-06-20", contact)
    notes = [line.partition("2027-06-20: 2027-06-20")[2] for line in agency.planned(TODAY)]
    assert set(notes) == {"", " skipped, Outside campaign split"}


# 9. What cannot be read


def test_a_trigger_date_of_6_1_2027_was_mailed_at_once(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, created_at=TODAY)
    agency.target(3, "6/1/2027")
    agency.target(3, "2027-06-01")
    assert agency.planned(TODAY) == ["campaign_promo#3 2027-06-01: 2027-06-01"]
    assert statuses(agency) == ["pending", "scheduled"]


@pytest.mark.parametrize("column", ["active_start_date", "active_end_date", "spread_end_date"])
def test_a_date_of_an_instance_that_cannot_be_read_was_taken_for_missing(
    agency: Agency, column: str
) -> None:
    agency.contact()
    agency.campaign(3, target_all_contacts=1, **{column: "4/1/2027"})
    agency.campaign(4, target_all_contacts=1, created_at=TODAY)
    summary = agency.plan(TODAY)
    assert agency.lines() == ["campaign_promo#4 2027-03-01: 2027-03-01"]
    ((left_out, problem),) = [(one.instance_id, one.problem) for one in summary.left_out]
    assert left_out == 3
    assert column in problem
    assert "4/1/2027" in problem


def test_ids_of_another_program_counted_as_the_numbers_that_they_begin_with(
    agency: Agency,
) -> None:
    agency.contact(3)
    agency.contact(7)
    agency.campaign(5, created_at=TODAY)
    agency.query("DROP TABLE contact_campaigns")
    agency.query(
        "CREATE TABLE contact_campaigns (id INTEGER PRIMARY KEY, contact_id TEXT,"
        " campaign_instance_id INTEGER, trigger_date TEXT, status TEXT)"
    )
    for contact in ("003Hs00004AbC", "7f3c-11", "7.5", " 7 "):
        agency.insert(
            "contact_campaigns",
            contact_id=contact,
            campaign_instance_id=5,
            trigger_date="2027-06-20",
        )
    summary = agency.plan(TODAY)
    assert agency.lines() == ["7 campaign_promo#5 2027-06-20: 2027-06-20"]
    assert summary.unknown_targets == 3


def test_contacts_whose_ids_are_texts_plan_as_they_are(tmp_path: Path) -> None:
    agency = Agency(tmp_path / "imported.sqlite3")
    agency.query("DROP TABLE contacts")
    agency.query("CREATE TABLE contacts (id TEXT, email TEXT, state TEXT, birth_date TEXT)")
    for number, contact in enumerate(("42", "43.0", "003Hs00004AbC", "7f3c-11")):
        agency.insert(
            "contacts",
            id=contact,
            email=f"u{number}@example.com",
            state="TX",
            birth_date="1950-06-15",
        )
    summary = agency.plan(TODAY)
    assert (summary.contacts_total, summary.contacts_in_scope) == (4, 2)
    birthday = "birthday 2027-06-15: 2027-06-01"
    assert agency.lines() == [f"42 {birthday}", f"43 {birthday}"]


@pytest.mark.parametrize(
    ("state", "zip_code", "protected"),
    [("", "2138", "MA"), ("", "10001.0", "NY"), ("Connecticut", "", "CT")],
)
def test_zip_codes_without_their_zero_and_names_of_states_left_contacts_unprotected(
    agency: Agency, state: str, zip_code: str, protected: str
) -> None:
    agency.contact(state=state, zip_code=zip_code, birth_date="1950-06-15")
    note = f"skipped, Year-round exclusion for {protected}"
    assert agency.planned(TODAY) == [f"birthday 2027-06-15: 2027-06-01 {note}"]
    assert issues(agency) == []


def test_birth_dates_of_1900_and_2050_were_taken_for_birthdays(agency: Agency) -> None:
    agency.contact(1, birth_date="1900-01-01")
    agency.contact(2, birth_date="2050-06-15")
    assert agency.planned(TODAY) == []
    assert issues(agency) == [(1, "invalid_birth_date"), (2, "invalid_birth_date")]


@pytest.mark.parametrize(
    ("moment", "clicked"),
    [(1803729600, True), ("1803729600", True), (1803729600000, True), (1803470400, False)],
)
def test_clicks_with_unix_times_were_not_seen(
    agency: Agency, moment: object, clicked: bool
) -> None:
    agency.contact()
    agency.sent("aep", "2027-02-27")  # 1803729600 is that day at noon
    agency.insert("tracking_clicks", contact_id=1, clicked_at=moment)
    kind = "followup_2_clicked_no_hq" if clicked else "followup_1_cold"
    assert agency.planned(TODAY) == [f"{kind} 2027-02-27: 2027-03-01"]


# 11. Window states without the date


@pytest.mark.parametrize(
    ("state", "dates", "reason"),
    sampled(
        [
            ("CA", {"effective_date": "2020-10-01"}, "Birth date unknown for CA"),
            ("MO", {"birth_date": "1950-06-15"}, "Effective date unknown for MO"),
            ("TX", {"effective_date": "2020-10-01"}, None),
            ("NY", {"effective_date": "2020-10-01"}, None),  # no window
        ],
        3,
    ),
)
def test_contacts_of_window_states_without_the_date_were_unprotected_and_nobody_knew(
    agency: Agency, state: str, dates: dict[str, Any], reason: str | None
) -> None:
    agency.contact(state=state, **dates)
    agency.campaign(3, respect_exclusion_windows=0)
    agency.target(3, "2027-04-20")
    plain = agency.planned(TODAY)
    assert issues(agency) == ([] if reason is None else [(1, "no_window_date")])
    strict = agency.planned(TODAY, organization={"send_without_window_date": False})
    campaign, message = plain  # only messages that respect windows are held back
    note = "" if reason is None else f" skipped, {reason}"
    assert strict == [campaign, f"{message}{note}"]


# 12. The daily cap


def test_a_message_was_lost_to_the_cap_that_could_have_gone_if_another_had_waited(
    agency: Agency,
) -> None:
    # C = X = 1; the two birthdays may go on two days each, the brief campaign on one
    for contact in (1, 2):
        agency.contact(contact, birth_date="1950-06-15")
    agency.contact(3)
    agency.campaign(4, "brief", priority=50, active_end_date="2027-06-12")
    agency.target(4, "2027-06-12", 3)
    tight = {"daily_send_percentage_cap": 0.01, "overage_threshold": 1.0}
    agency.plan(TODAY, load_balancing=tight, timing={"birthday_days_before": 3})
    assert agency.days() == ["2027-06-12", "2027-06-13", "2027-06-14"]
    assert agency.days(3) == ["2027-06-12"]


# 13. Failed underwriting and follow-ups


@pytest.mark.parametrize(
    ("parent", "followed"),
    [("birthday", False), ("effective_date", False), ("aep", True), ("campaign_aep", True)],
)
def test_contacts_who_failed_underwriting_got_follow_ups_to_what_they_must_not_get(
    agency: Agency, parent: str, followed: bool
) -> None:
    agency.contact(failed_underwriting="yes")
    agency.campaign(3, "aep", active_start_date="2026-09-01", active_end_date="2027-02-28")
    instance = {"campaign_instance_id": 3} if parent == "campaign_aep" else {}
    agency.sent(parent, "2027-02-27", **instance)
    organization = {"exclude_failed_underwriting_global": True}
    note = "" if followed else " skipped, Failed underwriting - global exclusion"
    (line,) = agency.planned(TODAY, organization=organization)
    assert line.partition(" 2027-02-27: 2027-03-01")[2] == note


@pytest.mark.parametrize(
    ("said", "kind"),
    sampled(
        [
            ('{"has_medical_conditions": 1}', "followup_4_hq_with_yes"),
            ('{"has_medical_conditions": "true"}', "followup_4_hq_with_yes"),
            ('{"main_questions_yes_count": "2"}', "followup_4_hq_with_yes"),
            ('{"has_medical_conditions": 0}', "followup_3_hq_no_yes"),
            ('{"has_medical_conditions": "false"}', "followup_3_hq_no_yes"),
            ('{"main_questions_yes_count": "0"}', "followup_3_hq_no_yes"),
        ],
        2,
    ),
)
def test_answers_as_1_or_true_or_2_in_quotes_were_taken_for_no(
    agency: Agency, said: str, kind: str
) -> None:
    agency.contact()
    agency.sent("aep", "2027-02-27")
    agency.insert(
        "contact_events",
        contact_id=1,
        event_type="eligibility_answered",
        created_at="2027-02-28",
        metadata=said,
    )
    assert agency.planned(TODAY) == [f"{kind} 2027-02-27: 2027-03-01"]


# 10. Statuses and names of columns


def test_the_agencys_own_statuses_and_columns(agency: Agency) -> None:
    agency.query("ALTER TABLE contacts ADD COLUMN DOB TEXT")
    agency.contact(1, status="Client", DOB="1950-06-15", birth_date="1950-01-01")
    agency.contact(2, status=" prospect", DOB="1950-06-15")
    agency.contact(3, status="active", DOB="1950-06-15")
    settings = {"active_statuses": ["client", "Prospect "], "columns": {"birth_date": "dob"}}
    birthday = "birthday 2027-06-15: 2027-06-01"
    assert agency.planned(TODAY, contacts=settings) == [f"1 {birthday}", f"2 {birthday}"]
