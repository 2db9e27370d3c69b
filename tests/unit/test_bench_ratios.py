"""What `make bench` says of ratios that it compares with the baseline."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from scripts import bench_ratios
from scripts.bench_ratios import BASELINE, compare, main, median_ratio, read, record, report

WAS = {"run: first": 2.0, "run: next": 1.0, "cold start: shard": 0.8}


def test_a_ratio_more_than_a_quarter_worse_fails_and_is_named() -> None:
    lines, code = report(compare(WAS, {"run: first": 2.6, "run: next": 1.25}))
    assert code == 1
    assert lines[0] == "Worse than the baseline: run: first: was 2.00, is 2.60 (+30%)"
    assert not [line for line in lines if "run: next" in line]
    assert "BASELINE=write" in lines[-1]


def test_ratios_within_the_tolerance_pass() -> None:
    lines, code = report(compare(WAS, {"run: first": 2.5, "cold start: shard": 0.7}))
    assert (lines, code) == (["2 ratios are at most 25% worse than before"], 0)


def test_a_ratio_that_is_much_better_is_named_and_passes() -> None:
    lines, code = report(compare(WAS, {"run: first": 1.0}))
    assert code == 0
    assert lines[0] == "Better than the baseline: run: first: was 2.00, is 1.00 (-50%)"


def test_sizes_without_a_baseline_are_named_and_pass() -> None:
    lines, code = report(compare(WAS, {"run: first of 7": 99.0}))
    assert code == 0
    assert lines[0] == "No baseline for: run: first of 7"


def test_each_measurement_is_divided_by_the_floor_beside_it() -> None:
    # the second time the machine was half as fast, the third time something else disturbed
    assert median_ratio([2.0, 4.0, 9.0], [1.0, 2.0, 1.0]) == 2.0


def test_the_baseline_is_written_by_hand_only_and_keeps_what_was_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline, found = tmp_path / "baseline.json", tmp_path / "new" / "found.json"
    monkeypatch.setattr(bench_ratios, "BASELINE", baseline)
    record(baseline, WAS)
    record(found, {"run: first": 9.0})
    record(found, {"run: other": 1.23456})
    codes = []
    for option in ([], ["--write-baseline"], []):
        monkeypatch.setattr(sys, "argv", ["bench_ratios", str(found), *option])
        codes.append(main())
    assert codes == [1, 0, 0]
    assert "run: first: was 2.00, is 9.00 (+350%)" in capsys.readouterr().err
    assert read(baseline) == WAS | {"run: first": 9.0, "run: other": 1.235}


def test_without_ratios_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_ratios", str(tmp_path / "none.json")])
    assert main() == 1
    assert "none.json" in capsys.readouterr().err


def test_the_committed_baseline_has_runs_balancing_and_cold_starts() -> None:
    found = json.loads(BASELINE.read_text("utf-8"))
    assert {name.split()[0] for name in found} == {"run:", "balancing", "cold"}
    assert all(ratio > 0 for ratio in found.values())
