"""Statuses and skip reasons: each text is in one module, and a stored text gives its code."""

from __future__ import annotations

from pathlib import Path

import pytest

import almanac
from almanac.schedule_status import (
    EXCLUSION_SKIPS,
    FIXED_SKIPS,
    SkipCode,
    SkipReason,
    Status,
    parse_reason,
    suppression_reason,
)

ROOT = Path(almanac.__file__).parent
MODULE = ROOT / "schedule_status.py"
REASONS = [
    *map(SkipReason, FIXED_SKIPS),
    *(SkipReason(code, "NY") for code in EXCLUSION_SKIPS),
    *map(suppression_reason, ("bounce", "", "two\nlines", "{}")),
]


def modules_with(text: str) -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if text in path.read_text()]


def test_the_status_of_a_planned_row_is_spelled_out_in_one_module() -> None:
    assert modules_with(Status.PRE_SCHEDULED) == [MODULE]


@pytest.mark.parametrize("code", SkipCode, ids=lambda code: code.name)
def test_the_text_of_a_skip_reason_is_in_one_module(code: SkipCode) -> None:
    assert modules_with(f'"{code.value.removesuffix("{}")}') == [MODULE]


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.code.name)
def test_a_stored_text_gives_its_reason(reason: SkipReason) -> None:
    assert parse_reason(reason.text) == reason


@pytest.mark.parametrize(
    "text", [None, "", "daily volume cap", "Daily volume cap ", "Age exclusion for New York"]
)
def test_other_texts_give_no_reason(text: str | None) -> None:
    assert parse_reason(text) is None


def test_a_label_is_the_text_without_its_detail() -> None:
    assert SkipCode.DAILY_CAP.label == "Daily volume cap"
    assert SkipCode.BIRTHDAY_WINDOW.label == "Birthday exclusion window"
    assert SkipCode.SUPPRESSED.label == "Suppressed"
