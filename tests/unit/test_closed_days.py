"""Closed days: what the configuration takes, and which days they are."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest

from almanac.config import Config, load_config
from almanac.config_closed_days import ClosedDays
from almanac.errors import ConfigError
from almanac.planning.brief import Instance, RunContext

CODE = "the code of a country or of a part of one, such as US or US-CA"


def closed(text: str) -> ClosedDays:
    return load_config(f"load_balancing: {{closed: {text}}}").load_balancing.closed


def days(text: str, first: str, last: str) -> list[str]:
    """The closed days of a span."""
    between = closed(text).between(dt.date.fromisoformat(first), dt.date.fromisoformat(last))
    return [str(day) for day in between]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{weekdays: [saturday]}",
            'closed.weekdays.0: "saturday" is not one of mon, tue, wed, thu, fri, sat, sun',
        ),
        (
            "{weekdays: sat}",
            'closed.weekdays: "sat" is not a list, each one of mon, tue, wed, thu, fri, sat, sun',
        ),
        (
            "{dates: [2026-02-30]}",
            'closed.dates.0: "2026-02-30" is not a date as YYYY-MM-DD, such as 2026-12-24',
        ),
        ("{holidays: [XX]}", f'closed.holidays.0: "XX" is not {CODE}'),
        ("{holidays: [us]}", f'closed.holidays.0: "us" is not {CODE}; did you mean US?'),
        ("{holidays: [US, US-ZZ]}", f'closed.holidays.1: "US-ZZ" is not {CODE}; did you mean'),
        ("{holidays: [US-]}", f'closed.holidays.0: "US-" is not {CODE}'),
        ("{holidays: [NO]}", f"closed.holidays.0: false is not {CODE}"),
        (
            "{states: {CA: [sat]}}",
            "closed: a mapping with the key states: closed days are the agency's and hold for "
            "contacts of every state; days on which one state's contacts get nothing are a rule in "
            "state_rules; allowed: weekdays, dates, holidays",
        ),
        ("{days: [sat]}", "closed.days: unknown key; allowed: weekdays, dates, holidays"),
        ("[sat]", "closed: a list is not a mapping of settings (weekdays, dates, holidays)"),
    ],
)
def test_a_wrong_closed_day_is_one_line_with_its_key_and_what_it_takes(
    text: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        closed(text)
    assert str(caught.value).startswith(f"config.yaml: load_balancing.{message}")
    assert "\n" not in str(caught.value)


def test_weekdays_dates_and_public_holidays_are_closed() -> None:
    assert days("{weekdays: [sat, sun]}", "2026-11-20", "2026-11-29") == [
        *("2026-11-21", "2026-11-22", "2026-11-28", "2026-11-29")
    ]
    assert days("{dates: [2027-01-02, 2026-12-24]}", "2026-12-01", "2027-01-02") == [
        *("2026-12-24", "2027-01-02")
    ]
    assert days("{holidays: [US]}", "2026-06-01", "2026-09-30") == [
        *("2026-06-19", "2026-07-03", "2026-07-04", "2026-09-07")
    ]


def test_a_part_of_a_country_has_the_countrys_holidays_and_its_own() -> None:
    spring = "2026-03-01", "2026-05-31"
    assert days("{holidays: [US]}", *spring) == ["2026-05-25"]
    assert days("{holidays: [US-CA]}", *spring) == ["2026-03-31", "2026-05-25"]


def test_new_years_day_may_be_observed_in_the_year_before() -> None:
    assert days("{holidays: [US]}", "2027-12-26", "2027-12-31") == ["2027-12-31"]


def test_a_day_that_is_closed_twice_is_one_day() -> None:
    text = "{weekdays: [fri], dates: [2026-12-25], holidays: [US, GB]}"
    assert days(text, "2026-12-25", "2026-12-25") == ["2026-12-25"]


def test_a_recorded_configuration_of_an_earlier_version_has_no_closed_days() -> None:
    recorded = Config().canonical()  # without closed days it has the text and digest that it had
    assert "closed" not in recorded
    assert load_config(recorded) == Config()


def test_a_recorded_configuration_has_its_closed_days() -> None:
    text = "load_balancing: {closed: {weekdays: [sun], dates: [2026-12-24], holidays: [US-CA]}}"
    config = load_config(text)
    assert load_config(config.canonical()) == config


def test_the_closed_days_of_a_run_reach_to_the_last_day_of_any_message() -> None:
    instance = Instance(id=1, type_name="rate", name="a", default_trigger=dt.date(2026, 1, 1))
    context = RunContext(
        as_of=dt.date(2026, 1, 1), t0=dt.date(2026, 1, 1), config=Config(), instances=[instance]
    )
    assert context.last_day == dt.date(2028, 1, 2)  # 365 and 366 days

    def last_day(**facts: object) -> dt.date:
        campaign = instance.model_copy(update={"takes_part": True, **facts})
        return context.model_copy(update={"instances": [campaign]}).last_day

    assert last_day(days_before_event=400) == dt.date(2028, 2, 5)
    assert last_day(days_before_event=9_999_999) == dt.date.max
    assert last_day(spread=(dt.date(2026, 1, 1), dt.date(2030, 5, 1))) == dt.date(2030, 5, 1)


def test_the_library_of_holidays_is_imported_only_where_some_are_configured() -> None:
    code = (
        "import sys; from almanac.config import load_config; "
        "load_config('load_balancing: {closed: {weekdays: [sun]}}'); "
        "print('holidays' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
