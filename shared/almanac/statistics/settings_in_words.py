"""The settings of a configuration that differ from the delivered ones, in words."""

from __future__ import annotations

from almanac.config import Config, validated
from almanac.config_meanings import MEANINGS
from almanac.planning.rule_text import rule_in_words
from almanac.report.lines import SettingLine
from almanac.report.what_if import differing_settings, in_words

# A meaning that begins with one of these goes on from that of the key before it.
GOES_ON = ("The same", "And ")
EMPTY = "Empty. "  # what a meaning says of the delivered value
NO_RULE = "none"


def setting_lines(config: Config) -> list[SettingLine]:
    """Return a line for each setting that differs from the defaults, in their order.

    A state has one if its rules are not those of the rule set.
    """
    lines = [
        SettingLine(
            key=each.key,
            meaning=meaning_of(each.key),
            value=_yes_no(in_words(each.new)),
            default=_yes_no(in_words(each.old)),
        )
        for each in differing_settings(Config(), config)
        if not each.key.startswith("state_rules.")
    ]
    rule_set = validated({"rule_set": config.rule_set}, [], "rule_set")
    rules = [
        SettingLine(
            key=f"state_rules.{state}",
            meaning=f"When contacts in {state} must get no messages.",
            value=rule_in_words(state, config) or NO_RULE,
            default=rule_in_words(state, rule_set) or NO_RULE,
        )
        for state in sorted({*config.rules, *rule_set.rules})
        if config.rules.get(state, ()) != rule_set.rules.get(state, ())
    ]
    return lines + rules


def meaning_of(key: str) -> str:
    """Return what a setting means, in sentences that need no other setting's; '' if unknown."""
    while key not in MEANINGS:  # one of several below a key, such as templates.birthday
        key = key.rpartition(".")[0]
        if not key:
            return ""
    keys = list(MEANINGS)
    at = keys.index(key)
    words = MEANINGS[key]
    first = at
    while MEANINGS[keys[first]].startswith(GOES_ON):
        first -= 1
    if first != at:
        words = f"{MEANINGS[keys[first]]} {words}"
    return words.removeprefix(EMPTY).replace("`", "")


def _yes_no(text: str) -> str:
    return {"true": "yes", "false": "no"}.get(text, text)
