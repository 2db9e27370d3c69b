"""What an operator does with suppressions: count, add, end, import and export them.

A suppression is never deleted: one that no longer holds has an end.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

import apsw
import numpy as np
from pydantic import BaseModel

from almanac.csv_input.header import ImportColumns
from almanac.csv_input.reader import MAX_ROWS, CsvFile, at_most
from almanac.csv_input.rejects import Rejects
from almanac.csv_input.source import InputFile
from almanac.database import suppressions
from almanac.database.catalog import scalar
from almanac.database.sql import columns_of
from almanac.database.suppressions import COLUMNS, ENDED, IN_FORCE, Suppression
from almanac.errors import RequestError

Key = tuple[str, int, str, str]  # address, contact id, reason, since

COLUMNS_READ = ImportColumns(COLUMNS, one_of=("email", "contact_id"))
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T]|\Z)")


class SuppressionCount(BaseModel):
    """How many suppressions have a reason, a source and a state in common."""

    reason: str
    source: str
    state: str  # in force, ended or to come
    rows: int


class Effect(BaseModel):
    """What the next run will skip for the suppressions in force."""

    day: dt.date
    contacts: int  # that are suppressed and have messages planned
    messages: int  # of these contacts, dated that day or later


class Loaded(BaseModel):
    """What became of the rows of a file."""

    added: int
    ended: int  # had no end, and have one now
    unchanged: int
    unknown_contacts: int  # ids in the file that no contact has


@dataclass
class ParsedSuppressions:
    """The usable rows of a file, each once, and the others."""

    rows: list[Suppression]
    rejects: Rejects
    ignored: list[str]  # columns that are not read
    repeated: int = 0  # usable rows that the file has more than once


def counts(connection: apsw.Connection, day: dt.date) -> list[SuppressionCount]:
    """Count the rows by reason, source and state on the day."""
    found = suppressions.count_by_state(connection, day.isoformat())
    return [SuppressionCount(reason=r, source=f, state=s, rows=n) for r, f, s, n in found]


def effect(connection: apsw.Connection, day: dt.date) -> Effect:
    """Count the planned messages that the next run, on the day, will skip."""
    contacts = suppressions.suppressed(connection, day.isoformat())
    planned = [
        contact for contact, _ in suppressions.planned(connection, contacts, day.isoformat())
    ]
    return Effect(day=day, contacts=len(set(planned)), messages=len(planned))


def from_texts(
    email: str, contact_id: str, reason: str, source: str, since: str, until: str
) -> Suppression:
    """Return a suppression from trimmed texts. Raise RequestError if they are not one."""
    if contact_id and (not _NUMBER.fullmatch(contact_id)):
        raise RequestError(f"contact_id: {contact_id!r} is not the id of a contact")
    if email and not _ADDRESS.fullmatch(email):
        raise RequestError(f"email: {email!r} is not an e-mail address")
    number = int(contact_id or 0)
    _check_text(email, reason, source)
    if not email and not number:
        raise RequestError("no contact: neither an e-mail address nor the id of a contact")
    first, last = _date("since", since), _date("until", until)
    # the day before is allowed: a suppression can be ended on its first day
    if first and last and last < first - dt.timedelta(days=1):
        raise RequestError(f"until: {until} is before its beginning, {since}")
    return Suppression(email, number, reason, source, since, until)


def add(connection: apsw.Connection, new: Suppression, day: dt.date) -> bool:
    """Add a row; return False if one in force on the day has the same contact and reason.

    Raise RequestError if no contact has its id.
    """
    if new.contact_id and _unknown(connection, {new.contact_id}):
        raise RequestError(f"contact {new.contact_id}: does not exist")
    for row in suppressions.naming(connection, new.email, new.contact_id, day.isoformat()):
        if row.state == IN_FORCE and _same_word(row.reason, new.reason) and not new.until:
            return False
    suppressions.prepare(connection)
    suppressions.insert(connection, [new])
    return True


def end(
    connection: apsw.Connection, email: str, contact: int, reason: str | None, day: dt.date
) -> list[Suppression]:
    """End the rows that name the address, or the id, before the day. Return them as they were.

    reason: only rows with this one. Rows that begin later end before they begin. Raise
    RequestError if there is nothing to end.
    """
    rows = [
        row
        for row in suppressions.naming(connection, email, contact, day.isoformat())
        if row.state != ENDED and (reason is None or _same_word(row.reason, reason))
    ]
    if not rows:
        who, why = email or f"contact {contact}", f"for {reason} " if reason else ""
        raise RequestError(f"{who}: no suppression {why}to end")
    suppressions.prepare(connection)
    suppressions.set_until(connection, ((_end_before(day, row), row.rowid) for row in rows))
    return rows


def read_suppressions(file: InputFile, pairs: Sequence[str]) -> ParsedSuppressions:
    """Read the rows of a CSV file; those that are not suppressions are rejects.

    pairs: the values of `--map`. Raise InputError for a file that is not a CSV of suppressions.
    """
    with file.path.open("rb") as stream:
        source = CsvFile(stream, file.name, COLUMNS_READ, pairs)
        parsed = ParsedSuppressions([], Rejects(source.header.columns), source.header.ignored)
        seen: set[Suppression] = set()
        for line, cells, problem in at_most(source.rows(), MAX_ROWS, file.name):
            try:
                if problem:
                    raise RequestError(problem.why)
                new = from_texts(*source.pick(cells))
            except RequestError as error:
                parsed.rejects.add(line, str(error), cells)
                continue
            if new in seen:
                parsed.repeated += 1
            else:
                seen.add(new)
                parsed.rows.append(new)
    return parsed


def load(connection: apsw.Connection, parsed: ParsedSuppressions) -> Loaded:
    """Add the rows that the table does not have; the same file again changes nothing.

    A row without an end gets the end that the file has. A row with an end keeps it if the file
    has none.
    """
    suppressions.prepare(connection)
    known: set[Key] = set()
    dated: set[tuple[Key, str]] = set()
    unended: dict[Key, int] = {}
    for row in suppressions.rows(connection, ""):
        key = _key(row)
        known.add(key)
        dated.add((key, row.until))
        if not row.until:
            unended[key] = row.rowid
    stays = {_key(row) for row in parsed.rows if not row.until}
    unchanged, new, ends = parsed.repeated, [], []
    for row in parsed.rows:
        key = _key(row)
        if (key, row.until) in dated or (not row.until and key in known):
            unchanged += 1
        elif key in unended and key not in stays:
            ends.append((row.until, unended.pop(key)))
        else:
            new.append(row)
    suppressions.insert(connection, new)
    suppressions.set_until(connection, ends)
    return Loaded(
        added=len(new),
        ended=len(ends),
        unchanged=unchanged,
        unknown_contacts=_unknown(connection, {r.contact_id for r in parsed.rows} - {0}),
    )


def export(connection: apsw.Connection, out: TextIO) -> int:
    """Write all rows as CSV that can be imported. Return how many there are."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for row in suppressions.rows(connection, ""):
        writer.writerow(value or "" for value in row[: len(COLUMNS)])
        count += 1
    return count


