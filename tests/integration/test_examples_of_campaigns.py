"""Campaigns and their targets, by examples whose dates were worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sampling import sampled
from tests.support.tiny import Agency

TODAY = "2027-03-01"
RATE: dict[str, Any] = {"days_before_event": 14, "priority": 1}


def statuses(agency: Agency) -> list[Any]:
    """What contact_campaigns says of each target."""
    return [s for (s,) in agency.query("SELECT status FROM contact_campaigns ORDER BY id")]


# Dates


@pytest.mark.parametrize(
    ("of_type", "trigger", "expected"),
    sampled(
        [
            ({"days_before_event": 14}, "2027-06-20", "2027-06-20: 2027-06-06"),
            ({"days_before_event": 0}, "2027-06-20", "2027-06-20: 2027-06-20"),
            ({"days_before_event": -5}, "2027-06-20", "2027-06-20: 2027-06-25"),  # after its event
            ({}, "2027-06-20 10:00:00", "2027-06-20: 2027-06-20"),
            ({"days_before_event": 14}, "2027-03-02", "2027-03-02: 2027-02-16 -> 2027-03-01"),
            # overdue after its event: 24 February + 30 days is still to come
            ({"days_before_event": -5}, "2027-02-24", "2027-02-24: 2027-03-01"),
            ({"days_before_event": None}, "2027-06-20", "2027-06-20: 2027-06-20"),
        ],
        2,
    ),
)
def test_a_campaign_email_is_due_some_days_from_its_event(
    agency: Agency, of_type: dict[str, Any], trigger: str, expected: str
) -> None:
    agency.contact()
    agency.campaign(3, **of_type)
    agency.target(3, trigger)
    assert agency.planned(TODAY) == [f"campaign_promo#3 {expected}"]
    assert statuses(agency) == ["scheduled"]


@pytest.mark.parametrize(
    ("days_before", "trigger", "last"),
    sampled(
        [
            (14, "2027-03-10", "2027-03-09"),  # the day before the event
            (-5, "2027-02-20", "2027-03-27"),  # 25 February and 30 days
            (0, "2027-02-27", "2027-03-29"),  # 30 days from the ideal date
        ],
        2,
    ),
)
def test_until_when_a_campaign_email_is_of_use(
    agency: Agency, days_before: int, trigger: str, last: str
) -> None:
    agency.contact()
    agency.campaign(3, days_before_event=days_before)
    agency.target(3, trigger)
    spread = {"catch_up_spread_days": 1}
    day_after = f"{last[:-2]}{int(last[-2:]) + 1:02d}"
    assert agency.planned(day_after, load_balancing=spread) == []
    assert agency.planned(last, load_balancing=spread)[0].endswith(f" -> {last}")


def test_a_campaign_email_is_not_sent_before_its_instance_starts(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, active_start_date=TODAY, **RATE)
    agency.target(3, "2027-03-10")  # two weeks before it: 24 February
    assert agency.planned(TODAY) == ["campaign_promo#3 2027-03-10: 2027-03-01"]


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2027-03-31", ["campaign_promo#3 2027-02-20: 2027-03-01 -> 2027-03-31"]),
        ("2027-04-01", []),
    ],
)
def test_where_the_instance_starts_after_the_event_the_email_is_of_use_for_a_month(
    agency: Agency, as_of: str, expected: list[str]
) -> None:
    agency.contact()
    agency.campaign(3, active_start_date=TODAY, **RATE)
    agency.target(3, "2027-02-20")
    assert agency.planned(as_of) == expected


@pytest.mark.parametrize(
    ("dates", "takes_part"),
    sampled(
        [
            ({}, True),
            ({"active_start_date": TODAY}, True),
            ({"active_start_date": "2027-03-02"}, True),  # planned today, and sent from then on
            ({"active_start_date": "2028-02-29"}, True),  # the last day of the horizon
            ({"active_start_date": "2028-03-01"}, False),
            ({"active_end_date": TODAY}, True),
            ({"active_end_date": "2027-02-28"}, False),
            ({"active_start_date": "", "active_end_date": " "}, True),
            ({"active_start_date": "soon"}, False),
            ({"active_end_date": "12/31/2030"}, False),
            ({"spread_start_date": "2027-02-30"}, False),
            ({"created_at": "then"}, False),
            ({"active": 0}, False),
            ({"active": "no"}, False),
            ({"active": None}, True),
        ],
        5,
    ),
)
def test_an_instance_takes_part_between_its_dates_if_its_type_is_active(
    agency: Agency, dates: dict[str, Any], takes_part: bool
) -> None:
    agency.contact()
    agency.campaign(3, **dates)
    agency.target(3, "2027-03-01")
    assert bool(agency.planned(TODAY)) is takes_part


def test_an_email_that_would_come_after_its_instance_ends_is_skipped(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, active_end_date="2027-06-05", **RATE)
    agency.target(3, "2027-06-20")
    assert agency.planned(TODAY) == [
        "campaign_promo#3 2027-06-20: 2027-06-06 skipped, Outside campaign dates"
    ]
    assert statuses(agency) == ["skipped"]


@pytest.mark.parametrize(
    ("instance", "trigger"),
    [
        ({"active_start_date": "2027-02-20", "created_at": "2027-01-05"}, "2027-02-20"),
        ({"active_start_date": "", "created_at": "2027-02-05 11:12:13"}, "2027-02-05"),
        ({}, TODAY),
    ],
)
def test_without_a_trigger_date_the_instance_says_when(
    agency: Agency, instance: dict[str, Any], trigger: str
) -> None:
    agency.contact()
    agency.campaign(3, **instance)
    agency.target(3, None)
    assert agency.planned(TODAY)[0].startswith(f"campaign_promo#3 {trigger}: {trigger}")


def test_targets_that_come_to_the_same_date_count_once(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, active_start_date="2027-02-20", days_before_event=-20)
    for trigger in (None, "2027-02-20", "2027-02-20 08:00:00", "soon", "2027-02-21"):
        agency.target(3, trigger)
    assert agency.planned(TODAY) == [
        "campaign_promo#3 2027-02-20: 2027-03-12",
        "campaign_promo#3 2027-02-21: 2027-03-13",
    ]
    # what cannot be read is not taken for missing
    assert statuses(agency) == ["scheduled"] * 3 + ["pending", "scheduled"]


def test_spread_evenly_by_contact_id(agency: Agency) -> None:
    dates = {"spread_start_date": "2027-04-01", "spread_end_date": "2027-04-10"}
    agency.campaign(3, spread_evenly=1, target_all_contacts=1, created_at=TODAY, **dates)
    for contact in (7, 10, 19, 20, 1001):
        agency.contact(contact)
    assert agency.planned(TODAY) == [
        "7 campaign_promo#3 2027-03-01: 2027-04-08",
        "10 campaign_promo#3 2027-03-01: 2027-04-01",
        "19 campaign_promo#3 2027-03-01: 2027-04-10",
        "20 campaign_promo#3 2027-03-01: 2027-04-01",
        "1001 campaign_promo#3 2027-03-01: 2027-04-02",
    ]


@pytest.mark.parametrize(("as_of", "planned"), [("2027-05-01", True), ("2027-05-02", False)])
def test_a_spread_email_is_of_use_for_a_month(agency: Agency, as_of: str, planned: bool) -> None:
    dates = {"spread_start_date": "2027-04-01", "spread_end_date": "2027-04-10"}
    agency.campaign(3, spread_evenly=1, target_all_contacts=1, created_at=TODAY, **dates)
    agency.contact(10)  # 1 April
    assert bool(agency.planned(as_of)) is planned


def test_a_long_spread_is_of_use_to_its_end(agency: Agency) -> None:
    dates = {"spread_start_date": "2027-04-01", "spread_end_date": "2027-07-09"}  # 100 days
    agency.campaign(3, spread_evenly=1, target_all_contacts=1, created_at=TODAY, **dates)
    agency.contact(100)  # 1 April
    lines = agency.planned("2027-07-09")
    assert lines == ["campaign_promo#3 2027-03-01: 2027-04-01 -> 2027-07-09"]


# Targeting


@pytest.mark.parametrize(
    ("targeting", "state", "carrier", "targeted"),
    sampled(
        [
            ({}, "TX", "Aetna", True),
            ({"target_states": ""}, "TX", None, True),
            ({"target_states": "ALL"}, "", None, True),
            ({"target_states": "ca, all"}, "TX", None, True),
            ({"target_states": " ca ,tx,"}, "TX", None, True),
            ({"target_states": "CA,NV"}, "TX", None, False),
            ({"target_states": "CA,NV"}, "", None, False),
            ({"target_states": " , "}, "TX", None, True),
            ({"target_carriers": "aetna,HUMANA"}, "TX", " Humana ", True),
            ({"target_carriers": "aetna,HUMANA"}, "TX", "Human", False),
            ({"target_carriers": "aetna"}, "TX", "", False),
            ({"target_carriers": "aetna", "target_states": "TX"}, "TX", "Aetna", True),
            ({"target_carriers": "aetna", "target_states": "CA"}, "TX", "Aetna", False),
        ],
        4,
    ),
)
def test_an_instance_is_for_some_states_and_carriers(
    agency: Agency, targeting: dict[str, str], state: str, carrier: str | None, targeted: bool
) -> None:
    agency.contact(state=state, carrier=carrier)
    agency.campaign(3, "listed", **targeting)
    agency.target(3, "2027-06-20")
    agency.campaign(4, "for_all", target_all_contacts=1, created_at="2027-05-20", **targeting)
    note = "" if targeted else " skipped, Outside campaign targeting"
    expected = [f"campaign_listed#3 2027-06-20: 2027-06-20{note}"]
    if targeted:
        expected = ["campaign_for_all#4 2027-05-20: 2027-05-20", *expected]
    assert agency.planned(TODAY) == expected


def test_a_carrier_is_read_from_either_column(agency: Agency) -> None:
    agency.campaign(3, target_carriers="cigna", target_all_contacts=1, created_at="2027-05-20")
    agency.contact(1, carrier="", current_carrier="Cigna")
    agency.contact(2, carrier="Aetna", current_carrier="Cigna")
    agency.contact(3, current_carrier="CIGNA")
    assert [line[0] for line in agency.planned(TODAY)] == ["1", "3"]


# Underwriting, and which reason comes first

GLOBAL = {"exclude_failed_underwriting_global": True}


@pytest.mark.parametrize(
    ("instance", "organization", "reason"),
    sampled(
        [
            ({}, {}, None),
            ({}, GLOBAL, "Failed underwriting - global exclusion"),
            ({"skip_failed_underwriting": 1}, {}, "Failed underwriting - campaign exclusion"),
            ({"skip_failed_underwriting": 1}, GLOBAL, "Failed underwriting - global exclusion"),
            (
                {"metadata": '{"skip_failed_underwriting": true}'},
                {},
                "Failed underwriting - campaign exclusion",
            ),
            (
                {"skip_failed_underwriting": 1, "metadata": '{"skip_failed_underwriting": 0}'},
                {},
                None,
            ),
            ({"active_end_date": "2027-06-01"}, GLOBAL, "Outside campaign dates"),
            (
                {"active_end_date": "2027-06-01", "target_states": "CA"},
                GLOBAL,
                "Outside campaign targeting",
            ),
        ],
        2,
    ),
)
def test_failed_underwriting_excludes_from_campaigns(
    agency: Agency, instance: dict[str, Any], organization: dict[str, bool], reason: str | None
) -> None:
    agency.contact(failed_underwriting=1)
    agency.campaign(3, **instance)
    agency.target(3, "2027-06-20")
    note = "" if reason is None else f" skipped, {reason}"
    assert agency.planned(TODAY, organization=organization) == [
        f"campaign_promo#3 2027-06-20: 2027-06-20{note}"
    ]


def test_a_campaign_named_aep_replaces_the_built_in_email(agency: Agency) -> None:
    agency.contact(failed_underwriting=1)
    agency.campaign(3, "aep", target_all_contacts=1, active_start_date="2027-09-20")
    lines = agency.planned(TODAY, aep={"enabled": True}, organization=GLOBAL)
    assert lines == ["campaign_aep#3 2027-09-20: 2027-09-20"]


@pytest.mark.parametrize("active", [0, 1])
def test_a_type_named_aep_without_an_instance_replaces_nothing(agency: Agency, active: int) -> None:
    agency.contact()
    agency.insert("campaign_types", name="aep", active=active, target_all_contacts=1)
    assert agency.planned(TODAY, aep={"enabled": True}) == ["aep 2027-09-15: 2027-09-15"]


# Windows


def test_windows_hold_back_the_campaigns_that_respect_them(agency: Agency) -> None:
    agency.contact(state="OR", birth_date="1950-06-15")  # 16 April to 16 July
    agency.campaign(3, "polite")
    agency.campaign(4, "loud", respect_exclusion_windows=0)
    agency.campaign(5, "polite", metadata='{"respect_exclusion_windows": false}')
    for instance, day in ((3, "2027-06-20"), (4, "2027-06-21"), (5, "2027-06-22")):
        agency.target(instance, day)
    assert agency.planned(TODAY) == [
        "birthday 2027-06-15: 2027-06-01 skipped, Birthday exclusion window for OR",
        "campaign_polite#3 2027-06-20: 2027-06-20 skipped, Birthday exclusion window for OR",
        "campaign_loud#4 2027-06-21: 2027-06-21",
        "campaign_polite#5 2027-06-22: 2027-06-22",
        "post_window 2027-07-16: 2027-07-17",
    ]
    assert statuses(agency) == ["skipped", "scheduled", "scheduled"]


@pytest.mark.parametrize(
    ("instance", "made_up"),
    sampled(
        [
            ({}, True),
            ({"respect_exclusion_windows": 0}, False),
            ({"target_states": "CA"}, False),
            ({"active_end_date": "2027-06-01"}, False),
            ({"skip_failed_underwriting": 1}, False),
        ],
        2,
    ),
)
def test_a_campaign_email_that_a_window_kept_back_is_made_up_for(
    agency: Agency, instance: dict[str, Any], made_up: bool
) -> None:
    # the yearly email of 16 May 2027 is not due yet, so that the campaign alone is kept back
    agency.contact(state="MO", effective_date="2026-06-15", failed_underwriting=1)
    agency.campaign(3, **instance)
    agency.target(3, "2027-06-20")
    organization = {"effective_date_first_email_months": 24}
    lines = agency.planned(TODAY, organization=organization)
    assert ("post_window 2027-07-18: 2027-07-19" in lines) is made_up


# Conflicts, several instances


def test_two_instances_of_a_type_are_two_campaigns(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, **RATE)
    agency.campaign(4)
    agency.target(3, "2027-06-20")
    agency.target(4, "2027-06-21")
    assert agency.planned(TODAY) == [
        "campaign_promo#3 2027-06-20: 2027-06-06",
        "campaign_promo#4 2027-06-21: 2027-06-07",
    ]


@pytest.mark.parametrize(
    ("priorities", "stays"),
    [((5, 5), 3), ((5, 4), 4), ((4, 5), 3)],
)
def test_of_campaigns_with_one_ideal_date_the_most_important_stays(
    agency: Agency, priorities: tuple[int, int], stays: int
) -> None:
    agency.contact()
    agency.campaign(3, "one", priority=priorities[0])
    agency.campaign(4, "other", priority=priorities[1])
    agency.target(3, "2027-06-20")
    agency.target(4, "2027-06-20")
    skipped = {
        line.split("#")[1][0]
        for line in agency.planned(TODAY)
        if line.endswith("skipped, Campaign priority conflict")
    }
    assert skipped == {"3", "4"} - {str(stays)}


def test_a_skipped_campaign_is_in_nobodys_way(agency: Agency) -> None:
    agency.contact()
    agency.campaign(3, "one", priority=1, target_states="CA")
    agency.campaign(4, "other", priority=9)
    agency.target(3, "2027-06-20")
    agency.target(4, "2027-06-20")
    assert agency.planned(TODAY) == [
        "campaign_one#3 2027-06-20: 2027-06-20 skipped, Outside campaign targeting",
        "campaign_other#4 2027-06-20: 2027-06-20",
    ]


# Handled already


@pytest.mark.parametrize(
    ("row", "handled"),
    sampled(
        [
            ({"day": "2026-01-01", "event": (2027, 6, 20)}, True),  # the same event
            ({"day": "2026-01-01", "event": (2027, 6, 21)}, False),
            ({"day": "2027-05-06"}, True),  # 45 days before
            ({"day": "2027-05-05"}, False),
            ({"day": "2027-08-04"}, True),  # 45 days after
            ({"day": "2027-08-05"}, False),
            ({"day": "2027-06-01", "email_type": "campaign_promo_3", "instance": None}, True),
            ({"day": "2027-06-01", "email_type": "CAMPAIGN_PROMO_3", "instance": 0}, True),
            ({"day": "2027-06-01", "email_type": "campaign_other_3", "instance": None}, False),
            ({"day": "2027-06-01", "instance": None}, False),
            ({"day": "2027-06-01", "instance": 4}, False),
            ({"day": "2027-06-01", "email_type": "followup_1_cold"}, False),
        ],
        4,
    ),
)
def test_a_committed_row_of_the_instance_handles_its_event(
    agency: Agency, row: dict[str, Any], handled: bool
) -> None:
    agency.contact()
    agency.campaign(3)
    agency.campaign(4, created_at="2020-01-01")
    agency.target(3, "2027-06-20")
    event = row.get("event", (None, None, None))
    agency.sent(
        row.get("email_type", "campaign_promo"),
        row["day"],
        status="scheduled",
        campaign_instance_id=row.get("instance", 3),
        **dict(zip(("event_year", "event_month", "event_day"), event, strict=True)),
    )
    assert bool(agency.planned(TODAY)) is not handled


@pytest.mark.parametrize(
    ("status", "word"), [("sent", "sent"), ("delivered", "sent"), ("failed", "pending")]
)
def test_a_target_whose_email_was_sent_says_so(agency: Agency, status: str, word: str) -> None:
    agency.contact()
    agency.campaign(3, enable_followups=0)
    agency.target(3, "2027-02-20", status="pending")
    agency.sent("campaign_promo", "2027-02-20", status=status, campaign_instance_id=3)
    assert agency.planned(TODAY) == []
    assert statuses(agency) == [word]


@pytest.mark.parametrize("word", ["sent", " SENT "])
def test_a_target_that_says_sent_is_none(agency: Agency, word: str) -> None:
    agency.contact()
    agency.campaign(3)
    agency.target(3, "2027-06-20", status=word)
    assert agency.planned(TODAY) == []
    assert statuses(agency) == [word]


# Rows


def test_a_row_carries_what_its_instance_and_its_contact_say(agency: Agency) -> None:
    agency.contact(1, phone_number="212-555-0100", sms_consent=1)
    agency.contact(2, phone_number="  ")
    agency.campaign(3, email_template="hello", sms_template="hi", priority=12)
    metadata = '{"priority": 2, "days_before_event": 3, "note": "ours"}'
    agency.campaign(4, metadata=metadata, email_template="other", sms_template="yo")
    for contact in (1, 2):
        agency.target(3, "2027-06-20", contact)
        agency.target(4, "2027-07-20", contact)
    agency.plan(TODAY, send_time="14:05")
    sql = """SELECT contact_id, email_type, campaign_instance_id, scheduled_send_date,
        scheduled_send_time, priority, email_template, sms_template, metadata
        FROM email_schedules ORDER BY 1, 3"""
    assert agency.query(sql) == [
        (1, "campaign_promo", 3, "2027-06-20", "14:05:00", 12, "hello", "hi", None),
        (1, "campaign_promo", 4, "2027-07-17", "14:05:00", 2, "other", "yo", None),
        (2, "campaign_promo", 3, "2027-06-20", "14:05:00", 12, "hello", None, None),
        (2, "campaign_promo", 4, "2027-07-17", "14:05:00", 2, "other", None, None),
    ]
