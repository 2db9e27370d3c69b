"""Yearly emails, by examples whose dates were worked out by hand.

The default day is Monday 1 March 2027; its horizon ends on 29 February 2028.
"""

from __future__ import annotations

import pytest

from tests.oracle import h
from tests.support.sampling import sampled
from tests.support.tiny import Agency, later

TODAY, TOMORROW = "2027-03-01", "2027-03-02"


# Birthday


@pytest.mark.parametrize(
    ("born", "expected"),
    sampled(
        [
            ("1950-06-15", "birthday 2027-06-15: 2027-06-01"),
            ("1950-06-15 00:00:00", "birthday 2027-06-15: 2027-06-01"),
            ("1950-03-15", "birthday 2027-03-15: 2027-03-01"),  # today
            ("1950-03-02", "birthday 2027-03-02: 2027-02-16 -> 2027-03-01"),  # its last day
            ("1950-03-01", "birthday 2028-03-01: 2028-02-16"),  # too late for this year's
            ("1950-02-28", "birthday 2028-02-28: 2028-02-14"),
            ("2027-02-10", "birthday 2028-02-10: 2028-01-27"),  # the day of birth is none
        ],
        2,
    ),
)
def test_a_birthday_email_is_due_two_weeks_before_the_next_birthday(
    agency: Agency, born: str, expected: str
) -> None:
    agency.contact(birth_date=born)
    assert agency.planned(TODAY) == [expected]


@pytest.mark.parametrize("t0", [TODAY, TOMORROW])
def test_overdue_emails_are_spread_over_the_first_days(agency: Agency, t0: str) -> None:
    for contact in range(1, 41):
        agency.contact(contact, birth_date="1950-03-14")  # ideal yesterday
    agency.plan(TODAY, t0)
    for contact in range(1, 41):
        assert agency.days(contact) == [later(t0, h(contact, "birthday", None, 2027) % 7)]
    assert sorted(set(agency.days())) == [later(t0, n) for n in range(7)]


def test_overdue_emails_are_spread_no_further_than_their_deadline(agency: Agency) -> None:
    for contact in range(1, 41):
        agency.contact(contact, birth_date="1950-03-04")  # deadline in two days
    agency.plan(TODAY)
    assert sorted(set(agency.days())) == ["2027-03-01", "2027-03-02", "2027-03-03"]


@pytest.mark.parametrize(
    ("born", "horizon", "planned"),
    [
        ("1950-05-15", 61, True),  # ideal 1 May
        ("1950-05-15", 60, False),
        ("1950-03-14", 365, True),  # ideal 28 February, over
        ("2027-05-01", 365, False),  # first birthday in May 2028
    ],
)
def test_an_email_beyond_the_horizon_is_not_planned_yet(
    agency: Agency, born: str, horizon: int, planned: bool
) -> None:
    agency.contact(birth_date=born)
    assert bool(agency.planned(TODAY, horizon_days=horizon)) is planned


def test_on_the_day_itself_an_email_is_of_use_only_with_no_days_before(agency: Agency) -> None:
    agency.contact(birth_date="1950-03-01")
    assert agency.planned(TODAY, timing={"birthday_days_before": 0}) == [
        "birthday 2027-03-01: 2027-03-01"
    ]


def test_a_run_after_the_send_time_begins_on_the_next_day(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-03-15")  # ideal today
    agency.contact(2, birth_date="1950-03-02")  # deadline today
    lines = agency.planned(TODAY, TOMORROW)
    day = later(TOMORROW, h(1, "birthday", None, 2027) % 7)
    assert lines == [
        f"1 birthday 2027-03-15: 2027-03-01 -> {day}",
        "2 birthday 2028-03-02: 2028-02-17",
    ]


# 29 February


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2027-01-04", "birthday 2027-02-28: 2027-02-14"),  # common year: the 28th
        ("2027-03-01", "birthday 2028-02-29: 2028-02-15"),
        ("2028-02-28", "birthday 2028-02-29: 2028-02-15 -> 2028-02-28"),  # its deadline
        ("2028-02-29", "birthday 2029-02-28: 2029-02-14"),
    ],
)
def test_a_birthday_on_29_february(agency: Agency, as_of: str, expected: str) -> None:
    agency.contact(birth_date="1952-02-29")
    assert agency.planned(as_of) == [expected]


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2025-01-01", "effective_date 2025-02-28: 2025-01-29"),  # 11 months after: in time
        ("2027-12-01", "effective_date 2028-02-29: 2028-01-30"),
        ("2028-02-29", "effective_date 2029-02-28: 2029-01-29"),
    ],
)
def test_an_effective_date_on_29_february(agency: Agency, as_of: str, expected: str) -> None:
    agency.contact(effective_date="2024-02-29")
    assert agency.planned(as_of) == [expected]