def find(
    connection: apsw.Connection, email: str | None, contact: int | None, day: dt.date
) -> list[Suppression]:
    """Return the suppressions of an address, or else of a contact, in any state on the day."""
    if email is not None:
        return list(suppressions.of_address(connection, email, day.isoformat()))
    return list(suppressions.of_contact(connection, contact or 0, day.isoformat()))


def record(row: Suppression) -> dict[str, object]:
    """Return a suppression by column, empty cells as None, and its state if it is known."""
    found = {name: value or None for name, value in zip(COLUMNS, row, strict=False)}
    return found | ({"state": row.state} if row.state else {})


def _unknown(connection: apsw.Connection, contacts: set[int]) -> int:
    """Count the ids that no contact has."""
    if not contacts:
        return 0
    ids = apsw.carray(np.fromiter(sorted(contacts), np.int64, len(contacts)))
    key = columns_of(connection, "contacts").key("id")
    sql = f"SELECT count(*) FROM carray(?) WHERE value NOT IN (SELECT {key} FROM main.contacts)"
    return int(scalar(connection, sql, ids))


def _key(row: Suppression) -> Key:
    """Return what distinguishes a suppression, whatever its end and its source."""
    return row.email.strip().lower(), row.contact_id, row.reason.strip(), row.since.strip()


def _check_text(*texts: str) -> None:
    """Raise RequestError for text that a database cannot hold."""
    for text in texts:
        if "\0" in text:
            raise RequestError(f"{text!r}: with a NUL character")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RequestError(f"{text!r}: not UTF-8") from None


def _same_word(one: str, other: str) -> bool:
    return one.strip().lower() == other.strip().lower()


def _end_before(day: dt.date, row: Suppression) -> str:
    """Return the last day of a row that ends before the day."""
    since = _date_of(row.since)
    return str(max(day, since or day) - dt.timedelta(days=1))


def _date(name: str, text: str) -> dt.date | None:
    """Return the date of a text, None for an empty one. Raise RequestError if it is not a date."""
    date = _date_of(text)
    if text and date is None:
        raise RequestError(f"{name}: {text!r} is not a date; expected YYYY-MM-DD")
    return date


def _date_of(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text[:10]) if _DATE.match(text) else None
    except ValueError:
        return None
