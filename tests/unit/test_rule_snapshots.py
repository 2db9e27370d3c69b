"""The protected days of both rule sets are those that were reviewed."""

from __future__ import annotations

import pytest

from scripts.snapshot_rules import FOLDER, RULE_SETS, snapshot


@pytest.mark.parametrize("rule_set", RULE_SETS)
def test_a_change_of_the_law_is_a_reviewed_diff(rule_set: str) -> None:
    reviewed = (FOLDER / f"{rule_set}.txt").read_text("utf-8")
    assert snapshot(rule_set) == reviewed, "run make snapshots, and review the diff"
