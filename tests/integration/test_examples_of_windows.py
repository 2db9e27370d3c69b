"""Exclusion windows and the mail after them, by examples whose dates were worked out by hand.

The default day is Monday 1 March 2027; its horizon ends on 29 February 2028.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.tiny import Agency

TODAY = "2027-03-01"


@pytest.mark.parametrize(
    ("state", "dates", "expected"),
    [
        (
            "CA",  # 15 June: 30 + 60 days before, 60 after
            {"birth_date": "1950-06-15"},
            [
                "birthday 2027-06-15: 2027-06-01 skipped, Birthday exclusion window for CA",
                "post_window 2027-08-14: 2027-08-15",
            ],
        ),
        (
            "MD",  # 16 October to 14 January, over New Year
            {"birth_date": "1950-12-15", "effective_date": "2020-02-10"},
            [
                "birthday 2027-12-15: 2027-12-01 skipped, Birthday exclusion window for MD",
                "effective_date 2028-02-10: 2028-01-11 skipped, Birthday exclusion window for MD",
                "post_window 2028-01-14: 2028-01-15",
            ],
        ),
        (
            "NV",  # from the first of June: 2 April to 31 July
            {"birth_date": "1950-06-25"},
            [
                "birthday 2027-06-25: 2027-06-11 skipped, Birthday exclusion window for NV",
                "post_window 2027-07-31: 2027-08-01",
            ],
        ),
        (
            "MO",  # 15 June: 30 + 60 days before, 33 after; it holds back the birthday as well
            {"birth_date": "1950-05-01", "effective_date": "2020-06-15"},
            [
                "birthday 2027-05-01: 2027-04-17 skipped, Effective date exclusion window for MO",
                "effective_date 2027-06-15: 2027-05-16 skipped, "
                "Effective date exclusion window for MO",
                "post_window 2027-07-18: 2027-07-19",
            ],
        ),
        (
            "MO",  # no effective date, no window
            {"birth_date": "1950-05-01"},
            ["birthday 2027-05-01: 2027-04-17"],
        ),
        (
            "ID",  # the effective date has no window there: 26 April to 27 August is the birthday's
            {"birth_date": "1950-06-25", "effective_date": "2020-05-25"},
            [
                "effective_date 2027-05-25: 2027-04-25",
                "birthday 2027-06-25: 2027-06-11 skipped, Birthday exclusion window for ID",
                "post_window 2027-08-27: 2027-08-28",
            ],
        ),
        ("ID", {"effective_date": "2020-05-25"}, ["effective_date 2027-05-25: 2027-04-25"]),
        (
            "OR",  # 16 April to 16 July: the day before it and the day after it are free
            {"birth_date": "1950-06-15", "effective_date": "2020-05-15"},
            [
                "effective_date 2027-05-15: 2027-04-15",
                "birthday 2027-06-15: 2027-06-01 skipped, Birthday exclusion window for OR",
                "post_window 2027-07-16: 2027-07-17",
            ],
        ),
        (
            "OR",
            {"birth_date": "1950-06-15", "effective_date": "2020-05-16"},
            [
                "effective_date 2027-05-16: 2027-04-16 skipped, Birthday exclusion window for OR",
                "birthday 2027-06-15: 2027-06-01 skipped, Birthday exclusion window for OR",
                "post_window 2027-07-16: 2027-07-17",
            ],
        ),
    ],
)
def test_a_window_keeps_emails_back_and_is_made_up_for(
    agency: Agency, state: str, dates: dict[str, Any], expected: list[str]
) -> None:
    agency.contact(state=state, **dates)
    assert agency.planned(TODAY) == expected


@pytest.mark.parametrize("state", ["CT", "MA", "NY", "WA"])
def test_in_some_states_nothing_is_sent_all_year(agency: Agency, state: str) -> None:
    agency.contact(state=state, birth_date="1950-06-15", effective_date="2020-09-30")
    reason = f"Year-round exclusion for {state}"
    assert agency.planned(TODAY, aep={"enabled": True}) == [
        f"birthday 2027-06-15: 2027-06-01 skipped, {reason}",
        f"effective_date 2027-09-30: 2027-08-31 skipped, {reason}",
        f"aep 2027-09-15: 2027-09-15 skipped, {reason}",
    ]


def test_from_an_age_on_nothing_is_sent(agency: Agency) -> None:
    rule = {"kind": "effective_date_window", "year_round_from_age": 76}
    agency.contact(1, birth_date="1951-06-15")  # 76 on 15 June 2027
    agency.contact(2, birth_date="1951-09-16")  # 76 the day after AEP
    agency.contact(3, birth_date="1951-09-15")
    agency.contact(4, effective_date="2020-10-15")  # no age known; its window: 16 August on
    assert agency.planned(TODAY, aep={"enabled": True}, state_rules={"TX": rule}) == [
        "1 birthday 2027-06-15: 2027-06-01",
        "1 aep 2027-09-15: 2027-09-15 skipped, Age exclusion for TX",
        "2 birthday 2027-09-16: 2027-09-02",
        "2 aep 2027-09-15: 2027-09-15",
        "3 birthday 2027-09-15: 2027-09-01",
        "3 aep 2027-09-15: 2027-09-15 skipped, Age exclusion for TX",
        "4 aep 2027-09-15: 2027-09-15 skipped, Effective date exclusion window for TX",
        "4 effective_date 2027-10-15: 2027-09-15 skipped, Effective date exclusion window for TX",
        "4 post_window 2027-10-15: 2027-10-16",
    ]


def test_an_overdue_email_is_skipped_where_its_first_day_is_excluded(agency: Agency) -> None:
    # the window begins on 17 March; the email's ideal date, 11 March, is before it
    agency.contact(state="CA", birth_date="1950-06-15", effective_date="2020-04-10")
    assert agency.planned("2027-03-18")[0] == (
        "effective_date 2027-04-10: 2027-03-11 skipped, Birthday exclusion window for CA"
    )


def test_a_catch_up_ends_before_a_window_begins(agency: Agency) -> None:
    for contact in range(1, 31):
        dates = {"birth_date": "1950-06-15", "effective_date": "2020-04-10"}
        agency.contact(contact, state="CA", **dates)
    agency.plan("2027-03-12")
    sql = "SELECT min(scheduled_send_date), max(scheduled_send_date) FROM email_schedules"
    where = " WHERE status = 'pre-scheduled' AND email_type = 'effective_date'"
    assert agency.query(sql + where) == [("2027-03-12", "2027-03-16")]


# After a window


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (
            "2027-07-01",  # the birthday is over, its make-up is not; 2028's is beyond the horizon
            [
                "post_window 2027-08-14: 2027-08-15",
                "birthday 2028-06-15: 2028-06-01 skipped, Birthday exclusion window for CA",
            ],
        ),
        (
            "2027-09-14",  # the last day of the make-up mail
            [
                "post_window 2027-08-14: 2027-08-15 -> 2027-09-14",
                "birthday 2028-06-15: 2028-06-01 skipped, Birthday exclusion window for CA",
                "post_window 2028-08-14: 2028-08-15",
            ],
        ),
    ],
)
def test_the_make_up_mail_stays_planned_after_the_birthday(
    agency: Agency, as_of: str, expected: list[str]
) -> None:
    agency.contact(state="CA", birth_date="1950-06-15")
    assert agency.planned(as_of) == expected


def test_a_window_that_kept_nothing_back_needs_no_make_up(agency: Agency) -> None:
    agency.contact(state="OK", birth_date="1950-06-15")
    timing = {"birthday_days_before": 100}  # 7 March; the window begins on 16 April
    assert agency.planned(TODAY, timing=timing) == ["birthday 2027-06-15: 2027-03-07"]


def test_where_windows_follow_each_other_without_a_day_between_there_is_no_make_up(
    agency: Agency,
) -> None:
    agency.contact(state="CA", birth_date="1950-06-15")
    rule = {"kind": "birthday_window", "before": 300, "after": 10}
    assert agency.planned(TODAY, state_rules={"CA": rule}) == [
        "birthday 2027-06-15: 2027-06-01 skipped, Birthday exclusion window for CA"
    ]


def test_make_up_mails_can_be_switched_off(agency: Agency) -> None:
    agency.contact(state="CA", birth_date="1950-06-15")
    lines = agency.planned(TODAY, organization={"enable_post_window_emails": False})
    assert [line.split()[0] for line in lines] == ["birthday"]


def test_an_aep_in_a_window_is_made_up_for_if_the_year_has_one(agency: Agency) -> None:
    rule = {"kind": "effective_date_window"}
    agency.contact(effective_date="2026-10-20")  # window 21 August to 20 October
    agency.contact(2, effective_date="2026-10-20", birth_date="1950-12-31")
    months = {"effective_date_first_email_months": 24}
    settings: dict[str, Any] = {"organization": months, "state_rules": {"TX": rule}}
    assert agency.planned(TODAY, aep={"enabled": True}, **settings)[:2] == [
        "1 aep 2027-09-15: 2027-09-15 skipped, Effective date exclusion window for TX",
        "1 post_window 2027-10-20: 2027-10-21",
    ]
    assert agency.planned(TODAY, aep={"enabled": True, "years": [2028]}, **settings) == [
        "2 birthday 2027-12-31: 2027-12-17"
    ]
