"""A configuration in words: what differs from the delivered one, each a sentence of its own."""

from __future__ import annotations

import re

from almanac.config import Config, load_config
from almanac.config_meanings import MEANINGS
from almanac.report.page import render
from almanac.statistics.settings_in_words import GOES_ON, meaning_of, setting_lines
from tests.support.report_pages import page_data

OTHER = """
timing: {birthday_days_before: 21}
organization: {enable_post_window_emails: false}
sms: {birthday: ours}
priorities: {aep: 5}
state_rules: {NY: null, TX: {kind: birthday_window, before: 0, after: 30}}
"""


def test_what_differs_is_said_with_its_value_and_the_delivered_one() -> None:
    said = [(x.key, x.value, x.default) for x in setting_lines(load_config(OTHER))]
    assert said == [
        ("timing.birthday_days_before", "21", "14"),
        ("organization.enable_post_window_emails", "no", "yes"),
        ("priorities.aep", "5", "30"),
        ("sms.birthday", "ours", "none"),
        ("state_rules.NY", "none", "all year"),
        (
            "state_rules.TX",
            "the birthday and the 30 days after it, and 60 days ahead of that",
            "none",
        ),
    ]


def test_a_rule_set_is_one_sentence_and_not_one_for_each_state() -> None:
    assert [x.key for x in setting_lines(load_config("rule_set: statutory"))] == ["rule_set"]
    both = load_config("rule_set: statutory\nstate_rules: {CA: {kind: year_round}}")
    assert [x.key for x in setting_lines(both)] == ["rule_set", "state_rules.CA"]


def test_no_sentence_needs_that_of_another_setting() -> None:
    assert not [key for key in MEANINGS if meaning_of(key).startswith((*GOES_ON, "Empty"))]
    assert meaning_of("priorities.aep") == (
        "Which message goes first if not all can be sent: the lowest number. "
        "The same for AEP emails."
    )
    assert meaning_of("sms.birthday") == meaning_of("sms")


def test_the_page_says_that_all_else_is_as_delivered() -> None:
    html = render(page_data(settings=setting_lines(load_config(OTHER))))
    section = html.partition('<section id="configuration"')[2].partition("</section>")[0]
    words = " ".join(re.sub("<[^>]*>", "", section).split())
    assert "Days from the birthday email to the birthday. Here: 21. As delivered: 14." in words
    assert words.endswith("All other settings are as delivered.")
    assert "All settings are as delivered." in render(page_data(settings=setting_lines(Config())))
