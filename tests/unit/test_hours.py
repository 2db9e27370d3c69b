"""The moments at which messages go out: the contact's zone, and the hours of text messages."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from almanac.config import Config, load_config
from almanac.delivery.hours import Clock, Moments, in_words
from almanac.delivery.places import place_codes, whereabouts

CONTACT_ZONE = "delivery: {zone: contact}"
NIGHT = "delivery: {zone: contact, sms_hours: {from: '00:00', to: '23:59'}}"
IN_HAWAII = "timezone: Pacific/Honolulu\nsend_time: "


def moments(
    config: str = "",
    *,
    zip_code: str | None = None,
    state: str | None = None,
    day: str = "2026-11-23",
    time: str | None = None,
) -> Moments:
    """The moments of a message to a contact, by default at the send time of the agency."""
    row = {
        "contact.state": state,
        "contact.zip_code": zip_code,
        "scheduled_send_date": day,
        "scheduled_send_time": time,
    }
    (found,) = Clock(load_config(config)).moments({name: [value] for name, value in row.items()})
    return found


def sms_at(config: str = "", **contact: Any) -> str | None:
    return moments(config, **contact).sms_at


# --- the zone of the e-mail -----------------------------------------------------------------------


def test_an_email_goes_out_in_the_agencys_zone_unless_the_contacts_is_wanted() -> None:
    assert moments(zip_code="85001").email_at == "2026-11-23T08:30:00-06:00"
    assert moments(CONTACT_ZONE, zip_code="85001").email_at == "2026-11-23T08:30:00-07:00"


@pytest.mark.parametrize(
    ("zip_code", "winter", "summer"),
    [
        ("85001", "-07:00", "-07:00"),  # Phoenix
        ("86515", "-07:00", "-06:00"),  # Window Rock, Navajo Nation
        ("83702", "-07:00", "-06:00"),  # Boise
        ("83814", "-08:00", "-07:00"),  # Coeur d'Alene
        ("32501", "-06:00", "-05:00"),  # Pensacola
        ("33101", "-05:00", "-04:00"),  # Miami
        ("40202", "-05:00", "-04:00"),  # Louisville
        ("42101", "-06:00", "-05:00"),  # Bowling Green in Kentucky
        ("96813", "-10:00", "-10:00"),  # Honolulu
        ("00901", "-04:00", "-04:00"),  # San Juan
    ],
)
def test_half_past_eight_is_that_of_the_contacts_place_and_season(
    zip_code: str, winter: str, summer: str
) -> None:
    found = [
        moments(CONTACT_ZONE, zip_code=zip_code, day=day).email_at
        for day in ("2026-01-15", "2026-07-15")
    ]
    assert found == [f"2026-01-15T08:30:00{winter}", f"2026-07-15T08:30:00{summer}"]


def test_without_a_zip_code_it_is_the_most_populous_zone_of_the_state() -> None:
    assert moments(CONTACT_ZONE, state="TN").email_at == "2026-11-23T08:30:00-06:00"
    assert moments(CONTACT_ZONE, state="Florida").email_at == "2026-11-23T08:30:00-05:00"


def test_of_a_contact_of_whom_nothing_is_known_it_is_the_agencys() -> None:
    for zip_code in (None, "", "x", "00000", "09001"):
        found = moments(CONTACT_ZONE, zip_code=zip_code).email_at
        assert found == "2026-11-23T08:30:00-06:00"


def test_the_time_is_the_rows_and_the_send_time_where_it_has_none() -> None:
    assert moments(time="10:15").email_at == "2026-11-23T10:15:00-06:00"
    assert moments(time=" 10:15:30.5 ").email_at == "2026-11-23T10:15:30-06:00"
    assert moments("send_time: '07:00'").email_at == "2026-11-23T07:00:00-06:00"
    assert moments(day="2026-11-23 00:00:00").email_at == "2026-11-23T08:30:00-06:00"


@pytest.mark.parametrize("time", ["soon", "25:00", "8:30", "08:30 PM"])
def test_a_time_that_cannot_be_read_makes_no_moment(time: str) -> None:
    assert moments(time=time) == Moments(None, None, None)


@pytest.mark.parametrize("day", ["", "tomorrow", "2026-02-30", "9999-12-31", "0001-01-01"])
def test_a_day_that_is_none_or_at_the_end_of_the_calendar_makes_no_moment(day: str) -> None:
    assert moments(day=day) == Moments(None, None, None)


# --- daylight saving time -------------------------------------------------------------------------


def test_a_time_that_the_spring_skips_moves_forward_by_the_hour() -> None:
    assert moments(day="2026-03-08", time="02:30").email_at == "2026-03-08T03:30:00-05:00"
    found = moments(CONTACT_ZONE, zip_code="85001", day="2026-03-08", time="02:30")
    assert found.email_at == "2026-03-08T02:30:00-07:00"


def test_of_a_time_that_comes_twice_in_autumn_it_is_the_first() -> None:
    found = moments(NIGHT, zip_code="60601", day="2026-11-01", time="01:30")
    assert found.email_at == found.sms_at == "2026-11-01T01:30:00-05:00"


def test_a_text_message_takes_the_second_where_only_that_is_within_the_hours() -> None:
    config = "delivery: {sms_hours: {from: '01:00'}}"
    found = moments(config, zip_code="60601", day="2026-11-01", time="01:30")
    assert found.email_at == "2026-11-01T01:30:00-05:00"
    assert found.sms_at == "2026-11-01T01:30:00-06:00"


def test_hours_that_begin_or_end_at_a_skipped_time_are_the_shorter_ones() -> None:
    found = moments(
        "delivery: {sms_hours: {from: '02:30'}}", zip_code="60601", day="2026-03-08", time="00:00"
    )
    assert found.sms_at == "2026-03-08T03:30:00-05:00"
    ends = "delivery: {sms_hours: {from: '00:00', to: '02:30', states: {KY: }}}"
    found = moments(ends, zip_code="60601", day="2026-03-08", time="00:30")
    assert found.sms_until == "2026-03-08T01:30:00-06:00"


# --- the hours of text messages -------------------------------------------------------------------


def test_a_text_message_within_its_hours_goes_out_with_the_email() -> None:
    found = moments(zip_code="10001")  # 08:30 in Chicago is 09:30 in New York
    assert found.email_at == "2026-11-23T08:30:00-06:00"
    assert found.sms_at == "2026-11-23T09:30:00-05:00"
    assert found.sms_until == "2026-11-23T20:00:00-05:00"


def test_one_that_is_early_waits_for_nine_oclock_whatever_the_zone_of_the_email() -> None:
    for config in ("", CONTACT_ZONE):
        assert sms_at(config, zip_code="94105") == "2026-11-23T09:00:00-08:00"


def test_one_that_is_late_stays_on_its_day_an_hour_before_the_end() -> None:
    found = moments(zip_code="10001", time="21:00")
    assert found.sms_at == "2026-11-23T19:00:00-05:00"
    assert found.sms_until == "2026-11-23T20:00:00-05:00"
    short = "delivery: {sms_hours: {from: '19:30'}}"
    assert sms_at(short, zip_code="10001", time="21:00") == "2026-11-23T19:30:00-05:00"


def test_kentucky_begins_at_ten_on_both_sides_of_its_line() -> None:
    assert sms_at(zip_code="40202") == "2026-11-23T10:00:00-05:00"
    assert sms_at(zip_code="42101") == "2026-11-23T10:00:00-06:00"


def test_kentucky_without_a_zip_code_begins_when_it_is_ten_in_both_zones() -> None:
    found = moments(state="KY")
    assert found.sms_at == "2026-11-23T11:00:00-05:00"
    assert found.sms_until == "2026-11-23T20:00:00-05:00"


def test_tennessee_without_a_zip_code_has_the_hours_that_both_its_zones_allow() -> None:
    early = moments(state="TN", time="06:00")
    assert early.sms_at == "2026-11-23T09:00:00-06:00"  # 10:00 in Knoxville
    assert early.sms_until == "2026-11-23T19:00:00-06:00"  # 20:00 in Knoxville


def test_a_zip_code_of_another_state_than_the_column_must_be_allowed_in_both() -> None:
    found = moments(CONTACT_ZONE, state="KY", zip_code="94105")
    assert found.email_at == "2026-11-23T08:30:00-08:00"
    assert found.sms_at == "2026-11-23T09:00:00-08:00"
    assert found.sms_until == "2026-11-23T17:00:00-08:00"  # 20:00 in eastern Kentucky


@pytest.mark.parametrize("contact", [{}, {"zip_code": "09001"}, {"state": "AP"}, {"state": "?"}])
def test_a_contact_of_no_known_place_has_the_hour_that_all_of_the_country_allows(
    contact: dict[str, str],
) -> None:
    found = moments(**contact)  # 09:00 in Guam, 19:00 in San Juan
    assert found.sms_at == "2026-11-23T17:00:00-06:00"
    assert found.sms_until == "2026-11-23T18:00:00-06:00"


def test_where_no_hour_is_left_no_text_message_goes_out() -> None:
    found = moments("delivery: {sms_hours: {to: '19:00'}}")
    assert found == Moments("2026-11-23T08:30:00-06:00", None, None)


def test_an_agency_in_hawaii_writes_to_maine_on_the_day_of_the_row() -> None:
    assert sms_at(IN_HAWAII + "'08:30'", zip_code="04101") == "2026-11-23T13:30:00-05:00"
    assert sms_at(IN_HAWAII + "'17:00'", zip_code="04101") == "2026-11-23T19:00:00-05:00"
    assert sms_at(IN_HAWAII + "'20:30'", zip_code="04101") == "2026-11-23T19:00:00-05:00"
    assert sms_at("send_time: '05:00'", zip_code="96813") == "2026-11-23T09:00:00-10:00"


@pytest.mark.parametrize("day", ["2026-03-08", "2026-07-04", "2026-11-01"])
def test_every_text_message_is_on_the_rows_day_and_within_the_hours_of_all_places(day: str) -> None:
    zip_codes = ["96910", "96799", "04101", "96941", "99546", "40202", None] * 4
    states = [state for state in ("TN", "GU", "KY", None) for _ in range(7)]
    contacts = {"contact.zip_code": zip_codes, "contact.state": states}
    clock, sms_hours = Clock(Config()), Config().delivery.sms_hours
    for hour in range(0, 24, 3):
        when = {"scheduled_send_date": day, "scheduled_send_time": f"{hour:02}:00:00"}
        found = clock.moments(contacts | {name: [value] * 28 for name, value in when.items()})
        for moments_of_one, codes in zip(found, place_codes(states, zip_codes), strict=True):
            assert moments_of_one.sms_at is not None
            assert moments_of_one.sms_at.startswith(day)
            moment = dt.datetime.fromisoformat(moments_of_one.sms_at)
            for place in whereabouts(codes).places:
                local = f"{moment.astimezone(ZoneInfo(place.zone)):%H:%M}"
                begin, end = sms_hours.of_state(place.state)
                assert begin <= local < end


@pytest.mark.parametrize(
    ("state", "zip_code", "words"),
    [
        ("", "40202", "America/New_York; text messages from 10:00 to 20:00 in America/New_York"),
        (
            "TN",
            "",
            "America/Chicago; text messages from 09:00 to 20:00 in America/Chicago, "
            "and from 09:00 to 20:00 in America/New_York",
        ),
        ("", "", "Pacific/Honolulu; text messages when every place of the country allows them"),
    ],
)
def test_the_zone_and_the_hours_of_a_contact_in_words(
    state: str, zip_code: str, words: str
) -> None:
    config = load_config(f"timezone: Pacific/Honolulu\n{CONTACT_ZONE}")
    assert in_words(config, state, zip_code) == f"e-mail in the zone {words}"
    agencys = in_words(load_config(""), state, zip_code)
    assert agencys.startswith("e-mail in the zone America/Chicago; ")


def test_a_zip_code_without_its_leading_zero_is_the_whole_one() -> None:
    assert sms_at(zip_code="4101", time="06:00") == sms_at(zip_code="04101", time="06:00")
    assert sms_at(zip_code="4101", time="06:00") == "2026-11-23T09:00:00-05:00"
