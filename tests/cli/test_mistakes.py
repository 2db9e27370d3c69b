"""A mistake ends with code 2 and one line that names it; nothing is changed or left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cli_calls import AS_OF, agency, almanac, state_of

# arguments, and what the error must name
MISTAKES = [
    (["plan"], "plan"),
    (["rum"], "run"),
    (["run"], "DATABASE"),
    (["run", "agency.sqlite3", "--frob"], "--frob"),
    (["run", "none.sqlite3"], "none.sqlite3: no such file"),
    (["run", "folder"], "folder: a folder"),
    (["run", "text.txt"], "text.txt: not an SQLite database"),
    (["run", "empty.sqlite3"], "empty.sqlite3: the file is empty"),
    (["run", "agency.sqlite3", "--as-of", "2026-02-30"], "'2026-02-30' is not a date"),
    (["run", "agency.sqlite3", "--as-of", "21.11.2026"], "YYYY-MM-DD"),
    (["run", "agency.sqlite3", "--as-of", "0001-01-01"], "1900 to 9000"),
    (["run", "agency.sqlite3", "--as-of", "9999-12-31"], "1900 to 9000"),
    (["run", "agency.sqlite3", "--now", "2026-11-21"], "is not a date with a time"),
    (["run", "agency.sqlite3", "--now", "noon"], "'noon'"),
    (["run", "agency.sqlite3", "--contacts", ""], "no ids"),
    (["run", "agency.sqlite3", "--contacts", "5,x,7"], "'x' is neither an id nor a range"),
    (["run", "agency.sqlite3", "--contacts", "9-5"], "9-5 ends before it begins"),
    (["run", "agency.sqlite3", "--contacts", "1-99999999999999999999"], "larger than any id"),
    (["run", "agency.sqlite3", "--contacts", "@none.txt"], "none.txt: no such file"),
    (["run", "agency.sqlite3", "--contacts", "@ids.txt"], "ids.txt, line 2: 'seven'"),
    (["run", "agency.sqlite3", "--shards", "0"], "--shards"),
    (["run", "agency.sqlite3", "--workers", "many"], "--workers"),
    (["run", "agency.sqlite3", "--config", "none.yaml"], "none.yaml: no such file"),
    (["run", "agency.sqlite3", "--config", "folder"], "folder: a folder"),
    (["run", "agency.sqlite3", "--config", "unknown.yaml"], "horizon: unknown key"),
    (["run", "agency.sqlite3", "--config", "broken.yaml"], "not YAML"),
    (["run", "agency.sqlite3", "--against", "unknown.yaml"], "--against"),
    (["run", "agency.sqlite3", "--dry-run", "--against", "none.yaml"], "none.yaml: no such file"),
    (["run", "agency.sqlite3", "--dry-run", "--against", "unknown.yaml"], "horizon: unknown key"),
    (["run", "agency.sqlite3", "--dry-run", "--config", "unknown.yaml"], "horizon: unknown key"),
    (["run", "agency.sqlite3", "--report", "none/page.html"], "there is no folder"),
    (["run", "agency.sqlite3", "--report", "folder"], "folder: a folder"),
    (["explain", "agency.sqlite3"], "--contact"),
    (["explain", "agency.sqlite3", "--contact", "five"], "--contact"),
    (["explain", "agency.sqlite3", "--contact", "123456789"], "the nearest ids are"),
    (["explain", "agency.sqlite3", "--contact", "99999999999999999999"], "64 bits"),
    (["explain", "none.sqlite3", "--contact", "5"], "no such file"),
    (["report", "agency.sqlite3", "--out", "page.html"], "no run has planned it yet"),
    (["report", "agency.sqlite3"], "--out"),
    (["diff", "agency.sqlite3"], "NEW"),
    (["diff", "agency.sqlite3", "text.txt"], "text.txt: not an SQLite database"),
    (["check", "text.txt"], "text.txt: not an SQLite database"),
    (["generate", "agency.sqlite3", "--contacts", "5"], "exists already"),
    (["generate", "new.sqlite3", "--contacts", "0"], "0 is not a number of contacts"),
    (["generate", "none/new.sqlite3", "--contacts", "5"], "not a folder"),
    (["generate", "new.sqlite3"], "--contacts"),
    (["mark", "agency.sqlite3", "ids.txt", "--rejects", "ids.txt"], "is the file to read"),
    # the database where the name of an output is expected
    (["run", "agency.sqlite3", "--report", "agency.sqlite3"], "is an SQLite database"),
    (["report", "agency.sqlite3", "--out", "agency.sqlite3"], "is an SQLite database"),
    (["due", "agency.sqlite3", "--out", "agency.sqlite3"], "is an SQLite database"),
    (["suppression", "export", "agency.sqlite3", "--out", "agency.sqlite3"], "--out: agency"),
    (
        ["suppression", "import", "agency.sqlite3", "ids.txt", "--rejects", "agency.sqlite3"],
        "--rejects: agency.sqlite3: is an SQLite database",
    ),
    (
        ["mark", "agency.sqlite3", "ids.txt", "--rejects", "agency.sqlite3"],
        "--rejects: agency.sqlite3: is an SQLite database",
    ),
    (
        ["campaign", "import", "agency.sqlite3", "1", "ids.txt", "--rejects", "agency.sqlite3"],
        "--rejects: agency.sqlite3: is an SQLite database",
    ),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with things to give to commands by mistake."""
    monkeypatch.chdir(tmp_path)
    agency(tmp_path / "agency.sqlite3", 20)
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("Dear agency,\n")
    (tmp_path / "empty.sqlite3").touch()
    (tmp_path / "ids.txt").write_text("5, 6\nseven\n")
    (tmp_path / "unknown.yaml").write_text("horizon: 5\n")
    (tmp_path / "broken.yaml").write_text("timing: [\n")
    return tmp_path