def test_a_run_on_29_february(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-03-14")  # ideal today, in a leap year
    agency.contact(2, birth_date="1950-03-14", effective_date="2020-03-30")
    agency.contact(3, birth_date="1950-03-14", state="CT")
    # the horizon: 28 February 2029
    agency.contact(4, birth_date="1950-03-01")
    agency.contact(5, birth_date="1950-02-28", effective_date="2020-03-31")
    assert agency.planned("2028-02-29") == [
        "1 birthday 2028-03-14: 2028-02-29",
        "2 birthday 2028-03-14: 2028-02-29",
        "2 effective_date 2028-03-30: 2028-02-29",
        "3 birthday 2028-03-14: 2028-02-29 skipped, Year-round exclusion for CT",
        "4 birthday 2028-03-01: 2028-02-16 -> 2028-02-29",
        "5 effective_date 2028-03-31: 2028-03-01",
        "5 birthday 2029-02-28: 2029-02-14",
    ]


# Effective date


@pytest.mark.parametrize(
    ("effective", "months", "expected"),
    sampled(
        [
            ("2026-06-15", 11, ["effective_date 2027-06-15: 2027-05-16"]),  # June to May: 11
            ("2026-06-15", 12, ["effective_date 2027-06-15: 2027-06-01"]),  # the month of June
            ("2026-06-15", 13, []),  # and 2028's is beyond the horizon
            ("2026-06-01", 11, ["effective_date 2027-06-01: 2027-05-02"]),
            ("2026-07-31", 12, ["effective_date 2027-07-31: 2027-07-01"]),  # July to July: 12
            ("2025-06-15", 12, ["effective_date 2027-06-15: 2027-05-16"]),
            ("2026-03-31", 12, ["effective_date 2027-03-31: 2027-03-01"]),
            ("2026-04-01", 11, ["effective_date 2027-04-01: 2027-03-02"]),
            ("2026-04-01", 12, []),
            ("2027-02-20", 0, ["effective_date 2028-02-20: 2028-01-21"]),
            ("2028-06-15", 0, []),  # a policy that has not begun
        ],
        3,
    ),
)
def test_the_first_email_about_a_policy_waits_for_some_months(
    agency: Agency, effective: str, months: int, expected: list[str]
) -> None:
    agency.contact(effective_date=effective)
    organization = {"effective_date_first_email_months": months}
    assert agency.planned(TODAY, organization=organization) == expected


# AEP


@pytest.mark.parametrize(
    ("as_of", "aep", "expected"),
    sampled(
        [
            ("2027-03-01", {}, ["aep 2027-09-15: 2027-09-15"]),
            ("2027-10-15", {}, ["aep 2027-09-15: 2027-09-15 -> 2027-10-15"]),  # its last day
            ("2027-10-16", {}, ["aep 2028-09-15: 2028-09-15"]),
            ("2027-12-01", {"years": [2027, 2028]}, ["aep 2028-09-15: 2028-09-15"]),
            ("2027-03-01", {"years": [2028]}, []),
            ("2027-03-01", {"years": []}, []),
            ("2027-04-01", {"date": "02-29"}, ["aep 2028-02-29: 2028-02-29"]),
            ("2027-03-01", {"enabled": False}, []),
        ],
        2,
    ),
)
def test_everybody_gets_an_email_for_the_annual_enrollment(
    agency: Agency, as_of: str, aep: dict[str, object], expected: list[str]
) -> None:
    agency.contact()
    assert agency.planned(as_of, aep={"enabled": True} | aep) == expected


def test_an_aep_on_29_february_is_on_the_28th_in_a_common_year(agency: Agency) -> None:
    agency.contact()
    aep = {"enabled": True, "date": "02-29"}
    assert agency.planned("2027-02-01", aep=aep) == ["aep 2027-02-28: 2027-02-28"]


# Handled already


@pytest.mark.parametrize(
    ("email_type", "day", "status", "handled"),
    sampled(
        [
            ("birthday", "2027-05-20", "scheduled", True),
            ("BIRTHDAY", "2027-02-20", "failed", True),
            ("birthday", "2026-12-03", "sent", True),  # 180 days before 1 June
            ("birthday", "2026-12-02", "sent", False),
            ("birthday", "2027-11-28", "scheduled", True),  # 180 days after
            ("birthday", "2027-11-29", "scheduled", False),
            ("effective_date", "2027-05-20", "scheduled", False),
            ("birthday", "soon", "sent", False),
        ],
        2,
    ),
)
def test_a_committed_email_within_half_a_year_is_the_one(
    agency: Agency, email_type: str, day: str, status: str, handled: bool
) -> None:
    agency.contact(birth_date="1950-06-15")
    agency.sent(email_type, day, status=status)
    lines = [line for line in agency.planned(TODAY) if line.startswith("birthday")]
    assert lines == ([] if handled else ["birthday 2027-06-15: 2027-06-01"])


@pytest.mark.parametrize(
    "email_type", ["post_window", "POST_WINDOW_BIRTHDAY", "Post_Window_Effective_Date"]
)
def test_old_types_of_make_up_mails_count_as_such(agency: Agency, email_type: str) -> None:
    agency.contact(state="CA", birth_date="1950-06-15")
    agency.sent(email_type, "2027-08-16", status="scheduled")
    assert [line.split()[0] for line in agency.planned(TODAY)] == ["birthday"]


# Failed underwriting


@pytest.mark.parametrize("failed", sampled([1, "true", "YES", "t", 1.0, "1.0"], 2))
def test_failed_underwriting_can_exclude_from_all_but_aep(agency: Agency, failed: object) -> None:
    agency.contact(
        state="CA",
        birth_date="1950-06-15",
        effective_date="2020-10-31",
        failed_underwriting=failed,
    )
    lines = agency.planned(
        TODAY,
        aep={"enabled": True},
        organization={"exclude_failed_underwriting_global": True},
    )
    assert lines == [
        "birthday 2027-06-15: 2027-06-01 skipped, Failed underwriting - global exclusion",
        "aep 2027-09-15: 2027-09-15",
        "effective_date 2027-10-31: 2027-10-01 skipped, Failed underwriting - global exclusion",
    ]


@pytest.mark.parametrize(("failed", "flag"), [(1, False), (0, True), ("no", True), (None, True)])
def test_otherwise_underwriting_makes_no_difference(
    agency: Agency, failed: object, flag: bool
) -> None:
    agency.contact(birth_date="1950-06-15", failed_underwriting=failed)
    organization = {"exclude_failed_underwriting_global": flag}
    assert agency.planned(TODAY, organization=organization) == ["birthday 2027-06-15: 2027-06-01"]
