"""Follow-ups, by examples whose dates were worked out by hand.

The default day is 1 March 2027; an email sent on 25 January is the oldest that is followed up.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.sampling import sampled
from tests.support.tiny import Agency

TODAY = "2027-03-01"
ANSWERED = "eligibility_answered"


def click(agency: Agency, day: str, contact_id: int = 1) -> None:
    agency.insert("tracking_clicks", contact_id=contact_id, clicked_at=day)


def answer(agency: Agency, day: str, metadata: str | None = None, kind: str = ANSWERED) -> None:
    row = {"contact_id": 1, "event_type": kind, "created_at": day, "metadata": metadata}
    agency.insert("contact_events", **row)


# When


@pytest.mark.parametrize(
    ("sent", "expected"),
    sampled(
        [
            ("2027-03-01", ["followup_1_cold 2027-03-01: 2027-03-03"]),
            ("2027-02-27", ["followup_1_cold 2027-02-27: 2027-03-01"]),
            # overdue at the first run: on its first day, with no spread
            ("2027-02-10", ["followup_1_cold 2027-02-10: 2027-02-12 -> 2027-03-01"]),
            ("2027-01-25", ["followup_1_cold 2027-01-25: 2027-01-27 -> 2027-03-01"]),  # 35 days ago
            ("2027-01-24", []),
            ("2027-03-02", []),  # not sent yet, whatever the status says
        ],
        2,
    ),
)
def test_a_follow_up_is_due_two_days_after_an_email_of_the_last_five_weeks(
    agency: Agency, sent: str, expected: list[str]
) -> None:
    agency.contact()
    agency.sent("aep", sent)
    assert agency.planned(TODAY) == expected


def test_an_overdue_follow_up_after_the_send_time_is_due_tomorrow(agency: Agency) -> None:
    agency.contact(1)
    agency.contact(2)
    agency.sent("aep", "2027-02-10", 1)
    agency.sent("aep", "2027-01-25", 2)  # its deadline is today
    assert agency.planned(TODAY, "2027-03-02") == [
        "1 followup_1_cold 2027-02-10: 2027-02-12 -> 2027-03-02"
    ]


@pytest.mark.parametrize(
    ("actually", "expected"),
    [
        ("2027-02-28 09:00:00", ["followup_1_cold 2027-02-28: 2027-03-02"]),
        ("2027-03-02T00:10:00Z", []),
        ("?", ["followup_1_cold 2027-02-27: 2027-03-01"]),
    ],
)
def test_the_time_of_sending_counts_before_the_planned_day(
    agency: Agency, actually: str, expected: list[str]
) -> None:
    agency.contact()
    agency.sent("aep", "2027-02-27", actual_send_datetime=actually)
    assert agency.planned(TODAY) == expected


# After what


@pytest.mark.parametrize(
    ("email_type", "status", "followed"),
    sampled(
        [
            ("birthday", "sent", True),
            ("EFFECTIVE_DATE", "delivered", True),
            ("aep", "sent", True),
            ("POST_WINDOW_BIRTHDAY", "sent", True),
            ("aep", "scheduled", False),
            ("aep", "failed", False),
            ("aep", "SENT", False),
            ("followup_1_cold", "sent", False),
            ("custom_note", "sent", False),
            ("campaign_promo", "sent", False),  # of no instance
        ],
        3,
    ),
)
def test_what_is_followed_up(agency: Agency, email_type: str, status: str, followed: bool) -> None:
    agency.contact()
    agency.sent(email_type, "2027-02-27", status=status)
    assert bool(agency.planned(TODAY)) is followed


@pytest.mark.parametrize(
    ("of_type", "metadata", "followed"),
    sampled(
        [
            ({}, None, True),
            ({"enable_followups": 0}, None, False),
            ({"enable_followups": 0}, '{"enable_followups": true}', True),
            ({}, '{"enable_followups": false}', False),
            ({}, "{not json", False),  # left out, and its follow-ups with it
            ({"active": 0}, None, True),  # over, but what it sent is followed up
            ({}, "", True),
        ],
        2,
    ),
)
def test_campaigns_say_whether_they_are_followed_up(
    agency: Agency, of_type: dict[str, Any], metadata: str | None, followed: bool
) -> None:
    agency.contact()
    agency.campaign(3, metadata=metadata, active_end_date="2027-02-27", **of_type)
    agency.sent("campaign_promo", "2027-02-27", campaign_instance_id=3)
    lines = agency.planned(TODAY)
    assert lines == (["followup_1_cold#3 2027-02-27: 2027-03-01"] if followed else [])


def test_an_old_row_that_names_its_instance_is_followed_up(agency: Agency) -> None:
    agency.contact()
    agency.campaign(12, "rate_increase")
    agency.sent("campaign_rate_increase_12", "2027-02-27")
    assert agency.planned(TODAY) == ["followup_1_cold#12 2027-02-27: 2027-03-01"]


def test_only_the_latest_email_is_followed_up(agency: Agency) -> None:
    agency.contact()
    agency.sent("aep", "2027-02-26")
    agency.sent("birthday", "2027-02-27")
    agency.sent("custom_note", "2027-02-28")
    assert agency.planned(TODAY) == ["followup_1_cold 2027-02-27: 2027-03-01"]


def test_of_two_on_one_day_the_later_row_is(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3)
    agency.sent("aep", "2027-02-27")
    agency.sent("campaign_promo", "2027-02-27", campaign_instance_id=3)
    assert agency.planned(TODAY) == ["followup_1_cold#3 2027-02-27: 2027-03-01"]


@pytest.mark.parametrize(
    ("day", "status", "followed"),
    sampled(
        [
            ("2027-02-28", "sent", False),
            ("2027-03-05", "scheduled", False),
            ("2027-02-28", "failed", False),
            ("2027-02-27", "sent", True),  # to what came before
            ("2027-02-20", "sent", True),
            ("soon", "sent", True),
        ],
        2,
    ),
)
def test_an_email_is_followed_up_once(
    agency: Agency, day: str, status: str, followed: bool
) -> None:
    agency.contact()
    agency.sent("aep", "2027-02-27")
    agency.sent("FOLLOWUP_2_CLICKED_NO_HQ", day, status=status)
    assert bool(agency.planned(TODAY)) is followed


# How


@pytest.mark.parametrize(
    ("said", "kind"),
    sampled(
        [
            (None, "followup_3_hq_no_yes"),
            ("{bad", "followup_3_hq_no_yes"),
            ("{}", "followup_3_hq_no_yes"),
            ('{"has_medical_conditions": false}', "followup_3_hq_no_yes"),
            ('{"has_medical_conditions": 2}', "followup_3_hq_no_yes"),
            ('{"has_medical_conditions": "no"}', "followup_3_hq_no_yes"),
            ('{"main_questions_yes_count": 0}', "followup_3_hq_no_yes"),
            ('{"main_questions_yes_count": "some"}', "followup_3_hq_no_yes"),
            ('{"has_medical_conditions": true}', "followup_4_hq_with_yes"),
            ('{"main_questions_yes_count": 2}', "followup_4_hq_with_yes"),
        ],
        3,
    ),
)
def test_answers_decide_the_follow_up(agency: Agency, said: str | None, kind: str) -> None:
    agency.contact()
    agency.sent("aep", "2027-02-27")
    click(agency, "2027-02-28")
    answer(agency, "2027-02-28", said)
    assert agency.planned(TODAY) == [f"{kind} 2027-02-27: 2027-03-01"]


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2027-02-27", "followup_2_clicked_no_hq"),  # on the day itself
        ("2027-02-28T10:00:00", "followup_2_clicked_no_hq"),
        ("2027-02-26", "followup_1_cold"),
        ("?", "followup_1_cold"),
    ],
)
def test_a_click_since_the_email_decides_it(agency: Agency, day: str, kind: str) -> None:
    agency.contact()
    agency.contact(2)
    agency.sent("aep", "2027-02-27")
    click(agency, day)
    click(agency, "2027-02-28", 2)
    answer(agency, "2027-02-26", '{"has_medical_conditions": true}')  # before the email
    answer(agency, "2027-02-28", '{"has_medical_conditions": true}', kind="page_view")
    assert agency.planned(TODAY) == [f"1 {kind} 2027-02-27: 2027-03-01"]


def test_behaviour_is_looked_at_anew_until_the_follow_up_is_sent(agency: Agency) -> None:
    agency.contact()
    agency.sent("aep", "2027-02-28")
    assert agency.planned(TODAY) == ["followup_1_cold 2027-02-28: 2027-03-02"]
    click(agency, TODAY)
    assert agency.planned(TODAY) == ["followup_2_clicked_no_hq 2027-02-28: 2027-03-02"]
    answer(agency, TODAY)
    assert agency.planned(TODAY) == ["followup_3_hq_no_yes 2027-02-28: 2027-03-02"]
    agency.query("UPDATE email_schedules SET status = 'sent' WHERE status = 'pre-scheduled'")
    answer(agency, "2027-03-03", '{"has_medical_conditions": true}')
    assert agency.planned("2027-03-03") == []


# What it carries


def test_a_follow_up_tells_what_it_follows(agency: Agency) -> None:
    agency.contact(phone_number="212-555-0100", sms_consent=1)
    columns = {"event_year": 2027, "event_month": 3, "event_day": 14}
    parent = agency.sent("BIRTHDAY", "2027-02-27", **columns)
    click(agency, "2027-02-28")
    agency.plan(TODAY)
    sql = """SELECT email_type, event_year, event_month, event_day, campaign_instance_id, priority,
        email_template, sms_template, metadata FROM email_schedules WHERE id <> ?"""
    ((*row, metadata),) = agency.query(sql, parent)
    kind = "followup_2_clicked_no_hq"
    assert row == [kind, 2027, 3, 14, None, 50, f"{kind}_template", f"{kind}_sms"]
    assert json.loads(metadata) == {
        "initial_comm_log_id": parent,
        "initial_email_type": "birthday",
        "followup_behavior": {"clicked": True, "answered": False, "medical_conditions": False},
    }


def test_a_campaigns_follow_up_is_the_campaigns(agency: Agency) -> None:
    agency.contact(phone_number="212-555-0100", sms_consent=1)
    agency.campaign(
        3,
        priority=7,
        metadata='{"followup_email_template": "own_follow", "followup_sms_template": ""}',
    )
    parent = agency.sent(
        "CAMPAIGN_PROMO",
        "2027-02-27",
        campaign_instance_id=3,
        event_year=2027,
        event_month=6,
        event_day=20,
    )
    answer(agency, "2027-02-28", '{"has_medical_conditions": true}')
    agency.plan(TODAY)
    sql = """SELECT email_type, event_year, event_month, event_day, campaign_instance_id, priority,
        email_template, sms_template, metadata FROM email_schedules WHERE id <> ?"""
    ((*row, metadata),) = agency.query(sql, parent)
    kind = "followup_4_hq_with_yes"
    assert row == [kind, 2027, 2, 27, 3, 7, "own_follow", f"{kind}_sms"]
    assert json.loads(metadata) == {
        "initial_comm_log_id": parent,
        "initial_email_type": "campaign_promo",
        "campaign_name": "promo 3",
        "followup_behavior": {"clicked": False, "answered": True, "medical_conditions": True},
    }


@pytest.mark.parametrize(
    ("email_type", "event", "expected"),
    sampled(
        [
            ("birthday", (2027, 3, 14), "2027-03-14"),
            ("effective_date", (2027, 3, 31), "2027-03-31"),
            ("birthday", (2027, 2, 30), "2027-02-27"),  # no date: the day of sending
            ("birthday", (None, None, None), "2027-02-27"),
            ("aep", (2026, 9, 15), "2027-02-27"),
        ],
        2,
    ),
)
def test_the_event_of_a_follow_up(
    agency: Agency, email_type: str, event: tuple[int | None, ...], expected: str
) -> None:
    agency.contact()
    columns: dict[str, Any] = dict(
        zip(("event_year", "event_month", "event_day"), event, strict=True)
    )
    agency.sent(email_type, "2027-02-27", **columns)
    assert agency.planned(TODAY) == [f"followup_1_cold {expected}: 2027-03-01"]


# Windows, limits


def test_windows_hold_back_a_follow_up_and_nothing_makes_up_for_it(agency: Agency) -> None:
    # the window of 15 May begins on 14 February in California
    agency.contact(state="CA", birth_date="1950-05-15")
    agency.sent("aep", "2027-02-27")
    agency.sent("birthday", "2027-05-01", status="scheduled")
    assert agency.planned(TODAY)[0] == (
        "followup_1_cold 2027-02-27: 2027-03-01 skipped, Birthday exclusion window for CA"
    )


def test_a_campaigns_follow_up_respects_windows_though_the_campaign_does_not(
    agency: Agency,
) -> None:
    agency.contact(state="NY")
    agency.campaign(3, respect_exclusion_windows=0)
    agency.sent("campaign_promo", "2027-02-27", campaign_instance_id=3)
    assert agency.planned(TODAY) == [
        "followup_1_cold#3 2027-02-27: 2027-03-01 skipped, Year-round exclusion for NY"
    ]


def test_follow_ups_are_neither_limited_nor_counted(agency: Agency) -> None:
    agency.contact(birth_date="1950-03-20")
    agency.sent("aep", "2027-02-27")  # counts
    frequency = {"max_emails": 1, "period_days": 7}  # 6 March is 7 days later
    assert agency.planned(TODAY, frequency=frequency) == [
        "followup_1_cold 2027-02-27: 2027-03-01",
        "birthday 2027-03-20: 2027-03-06",
    ]


def test_a_failed_underwriting_is_followed_up_all_the_same(agency: Agency) -> None:
    agency.contact(failed_underwriting=1)
    agency.sent("aep", "2027-02-27")
    organization = {"exclude_failed_underwriting_global": True}
    assert agency.planned(TODAY, organization=organization) == [
        "followup_1_cold 2027-02-27: 2027-03-01"
    ]
