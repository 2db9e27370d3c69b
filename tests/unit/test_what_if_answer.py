"""The answer of a what-if: one sentence."""

from __future__ import annotations

import pytest

from almanac.config import Config, load_config
from almanac.report.what_if import Pair, differing_settings
from almanac.report.what_if_answer import answer_of


@pytest.mark.parametrize(
    ("text", "fates", "lost", "answer"),
    [
        (
            "load_balancing: {daily_send_percentage_cap: 0.02}",
            {"later": 120, "skipped anew": 3},
            {"Daily volume cap": 1, "Frequency limit exceeded": 2},
            "The cap from 21 to 6: 120 messages go later, 1 finds no day, 2 are skipped.",
        ),
        (
            "state_rules: {NY: null, TX: {kind: year_round}, CA: {kind: birthday_window, "
            "before: 1, after: 9}}",
            {"planned again": 1},
            {},
            "Another rule for CA, a rule for TX, no rule for NY: 1 message is no longer skipped.",
        ),
        (
            'send_time: "09:00"\nhorizon_days: 300\naep: {enabled: false, valid_days: 9}',
            {"same day": 7},
            {},
            "send_time from 08:30 to 09:00, horizon_days from 365 to 300, aep.enabled from "
            "true to false and 1 more setting: no message changes.",
        ),
    ],
)
def test_the_answer_is_one_sentence(
    text: str, fates: dict[str, int], lost: dict[str, int], answer: str
) -> None:
    settings = differing_settings(Config(), load_config(text))
    by_type = {fate: {"aep": count} for fate, count in fates.items()}
    cap = Pair(old=21, new=6)
    assert answer_of(settings, cap, by_type, {"skipped anew": lost}) == answer
