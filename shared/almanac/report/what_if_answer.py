"""The answer of a what-if in one sentence: what changes, and what becomes of the messages."""

from __future__ import annotations

from almanac.plurals import plural
from almanac.report.what_if import Counts, Pair, Setting, in_words
from almanac.schedule_status import SkipCode, parse_code

CAP = "load_balancing.daily_send_percentage_cap"
RULES = "state_rules"
SETTINGS_NAMED = 3
LONGEST = 40  # characters of a value in the sentence
NO_DAY = (SkipCode.DAILY_CAP, SkipCode.NO_SENDING_DAY)


def answer_of(settings: list[Setting], cap: Pair, fates: Counts, reasons: Counts) -> str:
    """Return the answer, as in The cap from 21 to 6: 120 messages go later, 1 finds no day.

    fates, reasons: as in WhatIf.
    """
    effects = ", ".join(_effects(fates, reasons)) or "no message changes"
    return f"{changes_in_words(settings, cap)}: {effects}."


def changes_in_words(settings: list[Setting], cap: Pair | None = None) -> str:
    """Return what differs in the settings, as the beginning of a sentence."""
    changes = list(dict.fromkeys(_change(each, cap) for each in settings))
    more = len(changes) - SETTINGS_NAMED
    named = ", ".join(changes[:SETTINGS_NAMED])
    named += f" and {plural(more, 'more setting')}" if more > 0 else ""
    is_key = bool(settings) and named.startswith(settings[0].key)
    return named if is_key else named[:1].upper() + named[1:]


def _change(setting: Setting, cap: Pair | None) -> str:
    """Return what differs in a setting, in words."""
    if setting.key == CAP and cap is not None and cap.difference:
        return f"the cap from {cap.old:,} to {cap.new:,}"
    section, _, rest = setting.key.partition(".")
    if section == RULES:
        state, _, key = rest.partition(".")
        which = "another" if key else "no" if setting.new is None else "a"
        return f"{which} rule for {state}"
    old, new = in_words(setting.old), in_words(setting.new)
    if max(len(old), len(new)) > LONGEST:
        return f"another {setting.key}"
    return f"{setting.key} from {old} to {new}"


def _effects(fates: Counts, reasons: Counts) -> list[str]:
    """Return what becomes of the messages; the first part names what is counted."""
    count = {fate: sum(types.values()) for fate, types in fates.items()}
    lost = reasons.get("skipped anew", {})
    no_day = sum(number for reason, number in lost.items() if parse_code(reason) in NO_DAY)
    counted = (
        (count.get("later", 0), "goes later", "go later"),
        (count.get("earlier", 0), "goes earlier", "go earlier"),
        (no_day, "finds no day", "find no day"),
        (count.get("skipped anew", 0) - no_day, "is skipped", "are skipped"),
        (count.get("removed", 0), "is no longer due", "are no longer due"),
        (count.get("planned again", 0), "is no longer skipped", "are no longer skipped"),
        (count.get("added", 0), "is new", "are new"),
    )
    found = [(number, one if number == 1 else many) for number, one, many in counted if number]
    return [
        f"{number:,} {verb}" if index else f"{plural(number, 'message')} {verb}"
        for index, (number, verb) in enumerate(found)
    ]
