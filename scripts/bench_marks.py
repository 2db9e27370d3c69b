"""Bytes that move between a sender and a store: a day's marks, and the day's messages.

    python scripts/bench_marks.py CONTACTS [--marks 24] [--database FILE]

Makes an agency and plans it (or takes a planned FILE), publishes it in the emulator of Cloud
Storage, and has a sender take a day's messages, claim them and report them as sent, in so many
parts. Counted are the bodies of requests and answers at the emulator. "As a version" is what a mark
moved before it was an event: one change of the database is made, and counts for each.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from almanac.commands.waiting import put_marks
from almanac.config import Config
from almanac.csv_input.source import input_file
from almanac.database.opening import map_errors
from almanac.database.undo.entries import WritingCommand
from almanac.delivery.feedback import apply
from almanac.delivery.feedback_file import read_marks
from almanac.delivery.outbox import hand_out
from almanac.generation import generate
from almanac.intake import inbox
from almanac.intake.day_view import day_view
from almanac.organizations.agency_database import StoreDatabase
from almanac.organizations.transfer import push
from almanac.progress import silent
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.storage.cloud import CloudStore
from almanac_emulation.cloud_storage.emulator import StorageEmulator

ORG = "bench"
CONFIG = Config()


def main() -> None:
    """Print a row for each way, and how many times less moves now."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contacts", type=int)
    parser.add_argument("--marks", type=int, default=24)
    parser.add_argument("--database", type=Path)
    asked = parser.parse_args()
    now = dt.datetime.now(dt.UTC)
    day = now.astimezone(CONFIG.zone).date()
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as name, StorageEmulator() as storage:
        folder = Path(name)
        storage.create_bucket("bench")
        agency = StoreDatabase(CloudStore("bench", client=storage.client()), ORG)
        path = asked.database or _planned(folder / "agency.sqlite3", asked.contacts, day)
        push(agency.store, ORG, path, expect=0, now=now, progress=silent)
        size = path.stat().st_size
        print(f"{asked.contacts:,} contacts, a database of {size / 1e6:,.0f} MB")
        _compare(storage, agency, folder, day, now, asked.marks)


def _planned(path: Path, contacts: int, day: dt.date) -> Path:
    generate(path, contacts, 1, day)
    run_file(path, CONFIG, RunOptions(as_of=day))
    return path


def _compare(
    storage: StorageEmulator,
    agency: StoreDatabase,
    folder: Path,
    day: dt.date,
    now: dt.datetime,
    times: int,
) -> None:
    def moved(what: str, do: Callable[[], Any], repeated: int = 1) -> int:
        storage.log.clear()
        do()
        requests = storage.log.of()
        total = sum(each.received + each.sent for each in requests) * repeated
        print(f"{what:42} {len(requests) * repeated:8,} {total / 1e6:12,.2f}", flush=True)
        return total

    print(f"{'':42} requests           MB")
    messages = folder / "due.jsonl"
    now_due = moved("the day's messages", lambda: _take(agency, day, now, messages))
    lines = [json.loads(line) for line in messages.read_text("utf-8").splitlines()]
    parts = [_written(folder, lines, part, times) for part in range(times)]

    def mark_all() -> None:
        for part in parts:
            with input_file(part) as file:
                put_marks(agency, file, [], now)

    print(f"  {len(lines):,} messages, claimed and sent in {times} marks")
    marks = moved(f"{times} marks, into the inbox", mark_all)
    taken = moved(
        "a run reads them", lambda: inbox.read(agency.store, inbox.waiting(agency.store, ORG))
    )
    again = moved(
        "the day's messages, with these waiting", lambda: _take(agency, day, now, messages)
    )
    left = len(messages.read_text("utf-8").splitlines())
    whole = moved("  as a version: the day's messages", lambda: _fetch(agency, folder))
    before = moved(f"  as versions: {times} marks", lambda: _edit(agency, parts[0], now), times)
    print(
        f"{left} of the messages are left; {before / (marks + taken):,.0f} times less for marks, "
        f"{whole / max(now_due, again):,.0f} times less for the day's messages"
    )


def _take(agency: StoreDatabase, day: dt.date, now: dt.datetime, to: Path) -> None:
    """Write the day's messages, as `almanac due --org`."""
    with (
        to.open("w", encoding="utf-8") as out,
        day_view(agency, day, CONFIG, now, claimed=False) as view,
    ):
        hand_out(
            *(view.connection, day, day, False, [""]),
            config=CONFIG,
            format_="jsonl",
            out=out,
            earlier=view.earlier,
        )


def _written(folder: Path, lines: list[dict[str, Any]], part: int, times: int) -> Path:
    """Write a part's claims, and that its messages were sent."""
    path = folder / f"marks-{part}.jsonl"
    mine = lines[part::times]
    claims = [line | {"status": "processing"} for line in mine]
    sent = [
        {"id": line["id"], "status": "sent", "message_id": f"message-{line['id']}"} for line in mine
    ]
    path.write_text("".join(json.dumps(mark) + "\n" for mark in claims + sent), "utf-8")
    return path


def _fetch(agency: StoreDatabase, folder: Path) -> None:
    with agency.open(whole=True) as source, map_errors(source.path):
        source.connection.execute("SELECT 1").fetchall()


def _edit(agency: StoreDatabase, part: Path, now: dt.datetime) -> None:
    """Apply one part to the database, and publish that."""
    with input_file(part) as file:
        parsed = read_marks(file, [], CONFIG.zone, now)

    def edit(connection: apsw.Connection) -> object:
        return apply(connection, parsed, CONFIG, now, True)

    agency.edit(edit, WritingCommand.MARK, now, silent)


if __name__ == "__main__":
    main()
