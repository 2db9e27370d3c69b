"""Writes a generated agency to a new SQLite file.

One thread draws the next chunk of contacts while the main thread inserts the last one by ADBC's
bulk ingest; indexes come when all rows are in. So memory holds a few chunks whatever the size.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import adbc_driver_sqlite.dbapi as sqlite
import pyarrow as pa
from adbc_driver_manager import StatementOptions

from almanac.civil import day_of
from almanac.errors import DatabaseError, InputError
from almanac.generation.campaigns import campaign_tables, targets
from almanac.generation.contacts import CHUNK, contact_chunk
from almanac.generation.draws import Draws
from almanac.generation.history import history, side_tables
from almanac.generation.schema import INDEXES, TABLES
from almanac.outputs import neighbour
from almanac.progress import Progress

"""Told what is being made, how much of it is done, and of how much: (what, done, total)."""

CHUNKS_AHEAD = 2
FIRST_YEAR, LAST_YEAR = 1000, 9000  # of as_of: with these, every date made is one of four digits

Batches = dict[str, pa.RecordBatch]


@dataclass(frozen=True)
class Summary:
    """Rows of each table of a generated database."""

    contacts: int
    email_schedules: int
    campaign_types: int
    campaign_instances: int
    contact_campaigns: int
    tracking_clicks: int
    contact_events: int
    suppressions: int
    call_notes: int


def generate(
    path: Path, contacts: int, seed: int, as_of: dt.date, progress: Progress | None = None
) -> Summary:
    """Makes the database of an agency with so many contacts, as it would be found on `as_of`.

    The content follows from contacts, seed and as_of alone. Nothing is at `path` before it is
    complete. InputError: something is there already, its folder is missing, or an argument is out
    of range; DatabaseError: the file could not be written.
    """
    _check(path, contacts, seed, as_of)
    tell = progress or (lambda what, done, total: None)
    with _temporary_neighbour(path) as temporary:
        try:
            summary = _write(temporary, contacts, seed, day_of(as_of), tell)
        except (sqlite.Error, OSError) as error:
            # ADBC's message goes on with the whole statement
            why = str(error).partition("query was:")[0].strip()
            raise DatabaseError(f"{path} could not be written: {why}") from error
        if path.exists():
            raise _exists(path)
        temporary.replace(path)
    return summary


def _check(path: Path, contacts: int, seed: int, as_of: dt.date) -> None:
    if contacts < 1:
        raise InputError(f"contacts: {contacts} is not a number of contacts; expected 1 or more")
    if seed < 0:
        raise InputError(f"seed: expected 0 or more, found {seed}")
    if not FIRST_YEAR <= as_of.year <= LAST_YEAR:
        raise InputError(f"as_of: expected a year of {FIRST_YEAR} to {LAST_YEAR}, found {as_of}")
    if path.exists() or path.is_symlink():
        raise _exists(path)
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path.absolute().parent} is not a folder; expected one to write to")


def _exists(path: Path) -> InputError:
    return InputError(f"{path} exists already; expected the name of a new file")


@contextmanager
def _temporary_neighbour(path: Path) -> Iterator[Path]:
    """A new empty file beside `path`, which is gone afterwards unless it was renamed."""
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(neighbour(path))
        except OSError as error:
            raise DatabaseError(f"{path} could not be written: {error.strerror}") from error
        yield temporary


def _write(path: Path, contacts: int, seed: int, as_of: int, tell: Progress) -> Summary:
    # before anything is written: Arrow's first conversion looks for pandas, and while it does so
    # Ctrl-C is lost
    campaigns = campaign_tables(as_of)
    # PRAGMAs and DDL outside of any transaction; a file that is dropped on any error needs neither
    # a journal nor to be on the disk in order
    with (
        closing(sqlite.connect(str(path), autocommit=True)) as connection,
        closing(connection.cursor()) as cursor,
    ):
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", *TABLES):
            _execute(cursor, statement)
        _execute(cursor, "BEGIN")
        chunks = itertools.chain([campaigns], _made_ahead(contacts, seed, as_of))
        summary = _insert(cursor, chunks, contacts, tell)
        for done, statement in enumerate(INDEXES):
            tell("indexes", done, len(INDEXES))
            _execute(cursor, statement)
        _execute(cursor, "COMMIT")
        tell("indexes", len(INDEXES), len(INDEXES))
    return summary


def _insert(
    cursor: sqlite.Cursor, chunks: Iterable[Batches], contacts: int, tell: Progress
) -> Summary:
    counts = {field.name: 0 for field in fields(Summary)}
    tell("contacts", 0, contacts)
    for batches in chunks:
        for table, rows in batches.items():
            if len(rows):
                _ingest(cursor, table, rows)
                counts[table] += len(rows)
        tell("contacts", counts["contacts"], contacts)
    return Summary(**counts)


# Both use the statement itself and not the cursor's methods. Those take Ctrl-C for themselves, to
# cancel a statement, which the SQLite driver cannot do; then, as a rule, nobody hears of it.


def _execute(cursor: sqlite.Cursor, sql: str) -> None:
    cursor.adbc_statement.set_sql_query(sql)
    cursor.adbc_statement.execute_update()


def _ingest(cursor: sqlite.Cursor, table: str, rows: pa.RecordBatch) -> None:
    options = {
        StatementOptions.INGEST_TARGET_TABLE.value: table,
        StatementOptions.INGEST_MODE.value: "adbc.ingest.mode.append",
    }
    cursor.adbc_statement.set_options(**options)
    cursor.adbc_statement.bind(rows)
    cursor.adbc_statement.execute_update()


def _made_ahead(contacts: int, seed: int, as_of: int) -> Iterator[Batches]:
    """The rows of the contacts, chunk by chunk, some chunks made ahead in a thread."""
    with ThreadPoolExecutor(1) as pool:
        waiting: list[Future[Batches]] = []
        try:
            for number in range(-(-contacts // CHUNK)):
                waiting.append(pool.submit(_chunk, number, contacts, seed, as_of))
                if len(waiting) > CHUNKS_AHEAD:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


def _chunk(number: int, contacts: int, seed: int, as_of: int) -> Batches:
    """All rows that belong to a chunk of contacts; its draws depend on no other chunk."""
    draws = Draws(seed, number)
    count = min(CHUNK, contacts - number * CHUNK)
    people = contact_chunk(draws, number, count, contacts, as_of)
    return {
        "contacts": people.rows,
        **history(draws, people, as_of),
        "contact_campaigns": targets(draws, people, as_of),
        **side_tables(draws, people, as_of),
    }
