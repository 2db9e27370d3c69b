"""Frequency, ranges and the choice of days, by examples that were worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle import h
from tests.support.sampling import sampled
from tests.support.tiny import Agency, later

TODAY = "2027-03-01"
ONE: dict[str, Any] = {"frequency": {"max_emails": 1, "period_days": 30}}
CAP = "skipped, Daily volume cap"
EXCEEDED = " skipped, Frequency limit exceeded"


# Frequency


@pytest.mark.parametrize(
    ("effective", "expected"),
    [
        # 1 June and 1 July are 30 days apart: no 30 days hold both
        (
            "2020-07-31",
            ["birthday 2027-06-15: 2027-06-01", "effective_date 2027-07-31: 2027-07-01"],
        ),
        (
            "2020-07-30",
            [
                "birthday 2027-06-15: 2027-06-01",
                "effective_date 2027-07-30: 2027-06-30 -> 2027-07-01",  # it waits a day
            ],
        ),
        # 2 May and 1 June are 30 days apart, 3 May and 1 June are not
        (
            "2020-06-01",
            ["effective_date 2027-06-01: 2027-05-02", "birthday 2027-06-15: 2027-06-01"],
        ),
        (
            "2020-06-02",
            [
                "effective_date 2027-06-02: 2027-05-03 skipped, Frequency limit exceeded",
                "birthday 2027-06-15: 2027-06-01",
            ],
        ),
    ],
)
def test_one_email_in_thirty_days(agency: Agency, effective: str, expected: list[str]) -> None:
    agency.contact(birth_date="1950-06-15", effective_date=effective)
    assert agency.planned(TODAY, **ONE) == expected


@pytest.mark.parametrize(
    ("day", "status", "email_type", "note"),
    sampled(
        [
            ("2027-05-03", "scheduled", "custom_note", " -> 2027-06-02"),  # 29 days before 1 June
            ("2027-05-15", "scheduled", "custom_note", " -> 2027-06-14"),  # its deadline
            ("2027-05-16", "scheduled", "custom_note", EXCEEDED),
            ("2027-05-02", "scheduled", "custom_note", ""),
            ("2027-06-30", "processing", "custom_note", EXCEEDED),
            ("2027-07-01", "processing", "custom_note", ""),
            ("2027-06-01", "failed", "custom_note", ""),  # was not sent
            ("2027-06-01", "scheduled", "followup_1_cold", ""),
            ("2027-06-01", "scheduled", "FollowUp_2", ""),
            ("2027-06-01", "delivered", "EFFECTIVE_DATE", EXCEEDED),
        ],
        3,
    ),
)
def test_committed_emails_count(
    agency: Agency, day: str, status: str, email_type: str, note: str
) -> None:
    agency.contact(birth_date="1950-06-15")
    agency.sent(email_type, day, status=status)
    assert agency.planned(TODAY, **ONE) == [f"birthday 2027-06-15: 2027-06-01{note}"]


def test_three_in_a_month_and_the_least_important_waits(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-15", effective_date="2020-07-05")  # 1 June, 5 June
    agency.campaign(3, metadata='{"priority": 15}')
    agency.campaign(4, metadata='{"priority": 16}')
    agency.target(3, "2027-06-10")
    agency.target(4, "2027-06-20")
    assert agency.planned(TODAY) == [
        "birthday 2027-06-15: 2027-06-01",
        "effective_date 2027-07-05: 2027-06-05 -> 2027-07-01",
        "campaign_promo#3 2027-06-10: 2027-06-10",
        "campaign_promo#4 2027-06-20: 2027-06-20",
    ]


def test_what_a_window_holds_back_does_not_count(agency: Agency) -> None:
    agency.contact(state="OR", birth_date="1950-06-15")  # window to 16 July
    agency.campaign(3, respect_exclusion_windows=0)
    agency.target(3, "2027-06-10")
    assert "campaign_promo#3 2027-06-10: 2027-06-10" in agency.planned(TODAY, **ONE)


def test_an_overdue_email_with_no_day_left_before_the_next_is_skipped(agency: Agency) -> None:
    # the birthday email of 24 February could go until 9 March, but 30 days before the next email,
    # of 27 March, it would have to have gone by 25 February
    agency.contact(birth_date="1950-03-10", effective_date="2020-04-26")
    assert agency.planned(TODAY, **ONE) == [
        "birthday 2027-03-10: 2027-02-24 skipped, Frequency limit exceeded",
        "effective_date 2027-04-26: 2027-03-27",
    ]


def test_an_overdue_email_moves_no_closer_to_the_next_than_the_limit_allows(
    agency: Agency,
) -> None:
    for contact in range(1, 31):
        agency.contact(contact, birth_date="1950-03-14", effective_date="2020-05-04")
    # 28 February and 4 April, which may become 2 April; 30 days before that is 3 March
    agency.plan(TODAY, **ONE)
    sql = """SELECT min(scheduled_send_date), max(scheduled_send_date) FROM email_schedules
        WHERE email_type = 'birthday' AND status = 'pre-scheduled'"""
    assert agency.query(sql) == [("2027-03-01", "2027-03-03")]


# Kept days


def moved(agency: Agency, day: str) -> None:
    """Somebody puts the only planned email on another day."""
    sql = "UPDATE email_schedules SET scheduled_send_date = ? WHERE status = 'pre-scheduled'"
    agency.query(sql, day)


@pytest.mark.parametrize(
    ("day", "kept"),
    sampled(
        [
            ("2027-06-01", True),
            ("2027-06-05", True),
            ("2027-06-14", True),  # its deadline
            ("2027-06-15", False),
            ("2027-05-31", False),  # before its ideal date
            ("2027-02-20", False),  # before today
            ("soon", False),
        ],
        2,
    ),
)
def test_an_email_keeps_the_day_it_has_while_that_is_allowed(
    agency: Agency, day: str, kept: bool
) -> None:
    agency.contact(birth_date="1950-06-15")
    agency.plan(TODAY)
    moved(agency, day)
    agency.plan(TODAY)
    assert agency.days() == [day if kept else "2027-06-01"]


@pytest.mark.parametrize(
    ("day", "kept"), [("2027-05-14", True), ("2027-05-13", False), ("2027-05-18", True)]
)
def test_an_effective_date_email_may_be_two_days_early(
    agency: Agency, day: str, kept: bool
) -> None:
    agency.contact(effective_date="2020-06-15")  # ideal 16 May
    agency.plan(TODAY)
    moved(agency, day)
    agency.plan(TODAY)
    assert agency.days() == [day if kept else "2027-05-16"]


def test_a_catch_up_keeps_its_day_on_the_next_days(agency: Agency) -> None:
    for contact in range(1, 41):
        agency.contact(contact, birth_date="1950-03-14")
    agency.plan(TODAY)
    before = {c: agency.days(c) for c in range(1, 41)}
    agency.plan("2027-03-02")
    after = {c: agency.days(c) for c in range(1, 41)}
    overdue = [c for c in before if before[c] == [TODAY]]
    assert overdue
    for contact, days in before.items():
        if contact not in overdue:
            assert after[contact] == days
    for contact in overdue:  # nobody sent them yesterday: a catch-up again
        assert after[contact] == [later("2027-03-02", h(contact, "birthday", None, 2027) % 7)]


def test_an_email_loses_a_day_that_a_window_has_come_to_cover(agency: Agency) -> None:
    agency.contact(birth_date="1950-12-31", effective_date="2020-06-15")  # 17 Dec., 16 May
    agency.plan(TODAY)
    agency.query("UPDATE contacts SET state = 'MO'")
    assert agency.planned(TODAY) == [
        "effective_date 2027-06-15: 2027-05-16 skipped, Effective date exclusion window for MO",
        "post_window 2027-07-18: 2027-07-19",
        "birthday 2027-12-31: 2027-12-17",
    ]


def test_a_corrected_birth_date_is_another_event(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-15")
    agency.plan(TODAY)
    agency.query("UPDATE contacts SET birth_date = '1950-06-16'")
    summary = agency.plan(TODAY)
    assert agency.lines() == ["birthday 2027-06-16: 2027-06-02"]
    assert (summary.changes["added"], summary.changes["removed"]) == (1, 1)


# Smoothing


@pytest.mark.parametrize(("contacts", "smoothed"), [(10, False), (11, True)])
def test_a_day_with_too_many_effective_dates_is_smoothed(
    agency: Agency, contacts: int, smoothed: bool
) -> None:
    # 34 contacts: C is 34, its three tenths are 10
    for contact in range(1, 35):
        dates = {"effective_date": "2020-06-15"} if contact <= contacts else {}
        agency.contact(contact, **dates)
    agency.plan(TODAY)
    for contact in range(1, contacts + 1):
        offset = h(contact, "effective_date", None, 2027) % 5 - 2 if smoothed else 0
        assert agency.days(contact) == [later("2027-05-16", offset)]


def test_the_soft_limit_of_effective_dates(agency: Agency) -> None:
    for contact in range(1, 8):
        agency.contact(contact, effective_date="2020-06-15")
    balancing: dict[str, Any] = {"ed_daily_soft_limit": 2, "ed_smoothing_window_days": 1}
    agency.plan(TODAY, load_balancing=balancing)
    assert set(agency.days()) == {"2027-05-16"}  # a window of one day moves nothing
    balancing["ed_smoothing_window_days"] = 9
    agency.query("DELETE FROM email_schedules")
    agency.plan(TODAY, load_balancing=balancing)
    for contact in range(1, 8):
        offset = h(contact, "effective_date", None, 2027) % 9 - 4
        assert agency.days(contact) == [later("2027-05-16", offset)]


def test_what_was_smoothed_once_stays_there(agency: Agency) -> None:
    for contact in range(1, 8):
        agency.contact(contact, effective_date="2020-06-15")
    agency.plan(TODAY, load_balancing={"ed_daily_soft_limit": 2})
    before = agency.lines()
    agency.query("DELETE FROM contacts WHERE id > 2")
    agency.plan("2027-03-02", load_balancing={"ed_daily_soft_limit": 2})
    kept = [line for line in before if line[0] in "12"]
    assert [line for line in agency.lines() if line[0] in "12"] == kept


# Daily caps


def birthdays(agency: Agency, contacts: int, born: str = "1950-06-15") -> None:
    for contact in range(1, contacts + 1):
        agency.contact(contact, birth_date=born)


def loads(agency: Agency) -> dict[str, int]:
    """The number of emails on each day."""
    days = agency.days()
    return {day: days.count(day) for day in days}


FEW = {"daily_send_percentage_cap": 0.2, "overage_threshold": 1.5}  # of 10: C = 2, X = 3


def test_a_day_up_to_the_ceiling_is_left_as_it_is(agency: Agency) -> None:
    birthdays(agency, 3)
    for contact in range(4, 11):
        agency.contact(contact)
    summary = agency.plan(TODAY, load_balancing=FEW)
    assert (summary.daily_cap, summary.ceiling) == (2, 3)
    assert loads(agency) == {"2027-06-01": 3}
    assert summary.days_at_cap == ["2027-06-01"]


def test_a_day_above_the_ceiling_is_filled_to_the_cap_and_the_rest_waits(agency: Agency) -> None:
    birthdays(agency, 10)
    summary = agency.plan(TODAY, load_balancing=FEW)
    assert loads(agency) == {f"2027-06-{day:02d}": 2 for day in range(1, 6)}
    assert summary.days_above_ceiling == []
    rank = sorted(range(1, 11), key=lambda contact: h(contact, "birthday", None, 2027))
    by_day = sorted(rank, key=lambda contact: agency.days(contact))
    assert by_day == rank


def test_priority_and_deadline_rank_before_the_hash(agency: Agency) -> None:
    birthdays(agency, 8)
    agency.campaign(3, "urgent", priority=1, active_end_date="2027-06-14")
    agency.campaign(4, "brief", priority=10, active_end_date="2027-06-13")  # the birthday: 14 June
    for contact in (9, 10):
        agency.contact(contact)
        agency.target(contact - 6, "2027-06-13", contact)
    agency.plan(TODAY, load_balancing=FEW, timing={"birthday_days_before": 2})
    # two days of three for ten: the two are among the six that are admitted
    assert agency.days(9) == agency.days(10) == ["2027-06-13"]
    rank = sorted(range(1, 9), key=lambda contact: h(contact, "birthday", None, 2027))
    assert [contact for contact in rank if agency.days(contact)] == rank[:4]


def test_those_with_the_earliest_last_day_go_first(agency: Agency) -> None:
    birthdays(agency, 8)  # until 14 June
    agency.campaign(3, "urgent", priority=1)  # until 1 July
    agency.campaign(4, "brief", priority=50, active_end_date="2027-06-03")
    for contact in (9, 10):
        agency.contact(contact)
        agency.target(contact - 6, "2027-06-01", contact)
    agency.plan(TODAY, load_balancing=FEW)
    assert (agency.days(9), agency.days(10)) == (["2027-06-05"], ["2027-06-01"])
    assert len(agency.days()) == 10


def test_what_finds_no_room_below_the_cap_may_go_up_to_the_ceiling(agency: Agency) -> None:
    birthdays(agency, 10, "1950-06-15")
    timing = {"birthday_days_before": 2}  # two days, 13 and 14 June
    lines = agency.planned(TODAY, load_balancing=FEW, timing=timing)
    assert loads(agency) == {"2027-06-13": 3, "2027-06-14": 3}
    assert sum(line.endswith(CAP) for line in lines) == 4
    assert all(": 2027-06-13" in line for line in lines)


def test_committed_emails_take_room(agency: Agency) -> None:
    birthdays(agency, 10)
    for contact in (1, 2, 3, 4):
        agency.sent("custom_note", "2027-06-02", contact, status="scheduled")
    summary = agency.plan(TODAY, load_balancing=FEW)
    assert "2027-06-02" not in agency.days()
    assert summary.days_above_ceiling == ["2027-06-02"]
    assert summary.days["2027-06-02"].fixed == 4
    assert len(agency.days()) == 10


def test_a_kept_email_that_finds_its_day_full_waits_behind_it(agency: Agency) -> None:
    birthdays(agency, 10)
    agency.plan(TODAY, load_balancing=FEW)
    for contact in (1, 2, 3):
        agency.query("DELETE FROM email_schedules WHERE contact_id = ?", contact)
        agency.sent("custom_note", "2027-06-02", contact, status="scheduled")
        agency.sent("birthday", "2027-02-01", contact, status="failed")
    agency.plan(TODAY, load_balancing=FEW)
    assert "2027-06-02" not in agency.days()
    assert len(agency.days()) == 7


def test_an_aep_for_everybody_under_a_cap_of_seven_percent(agency: Agency) -> None:
    for contact in range(1, 101):
        agency.contact(contact)
    summary = agency.plan(
        TODAY,
        aep={"enabled": True},
        load_balancing={"daily_send_percentage_cap": 0.07, "overage_threshold": 1.2},
    )
    assert (summary.daily_cap, summary.ceiling) == (7, 8)
    # 14 days of 7, and 2 on 29 September
    expected = {f"2027-09-{day}": 7 for day in range(15, 29)} | {"2027-09-29": 2}
    assert loads(agency) == expected


def test_an_aep_that_has_too_few_days_for_everybody(agency: Agency) -> None:
    for contact in range(1, 101):
        agency.contact(contact)
    summary = agency.plan(
        TODAY,
        aep={"enabled": True, "valid_days": 10},
        load_balancing={"daily_send_percentage_cap": 0.07, "overage_threshold": 1.2},
    )
    assert loads(agency) == {f"2027-09-{day}": 8 for day in range(15, 26)}
    assert summary.skipped == {"Daily volume cap": {"aep": 12}}


@pytest.mark.parametrize(
    ("share", "contacts", "cap", "ceiling"),
    sampled([(0.29, 100, 29, 34), (0.07, 100, 7, 8), (0.57, 100, 57, 68), (0.01, 10, 1, 1)], 2),
)
def test_caps_are_exact_decimals(
    agency: Agency, share: float, contacts: int, cap: int, ceiling: int
) -> None:
    birthdays(agency, contacts)
    balancing = {"daily_send_percentage_cap": share, "overage_threshold": 1.2}
    summary = agency.plan(TODAY, load_balancing=balancing)
    assert (summary.daily_cap, summary.ceiling) == (cap, ceiling)


# Two campaign emails of a contact on a day


def test_a_campaign_email_waits_for_a_day_without_another(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3)
    agency.target(3, "2027-06-10")
    agency.sent("campaign_other", "2027-06-10", status="scheduled")
    agency.sent("CAMPAIGN_OTHER", "2027-06-11", status="failed")
    assert agency.planned(TODAY) == ["campaign_promo#3 2027-06-10: 2027-06-10 -> 2027-06-12"]


def test_one_that_can_only_stand_beside_another_is_skipped(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, days_before_event=1)  # one day only
    agency.target(3, "2027-06-10")
    agency.sent("campaign_other", "2027-06-09", status="scheduled")
    assert agency.planned(TODAY) == [
        "campaign_promo#3 2027-06-10: 2027-06-09 skipped, Campaign priority conflict"
    ]


def test_two_that_meet_when_they_catch_up_go_one_after_the_other(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, "one", priority=9)
    agency.campaign(4, "other", priority=2)
    agency.target(3, "2027-02-20")
    agency.target(4, "2027-02-21")
    assert agency.planned(TODAY, load_balancing={"catch_up_spread_days": 1}) == [
        "campaign_one#3 2027-02-20: 2027-02-20 -> 2027-03-01",  # until 22 March
        "campaign_other#4 2027-02-21: 2027-02-21 -> 2027-03-02",  # until 23 March
    ]
