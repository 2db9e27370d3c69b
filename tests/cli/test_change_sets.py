"""`almanac store changes`, `apply` and `diff --format`: a copy elsewhere follows."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.support.cli_calls import Answer, almanac
from tests.support.undo_calls import copy_of, make, tables

DAY = dt.date(2026, 11, 28)
INTAKE = (
    '{"kind": "contacts", "entries": [{"email": "n\'w@example.com", "state": "NV"}]}\n'
    '{"kind": "suppressions", "entries": [{"email": "n\'w@example.com", "reason": "asked"}]}\n'
)


@dataclass(frozen=True)
class History:
    """An organization with five versions: a pushed file, three runs, a pushed file."""

    folder: Path

    def call(self, command: str, *arguments: object) -> Answer:
        return almanac(*command.split(), *arguments, "--store", self.folder / "store")

    def changes(self, *arguments: object) -> Answer:
        return self.call("store changes", "206", *arguments)

    def copy(self, version: int, path: Path) -> Path:
        return Path(shutil.copy(self.folder / f"{version}.sqlite3", path))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    history = History(tmp_path_factory.mktemp("changes"))
    made = make(history.folder / "1.sqlite3")
    agency = copy_of(made, pushed := history.folder / "pushed.sqlite3")
    agency.query("CREATE TABLE numbers (x)")
    agency.query("CREATE VIRTUAL TABLE words USING fts5 (word)")
    history.call("store push", "206", pushed)
    for offset in range(3):
        (history.folder / "events.jsonl").write_text(INTAKE.replace("n'w", f"n'w{offset}"))
        history.call("intake", "--org", "206", history.folder / "events.jsonl")
        answer = history.call("run", "--org", "206", "--as-of", DAY + dt.timedelta(30 * offset))
        assert answer.code == 0, answer.err
    for version in (2, 3, 4):
        history.call("store pull", "206", "--version", version, "--out", _file(history, version))
    edited = copy_of(_file(history, 4), _file(history, 5))
    edited.query("UPDATE contacts SET state = 'FL' WHERE id = 1")
    edited.query("DELETE FROM suppressions")
    edited.query("INSERT INTO words VALUES ('found')")
    edited.query("INSERT INTO numbers VALUES (x'00ff'), ('it''s'), (1.5), (9e999)")
    history.call("store push", "206", edited.path)
    return history


def _file(history: History, version: int) -> Path:
    return history.folder / f"{version}.sqlite3"


def test_a_copy_of_an_earlier_version_becomes_the_later_one(
    history: History, tmp_path: Path
) -> None:
    out, copy = tmp_path / "206.changeset", history.copy(2, tmp_path / "copy.sqlite3")
    answer = history.changes("--from", 2, "--to", 4, "--out", out, "--json")
    assert answer.code == 0, answer.err
    counts = {each["table"]: each for each in json.loads(answer.out)["tables"]}
    assert counts["contacts"] == {"table": "contacts", "added": 2, "changed": 0, "deleted": 0}
    assert counts["suppressions"]["added"] == 2
    before = tables(copy)
    dry = almanac("apply", copy, out, "--dry-run", "--json")
    assert json.loads(dry.out)["tables"] == list(counts.values())
    assert tables(copy) == before
    assert almanac("apply", copy, out).code == 0
    assert tables(copy) == tables(_file(history, 4))
    again = almanac("apply", copy, out)
    assert again.code == 1
    assert "does not fit" in again.err
    assert "is there already" in again.err
    assert tables(copy) == tables(_file(history, 4))


@pytest.mark.parametrize("how", ["store", "diff"])
def test_sql_does_the_same_in_any_sqlite(history: History, tmp_path: Path, how: str) -> None:
    out, copy = tmp_path / "changes.sql", history.copy(4, tmp_path / "copy.sqlite3")
    if how == "store":
        answer = history.changes("--from", 4, "--compare", "--format", "sql", "--out", out)
    else:
        files = (_file(history, 4), _file(history, 5))
        answer = almanac("diff", *files, "--format", "sql", "--out", out)
    assert answer.code == 0, answer.err
    connection = apsw.Connection(str(copy))
    connection.execute("DROP TRIGGER touched")
    connection.execute(out.read_text())
    connection.close()
    there = tables(_file(history, 5))
    assert there.pop("touched")
    assert tables(copy) == there


def test_the_search_of_a_copy_finds_what_was_added(history: History, tmp_path: Path) -> None:
    out, copy = tmp_path / "5.changeset", copy_of(_file(history, 4), tmp_path / "copy.sqlite3")
    almanac("diff", copy.path, _file(history, 5), "--format", "changeset", "--out", out)
    assert almanac("apply", copy.path, out).code == 0
    assert copy.query("SELECT word FROM words WHERE words MATCH 'found'") == [("found",)]


def test_json_has_the_values_before_and_after(history: History) -> None:
    files = (_file(history, 4), _file(history, 5))
    found = json.loads(almanac("diff", *files, "--format", "json").out)["changes"]
    state = next(each for each in found if each["table"] == "contacts")
    assert state == {
        "table": "contacts",
        "op": "update",
        "old": {"id": 1, "state": "TX"},
        "new": {"state": "FL"},
    }
    numbers = [each["new"]["x"] for each in found if each["table"] == "numbers"]
    assert numbers == [{"blob": "00ff"}, "it's", 1.5, {"real": "inf"}]


def test_a_version_without_a_change_set_says_why(history: History) -> None:
    pushed = history.changes("--from", 3)
    assert pushed.code == 2
    assert "version 5 has no change set: it is a pushed file; --compare" in pushed.err
    first = history.changes("--from", 1, "--to", 2)
    assert "version 2 has no change set: tables, columns or indexes were added" in first.err
    compared = history.changes("--from", 1, "--to", 2, "--compare")
    assert "a change set cannot" in compared.err
    assert "is not after" in history.changes("--from", 5, "--to", 3).err


def test_conflicts_are_named_by_row_and_refuse_all(history: History, tmp_path: Path) -> None:
    out, copy = tmp_path / "5.changeset", history.copy(4, tmp_path / "copy.sqlite3")
    almanac("diff", copy, _file(history, 5), "--format", "changeset", "--out", out)
    copy_of(copy, copy2 := tmp_path / "other.sqlite3").query(
        "UPDATE contacts SET state = 'NV' WHERE id = 1"
    )
    before = tables(copy2)
    answer = almanac("apply", copy2, out)
    assert answer.code == 1
    assert (
        "contacts id 1 has changed: state is 'NV', the change set expects 'TX'; nothing was changed"
        in answer.err
    )
    assert tables(copy2) == before


def _bad_files(data: bytes) -> dict[str, tuple[bytes, str]]:
    return {
        "empty": (b"", "is empty"),
        "text": (b"hello", "is no change set"),
        "sql": (b"BEGIN;", "apply a file of --format changeset"),
        "cut off": (data[:-1], "is cut off or damaged"),
        "patch set": (b"P" + data[1:], "is a patch set"),
        "other table": (data.replace(b"numbers\0", b"letters\0"), "letters, which is not there"),
        "columns": (b"T\3\1\0\0audit\0\x12\0\5\5\5", "audit has 2 columns"),
        "key": (b"T\2\0\1audit\0\x12\0\5\5", "another primary key"),
    }


def test_what_is_no_change_set_of_the_database_is_refused_in_one_line(
    history: History, tmp_path: Path
) -> None:
    file, copy = tmp_path / "file", history.copy(4, tmp_path / "copy.sqlite3")
    almanac("diff", copy, _file(history, 5), "--format", "changeset", "--out", file)
    before: dict[str, Any] = tables(copy)
    for name, (content, words) in _bad_files(file.read_bytes()).items():
        file.write_bytes(content)
        answer = almanac("apply", copy, file)
        assert (answer.code, answer.err.count("\n")) == (2, 1), name
        assert words in answer.err, name
    assert "is a database" in almanac("apply", copy, copy).err
    assert "cannot be read" in almanac("apply", copy, tmp_path / "missing").err
    assert tables(copy) == before
