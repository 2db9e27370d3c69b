"""What tests of `almanac undo` share: an agency, and each command that writes to it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import apsw

from almanac.database.undo.entries import UNDO, WritingCommand
from tests.support.cli_calls import Answer, almanac
from tests.support.tiny import Agency

DAY = "2026-11-28"
RUN = ("run", "--as-of", DAY, "--workers", "1", "--yes")
# a change set: row 99 of the table audit, which has no key
ADDS_TO_AUDIT = "T\2\1\0audit\0\x12\0\1\0\0\0\0\0\0\0\x63\3\1x"
# Each command that writes; `FILE` stands for a file with the text behind it.
COMMANDS: dict[WritingCommand, tuple[str, ...]] = {
    WritingCommand.RUN: RUN,
    WritingCommand.CAMPAIGN_ADD: ("campaign add", "promo", "spring", "target_states=TX"),
    WritingCommand.CAMPAIGN_ADD_TYPE: ("campaign add-type", "webinar", "priority=5"),
    WritingCommand.CAMPAIGN_SET: ("campaign set", "1", "target_states=FL", "--as-of", DAY),
    WritingCommand.CAMPAIGN_SET_TYPE: ("campaign set-type", "promo", "priority=3"),
    WritingCommand.CAMPAIGN_IMPORT: ("campaign import", "1", "FILE", "contact_id\n2\n1\n"),
    WritingCommand.CAMPAIGN_REMOVE: ("campaign remove", "1"),
    WritingCommand.CAMPAIGN_TARGETS_ADD: ("campaign targets add", "1", "--contacts", "2-3"),
    WritingCommand.CAMPAIGN_TARGETS_REMOVE: ("campaign targets remove", "1", "--contacts", "1-3"),
    WritingCommand.CONTACTS_IMPORT: (
        *("contacts import", "FILE"),
        "id,email,state,do_not_contact\n1,,FL,yes\n,new@example.com,NV,\n",
    ),
    WritingCommand.INTAKE: (
        *("intake", "FILE"),
        '{"kind": "contacts", "entries": [{"id": 1, "do_not_contact": true}]}\n'
        '{"kind": "targets", "entries": [{"campaign_instance_id": 1, "contact_id": 2}]}\n',
    ),
    WritingCommand.SUPPRESSION_ADD: ("suppression add", "--contact", "2", "--reason", "asked"),
    WritingCommand.SUPPRESSION_END: ("suppression end", "--email", "old@example.com"),
    WritingCommand.SUPPRESSION_IMPORT: ("suppression import", "FILE", "email\nnew@example.com\n"),
    WritingCommand.MARK: ("mark", "FILE", "id,status\n1,sent\n"),
    WritingCommand.CONFIG: ("config set", "horizon_days=200"),
    WritingCommand.APPLY: ("apply", "FILE", ADDS_TO_AUDIT),
}
TRIGGER = """
    CREATE TRIGGER touched AFTER UPDATE ON email_schedules BEGIN
        UPDATE email_schedules SET updated_at = '2000-01-01' WHERE id = NEW.id;
        INSERT INTO audit VALUES (NEW.id); END
"""


def make(path: Path) -> Path:
    """An agency of an older scheduler, with its unique index, triggers and a table without key."""
    agency = Agency(path)
    for number in (1, 2, 3):
        agency.contact(number, birth_date=f"1960-12-{20 + number}", created_at="2026-01-01")
    agency.campaign(1, days_before_event=3)
    agency.target(1, "2027-02-01")
    row = {"status": "pre-scheduled", "scheduled_send_date": "2026-12-09"}
    for number in (1, 2, 3):
        agency.insert("email_schedules", contact_id=number, email_type="birthday", **row)
    agency.query("ALTER TABLE email_schedules DROP COLUMN ideal_send_date")
    agency.query("CREATE UNIQUE INDEX u ON email_schedules (contact_id, email_type, event_year)")
    agency.query("DROP TABLE suppressions")
    agency.query("CREATE TABLE suppressions (email TEXT, reason TEXT)")
    agency.insert("suppressions", email="old@example.com", reason="complaint")
    agency.query("CREATE TABLE audit (what TEXT)")
    agency.query(TRIGGER)
    return agency.path


def copy_of(made: Path, path: Path) -> Agency:
    """A copy of an agency's file."""
    shutil.copy(made, path)
    agency = Agency.__new__(Agency)
    agency.path = path
    return agency


def do(agency: Agency, *words: str) -> Answer:
    """Call a command on the agency's file; it must succeed."""
    name, *more = words
    if "FILE" in more:
        place = more.index("FILE")
        file = agency.path.with_name("input.csv")
        file.write_text(more.pop(place + 1))
        more[place] = str(file)
    answer = almanac(*name.split(), agency.path, *more)
    assert answer.code == 0, answer.err
    return answer


def one_line(answer: Answer) -> str:
    return " ".join(answer.out.split())


def undo(agency: Agency) -> Answer:
    return do(agency, "undo")


def tables(path: Path) -> dict[str, Any]:
    """Schema and rows of each table but that of undo, and those that SQLite keeps for itself.

    Of each value its type and bytes, since a text may not be valid.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        sql = "SELECT name, type, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 1"
        schema = [row for row in connection.execute(sql) if row[0] != UNDO.name]
        found: dict[str, Any] = {name: sql for name, _, sql in schema}
        for name in (name for name, kind, _ in schema if kind == "table"):
            columns = connection.execute("SELECT name FROM pragma_table_xinfo(?)", (name,))
            values = [f'typeof("{c}"), CAST("{c}" AS BLOB)' for (c,) in columns]
            rows = connection.execute(f'SELECT {", ".join(values)} FROM "{name}" ORDER BY 1, 2')
            found[f"rows of {name}"] = rows.fetchall()
        return found
    finally:
        connection.close()