@pytest.mark.parametrize(("arguments", "named"), MISTAKES, ids=[" ".join(a) for a, _ in MISTAKES])
def test_a_mistake_is_named_in_one_line(folder: Path, arguments: list[str], named: str) -> None:
    before = state_of(folder)
    answer = almanac(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("Error: ")
    assert answer.err.count("\n") == 1
    assert named in answer.err
    assert "Traceback" not in answer.err
    assert state_of(folder) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "agency.sqlite3", "--report"],
        ["report", "agency.sqlite3", "--out"],
        ["report", "agency.sqlite3", "--xlsx"],
        ["report", "agency.sqlite3", "--ics"],
        ["due", "agency.sqlite3", "--out"],
        ["day", "agency.sqlite3", "--out"],
        ["suppression", "export", "agency.sqlite3", "--out"],
        ["mark", "agency.sqlite3", "ids.txt", "--rejects"],
        ["campaign", "import", "agency.sqlite3", "1", "ids.txt", "--rejects"],
        ["generate", "--contacts", "10"],
    ],
    ids=" ".join,
)
def test_an_output_does_not_take_the_place_of_a_device_or_a_pipe(
    folder: Path, arguments: list[str]
) -> None:
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    answer = almanac(*arguments, "pipe")
    assert answer.code == 2
    assert "pipe" in answer.err
    assert pipe.is_fifo()
    assert sorted(path.name for path in folder.iterdir() if "pipe" in path.name) == ["pipe"]


def test_each_mistake_in_a_configuration_has_its_line(folder: Path) -> None:
    config = folder / "config.yaml"
    config.write_text("send_time: 25:00\nload_balancing: {daily_send_percentage_cap: 7}\n")
    answer = almanac("run", "agency.sqlite3", "--as-of", AS_OF, "--config", config)
    assert answer.code == 2
    lines = answer.err.splitlines()
    assert len(lines) == 2
    assert "send_time" in lines[0]
    assert "daily_send_percentage_cap: 7" in lines[1]
