"""An organization's configuration: defaults, bounds, and what is said of mistakes."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from almanac.config import TEMPLATE_KEYS, Config, load_config
from almanac.config_delivery import STATE_HOURS, StateHours
from almanac.config_problems import keys_of, settings_of, takes
from almanac.config_rules import StateRule
from almanac.errors import ConfigError
from almanac.rules.states import STATE_RULES, USPS_STATES
from almanac.yaml_text import path_text

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "configuration.md"


def mistakes(text: str | bytes) -> list[str]:
    """The lines of the error that a configuration raises."""
    with pytest.raises(ConfigError) as caught:
        load_config(text, "config.yaml")
    lines = str(caught.value).split("\n")
    assert all(line.startswith("config.yaml: ") for line in lines)
    return [line.removeprefix("config.yaml: ") for line in lines]


def mistake(text: str | bytes) -> str:
    """The only line of the error that a configuration raises."""
    (line,) = mistakes(text)
    return line


# --- what is taken -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "\n", "# nothing but words\n", "---\n", "{}", "null", b"", b"\xef\xbb\xbf"]
)
def test_an_empty_file_is_the_defaults(text: str | bytes) -> None:
    assert load_config(text) == Config()


def test_the_defaults_are_those_of_the_contract() -> None:
    config = Config()
    assert config.timezone == "America/Chicago"
    assert config.send_clock == dt.time(8, 30)
    assert config.horizon_days == 365
    assert config.timing.model_dump() == {
        "birthday_days_before": 14,
        "effective_date_days_before": 30,
        "pre_window_days": 60,
        "post_window_valid_days": 30,
        "followup_delay_days": 2,
        "followup_lookback_days": 35,
        "campaign_valid_days": 30,
    }
    assert config.aep.model_dump() == {
        "enabled": True,
        "date": "09-15",
        "years": None,
        "valid_days": 30,
    }
    assert config.frequency.model_dump() == {"max_emails": 3, "period_days": 30}
    assert config.load_balancing.model_dump() == {
        "daily_send_percentage_cap": 0.07,
        "ed_daily_soft_limit": 15,
        "ed_smoothing_window_days": 5,
        "catch_up_spread_days": 7,
        "overage_threshold": 1.2,
        "closed": {"weekdays": [], "dates": [], "holidays": []},
    }
    assert config.organization.model_dump() == {
        "enable_post_window_emails": True,
        "effective_date_first_email_months": 11,
        "exclude_failed_underwriting_global": False,
        "send_without_zipcode_for_universal": True,
        "send_without_window_date": True,
    }
    assert config.contacts.model_dump() == {
        "active_statuses": ["active"],
        "columns": {},
        "opt_out_columns": ["do_not_communicate", "do_not_contact"],
        "sms_consent_columns": ["sms_consent", "sms_opt_in"],
    }
    assert config.priorities.model_dump() == {
        "birthday": 10,
        "effective_date": 20,
        "aep": 30,
        "post_window": 40,
        "followup": 50,
    }
    assert set(config.rules) == set("CA ID KY MD NV OK OR VA MO CT MA NY WA".split())
    assert config.rules["NV"][0].use_month_start
    assert config.rules["MO"] == (StateRule(kind="effective_date_window", before=30, after=33),)


def test_what_is_left_out_keeps_its_default() -> None:
    config = load_config("timing: {birthday_days_before: 21}\naep: {years: [2026, 2028]}")
    assert config.timing.birthday_days_before == 21
    assert config.timing.effective_date_days_before == 30
    assert config.aep.years == [2026, 2028]
    assert config.aep.date == "09-15"


def test_a_whole_number_will_do_where_a_number_is_asked() -> None:
    config = load_config("load_balancing: {daily_send_percentage_cap: 1, overage_threshold: 2}")
    assert config.load_balancing.daily_send_percentage_cap == 1.0
    assert (
        config.digest()
        == load_config(
            "load_balancing: {daily_send_percentage_cap: 1.0, overage_threshold: 2.0}"
        ).digest()
    )


def test_numbers_may_have_an_exponent() -> None:
    config = load_config("load_balancing: {daily_send_percentage_cap: 5e-2}")
    assert config.load_balancing.daily_send_percentage_cap == 0.05


def test_a_date_needs_no_quotes() -> None:
    config = load_config("aep: {date: 02-29}\ntemplates: {aep: 2026-09-15}")
    assert config.aep.date == "02-29"
    assert config.email_template("aep") == "2026-09-15"


def test_templates_that_are_left_out_keep_their_names() -> None:
    config = load_config("templates: {birthday: cake}\nsms: {aep: ring, followup_1_cold: null}")
    assert config.email_template("birthday") == "cake"
    assert config.email_template("effective_date") == "effective_date_template"
    assert config.sms_template("aep") == "ring"
    assert config.sms_template("birthday") is None
    assert config.sms_template("followup_1_cold") is None
    assert config.sms_template("followup_3_hq_no_yes") == "followup_3_hq_no_yes_sms"
    assert set(config.templates) == set(config.sms) == set(TEMPLATE_KEYS)


def test_a_states_rule_replaces_the_default_as_a_whole() -> None:
    rules = load_config("state_rules: {CA: {kind: birthday_window, after: 5}}").rules
    assert rules["CA"] == (StateRule(kind="birthday_window", before=0, after=5),)
    assert set(rules) == set(STATE_RULES)


def test_a_state_may_be_added_and_a_default_taken_away() -> None:
    rules = load_config("state_rules: {CA: null, TX: {kind: year_round}, FL: null}").rules
    assert set(rules) == set(STATE_RULES) - {"CA"} | {"TX"}


def test_an_alias_is_what_it_stands_for() -> None:
    rules = load_config(
        "state_rules:\n  TX: &rule {kind: birthday_window, after: 30}\n  FL: *rule\n"
    ).rules
    assert rules["TX"] == rules["FL"] == (StateRule(kind="birthday_window", after=30),)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Honolulu", "America/Kentucky/Louisville"])
def test_any_zone_of_the_world_is_taken(zone: str) -> None:
    assert load_config(f"timezone: {zone}").zone.key == zone


# --- what is not ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "load_balancing: {daily_send_percentage_cap: 7}",
            "load_balancing.daily_send_percentage_cap: 7 is not between 0 and 1 "
            "(more than 0, at most 1)",
        ),
        (
            "load_balancing: {daily_send_percentage_cap: 0}",
            "load_balancing.daily_send_percentage_cap: 0 is not between 0 and 1 "
            "(more than 0, at most 1)",
        ),
        ("horizon_days: 0", "horizon_days: 0 is not between 1 and 3660"),
        (
            "horizon_days: 365.0",
            "horizon_days: 365.0 is not a whole number between 1 and 3660",
        ),
        (
            "horizon_days: yes",
            "horizon_days: true is not a whole number between 1 and 3660",
        ),
        (
            'horizon_days: "365"',
            'horizon_days: "365" is not a whole number between 1 and 3660; '
            "write 365 without quotes",
        ),
        (
            "horizon_days:",
            "horizon_days: null is not a whole number between 1 and 3660",
        ),
        (
            "horizon_days: [365]",
            "horizon_days: a list is not a whole number between 1 and 3660",
        ),
        (
            "load_balancing: {overage_threshold: true}",
            "load_balancing.overage_threshold: true is not a number between 1 and 100",
        ),
        (
            "load_balancing: {overage_threshold: .inf}",
            "load_balancing.overage_threshold: inf is not a number between 1 and 100",
        ),
        (
            "load_balancing: {ed_smoothing_window_days: 4}",
            "load_balancing.ed_smoothing_window_days: 4 is not an odd number of days",
        ),
        (
            "aep: {enabled: 1}",
            "aep.enabled: 1 is not true or false",
        ),
        (
            "aep: {years: [2026, 0]}",
            "aep.years.1: 0 is not between 1901 and 9999",
        ),
        (
            "aep: {years: 2026}",
            "aep.years: 2026 is not a list, each a whole number between 1901 and 9999, or null",
        ),
        (
            "aep: {date: 2026-09-15}",
            'aep.date: "2026-09-15" is not a day of the year as MM-DD, such as "09-15"',
        ),
        (
            "aep: {date: 02-30}",
            'aep.date: "02-30" is not a day of the year as MM-DD, such as "09-15"',
        ),
        (
            "send_time: 24:00",
            'send_time: 24:00 without quotes is a number to YAML; write "24:00"',
        ),
        (
            'send_time: "24:00"',
            'send_time: "24:00" is not a time of day as HH:MM, such as "08:30"',
        ),
        (
            "send_time: 8",
            'send_time: 8 is not a time of day as HH:MM, such as "08:30"',
        ),
        (
            "timezone: America/Chigaco",
            'timezone: "America/Chigaco" is not an IANA time zone such as America/Chicago; '
            "did you mean America/Chicago?",
        ),
        (
            "templates: {birthday: 7}",
            "templates.birthday: 7 is not the name of a template; put it in quotes",
        ),
        (
            'templates: {birthday: " "}',
            'templates.birthday: " " is not the name of a template',
        ),
        (
            'sms: {aep: "a\\x1fb"}',
            'sms.aep: "a\\u001fb" is not the name of a template',
        ),
        ("sms: [birthday]", "sms: a list is not a mapping"),
        ("sms: {birthday: 7}", "sms.birthday: 7 is not the name of a template, or null"),
        (
            "contacts: {active_statuses: active}",
            'contacts.active_statuses: "active" is not a list, each a status of contacts, such as '
            "active",
        ),
        (
            'contacts: {active_statuses: [" "]}',
            'contacts.active_statuses.0: " " is not a status of contacts, such as active',
        ),
        (
            "contacts: {columns: {dob: birth}}",
            'contacts.columns.dob: "dob" is not a column that Almanac reads; allowed: id, email, '
            "zip_code, state, birth_date, effective_date, carrier, failed_underwriting, "
            "phone_number, status, created_at",
        ),
        (
            "contacts: {columns: {birthdate: dob}}",
            'contacts.columns.birthdate: "birthdate" is not a column that Almanac reads; did you '
            "mean birth_date? allowed: id, email, zip_code, state, birth_date, effective_date, "
            "carrier, failed_underwriting, phone_number, status, created_at",
        ),
        (
            'contacts: {columns: {birth_date: ""}}',
            'contacts.columns.birth_date: "" is not the name of a column of contacts',
        ),
        (
            "contacts: {opt_out_columns: [7]}",
            "contacts.opt_out_columns.0: 7 is not the name of a column of contacts; put it in "
            "quotes",
        ),
        (
            "contacts: {sms_consent_columns: null}",
            "contacts.sms_consent_columns: null is not a list, each the name of a column of "
            "contacts",
        ),
        (
            "organization: {send_without_window_date: 1}",
            "organization.send_without_window_date: 1 is not true or false",
        ),
        ("sms: birthday", 'sms: "birthday" is not a mapping'),
        (
            "state_rules: {CA: {before: 3}}",
            "state_rules.CA.kind: missing; it takes one of birthday_window, "
            "effective_date_window, calendar_window, year_round",
        ),
        (
            "state_rules: {CA: {kind: birthday_windows}}",
            'state_rules.CA.kind: "birthday_windows" is not one of birthday_window, '
            "effective_date_window, calendar_window, year_round; did you mean birthday_window?",
        ),
        (
            "state_rules: {CA: {kind: year_round, year_round_from_age: 200}}",
            "state_rules.CA.year_round_from_age: 200 is not between 0 and 150",
        ),
        (
            "state_rules: {CA: no}",
            "state_rules.CA: false is not a rule (a mapping with at least kind), a list of rules, "
            "or null",
        ),
        (
            "frequency: 3",
            "frequency: 3 is not a mapping of settings (max_emails, period_days)",
        ),
        (
            "frequency:",
            "frequency: null is not a mapping of settings (max_emails, period_days)",
        ),
        (
            "priorities: {aep: 99999999999999999999}",
            "priorities.aep: 99999999999999999999 is not between -1000000 and 1000000",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_what_it_takes(text: str, message: str) -> None:
    assert mistake(text) == message


@pytest.mark.parametrize(
    "zone", ["", "Mars/Base", "America", "../../etc/passwd", "/etc/localtime", "localtime", "a\\0b"]
)
def test_a_name_that_is_no_zone_is_not_taken(zone: str) -> None:
    assert "is not an IANA time zone" in mistake(f'timezone: "{zone}"')


def test_an_unknown_key_is_told_with_the_one_that_was_meant_and_those_allowed() -> None:
    assert mistake("frequency: {max_email: 3}") == (
        "frequency.max_email: unknown key; did you mean max_emails? "
        "allowed: max_emails, period_days"
    )
    assert mistake("frequency: {colour: red}") == (
        "frequency.colour: unknown key; allowed: max_emails, period_days"
    )


def test_a_key_of_another_section_is_told_with_its_place() -> None:
    assert mistake("max_emails: 3").startswith(
        "max_emails: unknown key; did you mean frequency.max_emails? allowed: timezone, send_time,"
    )


def test_an_unknown_email_type_is_told_with_those_allowed() -> None:
    assert mistake("templates: {brithday: x}").startswith(
        'templates.brithday: "brithday" is not an email type; did you mean birthday? allowed: birth'
    )


@pytest.mark.parametrize("state", ["NO", "XX", "California", "", "06", "c a"])
@pytest.mark.parametrize("rule", ["{kind: year_round}", "null", "7"])
def test_an_unknown_state_is_told_once_whatever_its_rule(state: str, rule: str) -> None:
    shown = state if re.fullmatch(r"\w+", state) else f'"{state}"'
    expected = f'state_rules.{shown}: "{state}" is not a state; it takes the USPS code, such as CA'
    assert mistake(f'state_rules: {{"{state}": {rule}}}') == expected


def test_yamls_false_is_the_text_that_was_typed_where_it_is_a_key() -> None:
    assert 'state_rules.NO: "NO" is not a state' in mistake("state_rules: {NO: {kind: year_round}}")
    assert mistake("on: 1").startswith("on: unknown key")


def test_a_state_in_small_letters_is_told_its_code() -> None:
    assert mistake("state_rules: {ca: null}").endswith("did you mean CA?")


def test_several_mistakes_are_several_lines() -> None:
    found = mistakes(
        "timezone: Nowhere\nhorizon_days: 0\ntiming: {pre_window_days: -1, x: 1}\n"
        "state_rules: {ZZ: null, CA: {kind: 3}}\nsend_time: 10:30\n"
    )
    assert sorted(line.split(":")[0] for line in found) == [
        "horizon_days",
        "send_time",
        "state_rules.CA.kind",
        "state_rules.ZZ",
        "timezone",
        "timing.pre_window_days",
        "timing.x",
    ]


def test_very_many_mistakes_are_counted() -> None:
    found = mistakes("\n".join(f"key{i}: 1" for i in range(100)))
    assert len(found) == 21
    assert found[-1] == "and 80 more"


def test_a_key_that_is_given_twice_is_a_mistake() -> None:
    assert mistake("timing:\n  pre_window_days: 3\n  pre_window_days: 4\n") == (
        "timing.pre_window_days: given twice, on lines 2 and 3"
    )
    assert mistake("horizon_days: 3\naep: {}\nhorizon_days: 3") == (
        "horizon_days: given twice, on lines 1 and 3"
    )


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("014", "014 is octal to YAML; write 14, or quotes for a text"),
        ("1_0", '"1_0" is not a plain whole number; write it in decimal digits'),
        ("0x1F", '"0x1F" is not a plain whole number; write it in decimal digits'),
        ("1:30", '1:30 without quotes is a number to YAML; write "1:30"'),
        ("1:30.5", '"1:30.5" is not a plain number; write it out'),
    ],
)
def test_a_number_that_yaml_reads_differently_than_people_is_a_mistake(
    number: str, message: str
) -> None:
    assert mistake(f"horizon_days: {number}") == f"horizon_days: {message}"


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("a: [1\nb: 2", "line 2, column 2: not YAML: "),
        ("a: 1\n\tb: 2", "line 2, column 1: not YAML: found character '\\t'"),
        ("a: b: c", "line 1, column 5: not YAML: mapping values are not allowed here"),
        ('a: "open', "line 1, column 9: not YAML: found unexpected end of stream"),
        ("a: *nobody", "line 1, column 4: not YAML: found undefined alias 'nobody'"),
        ("a: 1\n---\nb: 2", "line 2, column 1: not YAML: but found another document"),
        ("a: 1\nb: \x00", "line 2: not YAML: the character U+0000 is not allowed"),
        ("a: !!python/object/apply:os.system [ls]", 'line 1: the tag "tag:yaml.org,2002:python/'),
        ("a: !secret x", 'line 1: the tag "!secret" is not allowed'),
        (b"a: \xff", "not UTF-8 text: byte 4"),
        ("PK\x03\x04", "line 1: not YAML: the character U+0003 is not allowed"),
        ("- 1\n- 2", "expected a mapping of settings, found a list"),
        ("some words", 'expected a mapping of settings, found "some words"'),
        ("42", "expected a mapping of settings, found 42"),
        ("? [a, b]\n: 1", "the key on line 1 is not a plain text"),
        ('"\\ud800": 1', "the key on line 1 is not a plain text"),
        ('a: "\\UFFFFFFFF"', "not YAML: an escape that is no character"),
        ("a: !!int [1]", 'line 1: the tag "tag:yaml.org,2002:int" is not allowed'),
        ("aep: {enabled: !!bool maybe}", 'aep.enabled: "maybe" is not true or false, as its tag'),
        ("aep: {years: !!null 2026}", 'aep.years: "2026" is not null, as its tag says'),
        ('aep: {date: "\\ud800"}', 'aep.date: "\\ud800" contains half a character'),
    ],
)
def test_a_text_that_is_no_configuration_is_told_in_a_line(text: str, beginning: str) -> None:
    assert mistake(text).startswith(beginning)


def test_a_text_that_is_too_large_is_refused() -> None:
    assert mistake("#" * (1024 * 1024 + 1)).startswith("1048577 bytes; a configuration has at most")


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 50_000, "- " * 50_000, "&a {b: *a}"])
def test_a_text_that_is_nested_without_end_is_refused(text: str) -> None:
    assert mistake(text) == "nested more than 20 levels deep"


def test_aliases_that_stand_for_very_much_are_refused() -> None:
    levels = [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 12)]
    bomb = "\n".join(["l0: &l0 [x, x]", *levels])
    assert mistake(bomb) == "more than 10000 values (aliases count each time)"


YAMLISH = st.text("abx01:-[]{}&*!|>'\"#%@,.?\\~<=_ \n\tU\u2028\ud7ff")


@given(st.text() | st.binary() | YAMLISH)
def test_no_text_does_worse_than_a_mistake(text: str | bytes) -> None:
    with contextlib.suppress(ConfigError):
        load_config(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
SETTINGS = [path for path, _ in settings_of(Config)]


@given(st.sampled_from(SETTINGS), JSON)
def test_no_value_does_worse_than_mistakes_about_its_key(
    path: tuple[str, ...], value: object
) -> None:
    text: object = value
    for key in reversed(path):
        text = {key: text}
    try:
        load_config(yaml.safe_dump(text))
    except ConfigError as error:
        for line in str(error).split("\n"):
            assert line.startswith(("config.yaml: " + path_text(path), "config.yaml: and "))


# --- canonical form and arithmetic ---------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "state_rules: {CA: null, TX: {kind: year_round, year_round_from_age: 76}}",
        "load_balancing: {daily_send_percentage_cap: 0.00001}",
        "templates: {birthday: 'Grüße 🎂'}",
        "aep: {enabled: false, years: []}",
        "delivery: {zone: contact, sms_hours: {from: '08:00', states: {KY: , TX: {to: '19:00'}}}}",
    ],
)
def test_the_canonical_text_makes_the_same_configuration(text: str) -> None:
    config = load_config(text)
    assert load_config(config.canonical()) == config
    assert load_config(config.canonical()).digest() == config.digest()
    assert Config.model_validate(json.loads(config.canonical())) == config


def test_two_ways_to_say_the_same_have_one_digest_and_others_another() -> None:
    digests = {
        load_config(text).digest()
        for text in ("", "horizon_days: 365", "templates: {aep: aep_template}", "aep: {years: ~}")
    }
    assert digests == {Config().digest()}
    assert load_config("horizon_days: 364").digest() != Config().digest()
    assert load_config("state_rules: {CA: null}").digest() != Config().digest()


def test_caps_are_exact_decimals() -> None:
    config = load_config("load_balancing: {daily_send_percentage_cap: 0.29}")
    assert config.daily_cap(100) == 29
    assert Config().daily_cap(100_000) == 7000
    assert Config().ceiling(100_000) == 8400
    assert load_config("load_balancing: {overage_threshold: 1.1}").ceiling(1000) == 77


def test_caps_of_small_agencies_are_at_least_one() -> None:
    config = Config()
    assert (config.daily_cap(0), config.ceiling(0), config.effective_date_limit(0)) == (1, 1, 1)
    assert config.daily_cap(28) == 1
    assert config.daily_cap(29) == 2


def test_effective_dates_are_smoothed_above_the_smaller_limit() -> None:
    assert Config().effective_date_limit(100_000) == 15
    assert Config().effective_date_limit(500) == 10


# --- the documentation ---------------------------------------------------------------------------


def rows() -> dict[str, tuple[str, str]]:
    """Default and what it takes of each key in the tables of the documentation."""
    pattern = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)
    return {key: (default, text) for key, default, text in pattern.findall(DOCUMENT.read_text())}


def blocks() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


def test_every_setting_is_documented_with_its_default_and_bounds() -> None:
    expected = {}
    for path, info in settings_of(Config):
        default = info.get_default(call_default_factory=True)
        shown = "below" if isinstance(default, dict) else f"`{json.dumps(default)}`"
        expected[path_text(path)] = (shown, takes(info.annotation, info.metadata))
    for place, model in (
        ("state_rules", StateRule),
        ("delivery.sms_hours.states", StateHours),
    ):
        for name, info in keys_of(model).items():
            shown = "required" if info.is_required() else f"`{json.dumps(info.default)}`"
            key = f"{place}.<STATE>.{name}"
            expected[key] = (shown, takes(info.annotation, info.metadata))
    assert rows() == expected


def test_the_documented_defaults_are_the_defaults() -> None:
    by_key = {key: text for text in blocks() for key in yaml.safe_load(text)}
    assert load_config(by_key["sms"]) == Config()
    assert yaml.safe_load(by_key["sms"]) == {"templates": Config().templates, "sms": Config().sms}
    state_rules = [text for text in blocks() if text.startswith("state_rules:")][-1]
    assert yaml.safe_load(state_rules)["state_rules"] == STATE_RULES
    hours = yaml.safe_load(by_key["delivery"])["delivery"]["sms_hours"]
    assert hours == {"states": STATE_HOURS}


def test_the_documented_example_is_valid() -> None:
    config = load_config(blocks()[0])
    assert "NY" not in config.rules
    assert "TX" in config.rules
    rules = load_config(blocks()[1]).rules
    assert [rule.after for rule in rules["VA"]] == [30, 60]
    assert "CA" not in rules


def test_the_documented_mistakes_are_what_is_said() -> None:
    said = mistakes(
        "load_balancing: {daily_send_percentage_cap: 7}\nsend_time: 10:30\n"
        "timing: {birthday_day_before: 3}"
    )
    document = DOCUMENT.read_text()
    assert all(f"config.yaml: {line}\n" in document for line in said)


def test_every_default_rule_is_of_a_state() -> None:
    assert set(STATE_RULES) <= set(USPS_STATES)
    assert len(USPS_STATES) == len(set(USPS_STATES)) == 62
