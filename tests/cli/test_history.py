"""`almanac history`: what became of a contact's messages, by version or by command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from almanac.history.in_store import history_in_store
from almanac.progress import silent
from almanac.storage.folder import FolderStore
from almanac.storage.store import ObjectInfo
from tests.support.cli_calls import Answer, almanac
from tests.support.tiny import Agency
from tests.support.undo_calls import copy_of

FIRST = 4  # the row of contact 2's birthday
EVENTS = {
    "planned": '{"kind": "contacts", "entries": [{"email": "new@example.com"}]}\n',
    "another": '{"kind": "deliveries", "entries": [{"id": 2, "status": "sent"}]}\n',
    "sent": f'{{"kind": "deliveries", "entries": [{{"id": {FIRST}, "status": "sent"}}]}}\n',
    "suppressed": '{"kind": "suppressions", "entries": [{"contact_id": 2, "reason": "asked"}]}\n',
}


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


def call(folder: Path, command: str, *arguments: object) -> Answer:
    answer = almanac(*command.split(), *arguments, "--store", folder / "store")
    assert answer.code == 0, answer.err
    return answer


def run(folder: Path, day: str) -> None:
    call(folder, "run", "--org", "206", "--as-of", day)


def pulled(folder: Path, name: str) -> Agency:
    call(folder, "store pull", "206", "--out", folder / name)
    return copy_of(folder / name, folder / f"copy of {name}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store: a pushed file, a run after each of EVENTS, one more, and another pushed file."""
    folder = tmp_path_factory.mktemp("history")
    agency = Agency(folder / "agency.sqlite3")
    for number in range(1, 4):
        agency.contact(number, birth_date=f"1960-12-{20 + number}")
    agency.query("CREATE TABLE notes (note BLOB)")
    agency.query("INSERT INTO notes VALUES (zeroblob(8000000))")
    call(folder, "store push", "206", agency.path)
    for day, text in enumerate([*EVENTS.values(), ""]):
        (events := folder / "events.jsonl").write_text(text)
        if text:
            call(folder, "intake", "--org", "206", events)
        call(folder, "run", "--org", "206", "--as-of", f"2026-11-{26 + day}")
    call(folder, "store pull", "206", "--out", folder / "edited")
    edited = copy_of(folder / "edited", folder / "copy of edited")
    edited.query("UPDATE email_schedules SET scheduled_send_date = '2027-01-01' WHERE id = 4")
    call(folder, "store push", "206", edited.path)
    return folder


def test_a_store_says_what_became_of_messages_by_version(folder: Path) -> None:
    found = json.loads(call(folder, "history", "--org", "206", "--contact", 2, "--json").out)
    words = {
        step["version"]: [(each["what"], each["email_type"]) for each in step["changes"]]
        for step in found["steps"]
    }
    assert words == {
        7: [("moved", "birthday")],
        6: [],
        5: [("added", "followup_1_cold"), ("status", "aep")],
        4: [("status", "birthday")],
        3: [],
        2: [("added", "birthday"), ("added", "aep")],
    }
    gaps = {step["version"]: step["gap"] for step in found["steps"] if step["gap"]}
    assert set(gaps) == {2, 3, 7}
    assert gaps[7] == "it is a pushed file"
    assert (found["first_version"], found["first_messages"]) == (1, 0)


def test_no_database_is_fetched(folder: Path) -> None:
    store = CountingStore(folder / "store")
    found = history_in_store(store, "206", 2, 3, silent)
    assert len(found.steps) == 4
    # of two versions the blocks with the schema and the contact's rows, of 8 MB each
    assert 0 < store.fetched < 2_000_000


def test_the_text_names_gaps_runs_and_where_the_history_begins(folder: Path) -> None:
    text = " ".join(call(folder, "history", "--org", "206", "--contact", 2).out.split())
    assert "Contact 2 of organization 206" in text
    assert "No change set: it is a pushed file. Compared with version 6 as a whole." in text
    assert "birthday of 2026-12-22 moved 2026-12-08 to 2027-01-01" in text
    assert "changed pre-scheduled to sent, 2026-12-08" in text
    assert "1 version changed none of them. The history begins with version 1" in text


def test_a_file_says_what_its_commands_did(folder: Path, tmp_path: Path) -> None:
    agency = copy_of(folder / "agency.sqlite3", tmp_path / "agency.sqlite3")
    assert "has kept nothing" not in almanac("history", agency.path, "--contact", 2).out
    almanac("run", agency.path, "--as-of", "2026-11-26", "--yes")
    (marks := tmp_path / "marks.csv").write_text(f"id,status\n{FIRST},sent\n")
    almanac("mark", agency.path, marks)
    found = json.loads(almanac("history", agency.path, "--contact", 2, "--json").out)
    assert [
        (step["by"], [(each["what"], each["email_type"]) for each in step["changes"]])
        for step in found["steps"]
    ] == [
        ("mark", [("status", "birthday")]),
        ("run for 2026-11-26", [("added", "birthday"), ("added", "aep")]),
    ]
    text = " ".join(almanac("history", agency.path, "--contact", 2).out.split())
    assert "0 messages then. A file knows what the last Almanac commands did" in text


def test_mistakes_are_named(folder: Path) -> None:
    at = ("--store", folder / "store")
    unknown = almanac("history", "--org", "206", "--contact", 99, *at)
    assert (unknown.code, unknown.err.count("\n")) == (2, 1)
    assert "no kept version has a message of contact 99" in unknown.err
    path = folder / "agency.sqlite3"
    assert "it goes with --org" in almanac("history", path, "--contact", 2, "--from", 2).err
    assert (
        "version 9 is not kept"
        in almanac("history", "--org", "206", "--contact", 2, "--from", 9, *at).err
    )
