"""`almanac run --trace`: the spans of a run in a file that viewers of traces read."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_calls import AS_OF, almanac
from tests.support.tiny import Agency


@pytest.fixture
def database(tmp_path: Path) -> Path:
    agency = Agency(tmp_path / "agency.sqlite3")
    for number in range(1, 4):
        agency.contact(number, birth_date="1950-06-01")
    return agency.path


def spans_of(path: Path) -> list[dict[str, Any]]:
    """The spans of a trace file, in the order in which they began."""
    trace = json.loads(path.read_text())
    assert trace["otherData"]["program"] == "almanac"
    assert {each["ph"] for each in trace["traceEvents"]} == {"M", "X"}
    return [each for each in trace["traceEvents"] if each["ph"] == "X"]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_file_has_the_steps_of_all_processes(
    workers: int, database: Path, tmp_path: Path
) -> None:
    out = tmp_path / "trace.json"
    split = ("--shards", 2, "--workers", workers)
    answer = almanac("run", database, "--as-of", AS_OF, *split, "--trace", out)
    assert (answer.code, answer.err) == (0, "")
    spans = spans_of(out)
    by_id = {each["args"]["span"]: each for each in spans}
    run, *others = spans
    assert (run["name"], run["args"]["function"]) == ("run", "almanac.commands.run:run")
    for each in others:
        parent = by_id[each["args"]["parent"]]
        assert parent["ts"] <= each["ts"] + 1000
        assert each["ts"] + each["dur"] <= run["ts"] + run["dur"] + 1000
        module, _, name = each["args"]["function"].partition(":")
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    shards = [each for each in spans if each["name"] == "shard"]
    assert sorted(each["args"]["contacts"] for each in shards) == [1, 2]
    assert all((each["pid"] != run["pid"]) == (workers > 1) for each in shards)
    assert {"plan contacts", "plan run", "read", "fragment", "balance", "write"} < {
        each["name"] for each in spans
    }


def test_a_run_that_fails_leaves_its_trace(tmp_path: Path) -> None:
    out = tmp_path / "trace.json"
    answer = almanac("run", tmp_path / "none.sqlite3", "--as-of", AS_OF, "--trace", out)
    assert answer.code == 2
    (run,) = spans_of(out)
    assert (run["name"], run["args"]["error"]) == ("run", "DatabaseError")


def test_a_file_that_cannot_be_written_is_one_line_before_the_run(
    database: Path, tmp_path: Path
) -> None:
    before = database.read_bytes()
    page = tmp_path / "page.html"
    for out, why in (
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "trace.json", "there is no folder to put it in"),
        (database, "is an SQLite database"),
        (page, "is the file of --report"),
    ):
        answer = almanac(*("run", database, "--as-of", AS_OF, "--report", page, "--trace", out))
        assert answer.code == 2
        assert answer.err.startswith("Error: --trace: ")
        assert why in answer.err
        assert answer.err.count("\n") == 1
    assert database.read_bytes() == before
