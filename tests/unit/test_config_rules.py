"""Rules of states in a configuration: one, a list or none; dated, of the calendar, with sources."""

import datetime as dt
import json

import pytest

from almanac.config import Config, load_config
from almanac.config_rules import AgeBand, RuleSource, StateRule
from almanac.errors import ConfigError
from almanac.rules.states import STATE_RULES

STACK = """
state_rules:
  VA:
    - {kind: birthday_window, after: 30, valid_to: 2025-06-30}
    - {kind: birthday_window, after: 60, valid_from: 2025-07-01, age: {min: 65}, pre_window_days: 0,
       source: {cite: "Va. Code § 38.2-3611", url: "https://law.example/va", verified: 2026-11-28}}
  TX: {kind: calendar_window, from: "10-15", to: 12-07}
  FL: [{kind: year_round, valid_from: 2027-01-01}]
  CA: null
"""


def mistake(rule: str) -> str:
    """Return what is said about the rule of TX, behind its key."""
    with pytest.raises(ConfigError) as error:
        load_config(f"state_rules: {{TX: {rule}}}")
    line = str(error.value)
    assert line.startswith("config.yaml: state_rules.TX")
    assert "\n" not in line
    return line.removeprefix("config.yaml: state_rules.TX").removeprefix(".")


def test_a_state_has_one_rule_a_list_of_rules_or_none() -> None:
    rules = load_config(STACK).rules
    assert set(rules) == set(STATE_RULES) - {"CA"} | {"TX", "FL"}
    assert [(rule.kind, rule.begins, rule.ends) for rule in rules["TX"]] == [
        ("calendar_window", "10-15", "12-07")
    ]
    assert rules["FL"] == (StateRule(kind="year_round", valid_from=dt.date(2027, 1, 1)),)
    old, new = rules["VA"]
    assert (old.after, old.valid_from, old.valid_to) == (30, None, dt.date(2025, 6, 30))
    assert (new.age, new.pre_window_days) == (AgeBand(min=65), 0)
    assert new.source == RuleSource(
        cite="Va. Code § 38.2-3611",
        url="https://law.example/va",
        verified=dt.date(2026, 11, 28),
    )


def test_a_list_of_one_rule_is_that_rule() -> None:
    alone = load_config("state_rules: {TX: {kind: year_round}}")
    listed = load_config("state_rules: {TX: [{kind: year_round}]}")
    assert alone == listed
    assert alone.digest() == listed.digest()


def test_a_rule_is_law_from_its_first_to_its_last_day() -> None:
    old, new = load_config(STACK).rules["VA"]
    before, after = dt.date(2025, 6, 30), dt.date(2025, 7, 1)
    assert (old.is_law_on(before), new.is_law_on(before)) == (True, False)
    assert (old.is_law_on(after), new.is_law_on(after)) == (False, True)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            '{kind: calendar_window, from: "10-15"}',
            'to: null is not a day of the year as MM-DD, such as "09-15": a calendar_window takes '
            "both from and to",
        ),
        (
            "{kind: calendar_window, from: 02-30, to: 03-01}",
            'from: "02-30" is not a day of the year as MM-DD, such as "09-15"',
        ),
        (
            "{kind: birthday_window, from: 10-15}",
            'from: "10-15" is for a calendar_window; the rule is a birthday_window',
        ),
        (
            "{kind: calendar_window, from: 10-15, to: 12-07, before: 3}",
            "before: 3 is for a birthday_window or an effective_date_window; a calendar_window "
            "takes from and to",
        ),
        (
            "{kind: birthday_window, valid_from: 2027-01-01, valid_to: 2026-12-31}",
            'valid_to: "2026-12-31" is before valid_from (2027-01-01): the rule would never be law',
        ),
        (
            "{kind: birthday_window, valid_from: 2027-02-29}",
            'valid_from: "2027-02-29" is not a date as YYYY-MM-DD',
        ),
        ("{kind: birthday_window, valid_to: 2027}", "valid_to: 2027 is not a date as YYYY-MM-DD"),
        (
            "{kind: birthday_window, age: {min: 75, max: 65}}",
            "age.max: 65 is less than min (75): the rule would hold for no contact",
        ),
        (
            "{kind: birthday_window, age: 65}",
            "age: 65 is not a mapping of settings (min, max), or null",
        ),
        (
            "{kind: birthday_window, age: {mn: 65}}",
            "age.mn: unknown key; did you mean min? allowed: min, max",
        ),
        (
            "{kind: year_round, pre_window_days: 3}",
            "pre_window_days: 3 is for a rule with a window; the rule is a year_round",
        ),
        (
            "{kind: calender_window}",
            'kind: "calender_window" is not one of birthday_window, effective_date_window, '
            "calendar_window, year_round; did you mean calendar_window?",
        ),
        (
            "{kind: year_round, source: {cite: law, url: law.example}}",
            'source.url: "law.example" is not an address that begins with https:// or http://',
        ),
        (
            "[]",
            ": a list is empty; it takes a rule (a mapping with at least kind), a list of "
            "rules, or null",
        ),
        (
            "[{kind: year_round}, {kind: birthday_window, to: 10-15}]",
            '1.to: "10-15" is for a calendar_window; the rule is a birthday_window',
        ),
    ],
)
def test_a_mistake_in_a_rule_names_the_key_what_was_found_and_what_it_takes(
    rule: str, said: str
) -> None:
    assert mistake(rule) == said


def test_an_unknown_rule_set_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        load_config("rule_set: statutary")
    assert str(error.value) == (
        'config.yaml: rule_set: "statutary" is not one of standard, statutory; did you mean '
        "statutory?"
    )


@pytest.mark.parametrize("text", [STACK, "rule_set: statutory", f"rule_set: statutory{STACK}"])
def test_a_recorded_configuration_makes_the_same_one(text: str) -> None:
    config = load_config(text)
    again = load_config(config.canonical())
    assert again == config
    assert again.rules == config.rules
    assert again.canonical() == config.canonical()
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_a_configuration_that_uses_no_newer_key_is_recorded_as_ever() -> None:
    recorded = json.loads(load_config("state_rules: {CA: null}").canonical())
    assert "rule_set" not in recorded
    assert recorded["state_rules"].keys() == STATE_RULES.keys()
    assert recorded["state_rules"]["CA"] is None
    assert recorded["state_rules"]["NV"] == {
        "kind": "birthday_window",
        "before": 0,
        "after": 60,
        "use_month_start": True,
        "year_round_from_age": None,
    }


def test_what_an_earlier_release_recorded_of_a_year_round_rule_still_loads() -> None:
    rule = {"kind": "year_round", "before": 3, "after": 0, "use_month_start": False}
    config = load_config(json.dumps({"state_rules": {"TX": rule | {"year_round_from_age": None}}}))
    assert config.rules["TX"][0].kind == "year_round"


def test_of_the_statutory_set_only_what_is_given_is_recorded() -> None:
    config = load_config("rule_set: statutory\nstate_rules: {VA: null, TX: {kind: year_round}}")
    recorded = json.loads(config.canonical())
    assert recorded["rule_set"] == "statutory"
    assert recorded["state_rules"].keys() == {"VA", "TX"}
    assert "VA" not in config.rules
    assert {"TX", "CA", "MN"} <= config.rules.keys()


def test_states_that_are_not_named_have_the_rules_of_the_statutory_set() -> None:
    rules = load_config("rule_set: statutory").rules
    (minnesota,) = rules["MN"]
    assert minnesota.kind == "calendar_window"
    assert minnesota.age == AgeBand(min=65, max=70)
    assert minnesota.source is not None
    assert "TX" not in rules
