"""The section `delivery` of the configuration."""

from __future__ import annotations

import pytest

from almanac.config import Config, load_config
from almanac.config_delivery import SmsHours
from almanac.errors import ConfigError


def hours(text: str) -> SmsHours:
    return load_config(f"delivery: {{sms_hours: {text}}}").delivery.sms_hours


def mistake(text: str) -> str:
    with pytest.raises(ConfigError) as found:
        load_config(f"delivery: {text}")
    return str(found.value)


def test_text_messages_go_out_from_nine_to_eight_and_in_kentucky_from_ten() -> None:
    sms_hours = Config().delivery.sms_hours
    assert Config().delivery.zone == "agency"
    assert sms_hours.of_state("FL") == ("09:00", "20:00")
    assert sms_hours.of_state(None) == ("09:00", "20:00")
    assert sms_hours.of_state("KY") == ("10:00", "20:00")


def test_what_is_given_for_a_state_completes_its_default() -> None:
    assert hours("{states: {KY: {to: '19:00'}}}").of_state("KY") == ("10:00", "19:00")
    assert hours("{states: {TX: {from: '12:00'}}}").of_state("KY") == ("10:00", "20:00")


def test_null_removes_the_hours_of_a_state() -> None:
    assert hours("{states: {KY: ~}}").of_state("KY") == ("09:00", "20:00")
    assert hours("{states: {KY: {from: ~}}}").of_state("KY") == ("09:00", "20:00")


def test_a_state_follows_the_general_hours_where_it_has_none_of_its_own() -> None:
    assert hours("{from: '11:00', to: '18:30'}").of_state("TX") == ("11:00", "18:30")
    assert hours("{to: '18:30'}").of_state("KY") == ("10:00", "18:30")


def test_a_configuration_that_an_earlier_version_recorded_has_the_defaults() -> None:
    recorded = '{"timezone": "America/Chicago", "send_time": "08:30"}'
    assert load_config(recorded).digest() == Config().digest()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "{zone: contacts}",
            'zone: "contacts" is not one of agency, contact; did you mean contact?',
        ),
        (
            "{sms_hours: {from: '9am'}}",
            'sms_hours.from: "9am" is not a time of day as HH:MM, such as "08:30"',
        ),
        (
            "{sms_hours: {to: '24:00'}}",
            'sms_hours.to: "24:00" is not a time of day as HH:MM, such as "08:30"',
        ),
        (
            "{sms_hours: {from: '12:00', to: '10:00'}}",
            'sms_hours.to: "10:00" is not after from ("12:00")',
        ),
        (
            "{sms_hours: {from: '20:00'}}",
            'sms_hours.to: "20:00" is not after from ("20:00")',
        ),
        (
            "{sms_hours: {states: {TX: {from: '12:00', to: '10:00'}}}}",
            'sms_hours.states.TX.to: "10:00" is not after from ("12:00")',
        ),
        (
            "{sms_hours: {to: '10:00'}}",
            'sms_hours.states: a mapping leaves KY no hours: from "10:00" to "10:00"',
        ),
        (
            "{sms_hours: {states: {Kentucky: {from: '10:00'}}}}",
            'sms_hours.states.Kentucky: "Kentucky" is not a state; it takes the USPS code, '
            "such as CA",
        ),
        (
            "{sms_hours: {states: {TX: {start: '10:00'}}}}",
            "sms_hours.states.TX.start: unknown key; allowed: from, to",
        ),
    ],
)
def test_a_mistake_is_one_line_with_the_key_what_was_found_and_what_it_takes(
    text: str, line: str
) -> None:
    assert mistake(text) == f"config.yaml: delivery.{line}"
