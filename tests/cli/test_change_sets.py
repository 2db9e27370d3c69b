"""What changed between versions: `store changes`, `apply`, `diff --format` and `history`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.history.in_store import history_in_store
from almanac.progress import silent
from almanac.storage.folder import FolderStore
from almanac.storage.store import ObjectInfo
from tests.support.cli_calls import almanac
from tests.support.undo_calls import copy_of, tables
from tests.support.versions import CONTACT, Versions, build_versions


class CountingStore(FolderStore):
    """Counts the bytes that are read of databases, and refuses to give one whole."""

    fetched = 0

    def open_local(self, name: str) -> Path | None:
        return None

    def read_range(self, name: str, generation: int, start: int, length: int) -> bytes:
        self.fetched += length
        return super().read_range(name, generation, start, length)

    def fetch_file(self, name: str, path: Path, generation: int | None = None) -> ObjectInfo:
        raise AssertionError(f"{name} was fetched as a whole")


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    return build_versions(tmp_path_factory.mktemp("changes"))


def test_a_copy_of_an_earlier_version_becomes_the_later_one(
    versions: Versions, tmp_path: Path
) -> None:
    out, copy = tmp_path / "206.changeset", versions.copy(2, tmp_path / "copy.sqlite3")
    answer = versions.changes("--from", 2, "--to", 4, "--out", out, "--json")
    assert answer.code == 0, answer.err
    counts = {each["table"]: each for each in json.loads(answer.out)["tables"]}
    assert counts["contacts"] == {"table": "contacts", "added": 2, "changed": 0, "deleted": 0}
    assert counts["suppressions"]["added"] == 1
    before = tables(copy)
    dry = almanac("apply", copy, out, "--dry-run", "--json")
    assert json.loads(dry.out)["tables"] == list(counts.values())
    assert tables(copy) == before
    assert almanac("apply", copy, out).code == 0
    assert tables(copy) == tables(versions.file(4))
    again = almanac("apply", copy, out)
    assert again.code == 1
    assert "does not fit" in again.err
    assert "is there already" in again.err
    assert tables(copy) == tables(versions.file(4))


@pytest.mark.parametrize("how", ["diff", pytest.param("store", marks=pytest.mark.slow)])
def test_sql_does_the_same_in_any_sqlite(versions: Versions, tmp_path: Path, how: str) -> None:
    out, copy = tmp_path / "changes.sql", versions.copy(4, tmp_path / "copy.sqlite3")
    if how == "store":
        answer = versions.changes("--from", 4, "--compare", "--format", "sql", "--out", out)
    else:
        files = (versions.file(4), versions.file(5))
        answer = almanac("diff", *files, "--format", "sql", "--out", out)
    assert answer.code == 0, answer.err
    connection = apsw.Connection(str(copy))
    connection.execute("DROP TRIGGER touched")
    connection.execute(out.read_text())
    connection.close()
    there = tables(versions.file(5))
    assert there.pop("touched")
    assert tables(copy) == there


def test_the_search_of_a_copy_finds_what_was_added(versions: Versions, tmp_path: Path) -> None:
    out, copy = tmp_path / "5.changeset", copy_of(versions.file(4), tmp_path / "copy.sqlite3")
    almanac("diff", copy.path, versions.file(5), "--format", "changeset", "--out", out)
    assert almanac("apply", copy.path, out).code == 0
    assert copy.query("SELECT word FROM words WHERE words MATCH 'found'") == [("found",)]


def test_json_has_the_values_before_and_after(versions: Versions) -> None:
    files = (versions.file(4), versions.file(5))
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


def test_a_version_without_a_change_set_says_why(versions: Versions) -> None:
    pushed = versions.changes("--from", 3)
    assert pushed.code == 2
    assert "version 5 has no change set: it is a pushed file; --compare" in pushed.err
    first = versions.changes("--from", 1, "--to", 2)
    assert "version 2 has no change set: tables, columns or indexes were added" in first.err
    compared = versions.changes("--from", 1, "--to", 2, "--compare")
    assert "a change set cannot" in compared.err
    assert "is not after" in versions.changes("--from", 5, "--to", 3).err


def test_conflicts_are_named_by_row_and_refuse_all(versions: Versions, tmp_path: Path) -> None:
    out, copy = tmp_path / "5.changeset", versions.copy(4, tmp_path / "copy.sqlite3")
    almanac("diff", copy, versions.file(5), "--format", "changeset", "--out", out)
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
    versions: Versions, tmp_path: Path
) -> None:
    file, copy = tmp_path / "file", versions.copy(4, tmp_path / "copy.sqlite3")
    almanac("diff", copy, versions.file(5), "--format", "changeset", "--out", file)
    before: dict[str, Any] = tables(copy)
    for name, (content, words) in _bad_files(file.read_bytes()).items():
        file.write_bytes(content)
        answer = almanac("apply", copy, file)
        assert (answer.code, answer.err.count("\n")) == (2, 1), name
        assert words in answer.err, name
    assert "is a database" in almanac("apply", copy, copy).err
    assert "cannot be read" in almanac("apply", copy, tmp_path / "missing").err
    assert tables(copy) == before


def test_a_store_says_what_became_of_messages_by_version(versions: Versions) -> None:
    found = json.loads(versions.call("history", "--org", "206", "--contact", CONTACT, "--json").out)
    words = {
        # follow-ups come by the time at which the mark arrived
        step["version"]: {
            (each["what"], each["email_type"])
            for each in step["changes"]
            if not each["email_type"].startswith("followup")
        }
        for step in found["steps"]
    }
    assert words == {
        5: {("moved", "birthday")},
        4: {("status", "aep")},
        3: {("status", "birthday")},
        2: {("added", "birthday"), ("added", "aep"), ("removed", "birthday")},  # without identity
    }
    gaps = {step["version"]: step["gap"] for step in found["steps"] if step["gap"]}
    assert set(gaps) == {2, 5}
    assert gaps[5] == "it is a pushed file"
    assert (found["first_version"], found["first_messages"]) == (1, 1)


def test_no_database_is_fetched(versions: Versions) -> None:
    store = CountingStore(versions.folder / "store")
    found = history_in_store(store, "206", CONTACT, 2, silent)
    assert len(found.steps) == 3
    # of two versions the blocks with the schema and the contact's rows, of 4 MB each
    assert 0 < store.fetched < 2_000_000


def test_the_text_names_gaps_runs_and_where_the_history_begins(versions: Versions) -> None:
    text = " ".join(versions.call("history", "--org", "206", "--contact", CONTACT).out.split())
    assert "Contact 2 of organization 206" in text
    assert "No change set: it is a pushed file. Compared with version 4 as a whole." in text
    assert "birthday of 2026-12-22 moved 2026-12-08 to 2027-01-01" in text
    assert "changed pre-scheduled to sent, 2026-12-08" in text
    assert "The history begins with version 1, which had 1 message." in text


def test_a_file_says_what_its_commands_did(versions: Versions, tmp_path: Path) -> None:
    agency = copy_of(versions.file(0), tmp_path / "agency.sqlite3")
    assert "has kept nothing" in almanac("history", agency.path, "--contact", CONTACT).out
    almanac("run", agency.path, "--as-of", "2026-11-26", "--yes")
    sql = "SELECT id FROM email_schedules WHERE contact_id = 2 AND email_type = 'birthday'"
    ((row,),) = agency.query(sql)
    (marks := tmp_path / "marks.csv").write_text(f"id,status\n{row},sent\n")
    almanac("mark", agency.path, marks)
    found = json.loads(almanac("history", agency.path, "--contact", CONTACT, "--json").out)
    assert [
        (step["by"], [(each["what"], each["email_type"]) for each in step["changes"]])
        for step in found["steps"]
    ] == [
        ("mark", [("status", "birthday")]),
        ("run for 2026-11-26", [("added", "birthday"), ("removed", "birthday"), ("added", "aep")]),
    ]
    text = " ".join(almanac("history", agency.path, "--contact", CONTACT).out.split())
    assert "1 message then. A file knows what the last Almanac commands did" in text


def test_mistakes_are_named(versions: Versions) -> None:
    at = ("--store", versions.folder / "store")
    unknown = almanac("history", "--org", "206", "--contact", 99, *at)
    assert (unknown.code, unknown.err.count("\n")) == (2, 1)
    assert "no kept version has a message of contact 99" in unknown.err
    path = versions.file(0)
    assert "it goes with --org" in almanac("history", path, "--contact", CONTACT, "--from", 2).err
    assert (
        "version 9 is not kept"
        in almanac("history", "--org", "206", "--contact", CONTACT, "--from", 9, *at).err
    )
