"""An organization whose versions were pushed and planned, for tests of what changed in between."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.cli_calls import Answer, almanac
from tests.support.undo_calls import copy_of, make

CONTACT = 2  # whose birthday message is sent, and who is suppressed then


@dataclass(frozen=True)
class Versions:
    """Versions 1 to 5: a pushed file, three runs with events, a pushed file; 2 to 5 are pulled."""

    folder: Path

    def call(self, command: str, *arguments: object) -> Answer:
        return almanac(*command.split(), *arguments, "--store", self.folder / "store")

    def changes(self, *arguments: object) -> Answer:
        return self.call("store changes", "206", *arguments)

    def file(self, version: int) -> Path:
        return self.folder / f"{version}.sqlite3"

    def copy(self, version: int, path: Path) -> Path:
        return Path(shutil.copy(self.file(version), path))

    def done(self, command: str, *arguments: object) -> None:
        answer = self.call(command, *arguments)
        assert answer.code == 0, answer.err

    def run(self, number: int, **events: dict[str, object]) -> None:
        """Publish the version of a run that absorbs events, by kind, and a new contact."""
        address = f"n'w{number}@example.com"
        entries = {"contacts": {"email": address, "state": "NV"}} | events
        lines = [json.dumps({"kind": kind, "entries": [each]}) for kind, each in entries.items()]
        (path := self.folder / "events.jsonl").write_text("\n".join(lines))
        self.done("intake", "--org", "206", path)
        self.done("run", "--org", "206", "--as-of", f"2026-11-{26 + number}")
        self.done("store pull", "206", "--out", self.file(number))


def build_versions(folder: Path) -> Versions:
    """Build the versions: with tables without a key, a trigger, a search, and a large note."""
    versions = Versions(folder)
    agency = copy_of(make(versions.file(0)), versions.file(1))
    agency.query("CREATE TABLE numbers (x)")
    agency.query("CREATE TABLE notes (note BLOB)")
    agency.query("INSERT INTO notes VALUES (zeroblob(4000000))")
    agency.query("CREATE VIRTUAL TABLE words USING fts5 (word)")
    versions.done("store push", "206", agency.path)
    versions.run(2, deliveries={"id": 1, "status": "sent"}, suppressions={"email": "a@b.example"})
    planned = copy_of(versions.file(2), folder / "planned")
    sql = "SELECT id FROM email_schedules WHERE contact_id = ? AND email_type = 'birthday'"
    ((birthday,),) = planned.query(sql, CONTACT)
    versions.run(3, deliveries={"id": birthday, "status": "sent"})
    versions.run(4, suppressions={"contact_id": CONTACT, "reason": "asked", "since": "2026-11-01"})
    edited = copy_of(versions.file(4), versions.file(5))
    edited.query("UPDATE contacts SET state = 'FL' WHERE id = 1")
    edited.query(
        "UPDATE email_schedules SET scheduled_send_date = '2027-01-01' WHERE id = ?", birthday
    )
    edited.query("DELETE FROM suppressions")
    edited.query("INSERT INTO words VALUES ('found')")
    edited.query("INSERT INTO numbers VALUES (x'00ff'), ('it''s'), (1.5), (9e999)")
    versions.done("store push", "206", edited.path)
    return versions
