"""Write a generated agency to a new SQLite file.

One thread draws the next chunk of contacts while the main thread inserts the previous one; indexes
are created at the end. Memory holds a few chunks, regardless of the size.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import apsw
import pyarrow as pa

from almanac.civil import day_of
from almanac.errors import DatabaseError, InputError
from almanac.generation.campaigns import campaign_tables, targets
from almanac.generation.contacts import CHUNK, contact_chunk
from almanac.generation.draws import Draws
from almanac.generation.history import history, side_tables
from almanac.generation.schema import indexes, tables
from almanac.generation.shape import Shape
from almanac.outputs import neighbour
from almanac.progress import Progress

CHUNKS_AHEAD = 2
ROWS_AT_ONCE = 1000  # as Python values: more take memory, and a fifth more processor time
FIRST_YEAR, LAST_YEAR = 1000, 9000  # of as_of: every generated year then has four digits

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


@dataclass(frozen=True)
class Order:
    """What the content depends on; as_of is a day number."""

    contacts: int
    seed: int
    as_of: int
    shape: Shape


def generate(
    path: Path,
    contacts: int,
    seed: int,
    as_of: dt.date,
    progress: Progress | None = None,
    shape: Shape | None = None,
) -> Summary:
    """Write the database of an agency with so many contacts, as it would be on `as_of`.

    The content depends on contacts, seed, as_of and the shape only. The file appears at `path` when
    it is complete. Raises InputError if `path` exists, its folder does not, or an argument is out
    of range; DatabaseError if the file could not be written.
    """
    _check(path, contacts, seed, as_of)
    show = progress or (lambda what, done, total: None)
    with _temporary_neighbour(path) as temporary:
        try:
            summary = _write(
                temporary, Order(contacts, seed, day_of(as_of), shape or Shape()), show
            )
        except (apsw.Error, pa.ArrowException, OSError) as error:
            raise DatabaseError(f"{path} could not be written: {error}") from error
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
    check_new(path)


def check_new(path: Path) -> None:
    """Raise InputError if no new file of this name can be made."""
    if path.exists() or path.is_symlink():
        raise _exists(path)
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path.absolute().parent} is not a folder; expected one to write to")


def _exists(path: Path) -> InputError:
    return InputError(f"{path} exists already; expected the name of a new file")


@contextmanager
def _temporary_neighbour(path: Path) -> Iterator[Path]:
    """Yield a new empty file beside `path`; delete it afterwards unless it was renamed."""
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(neighbour(path))
        except OSError as error:
            raise DatabaseError(f"{path} could not be written: {error.strerror}") from error
        yield temporary


def _write(path: Path, order: Order, show: Progress) -> Summary:
    # before anything is written: Arrow's first conversion imports pandas if it can, and Ctrl-C is
    # lost meanwhile
    campaigns = campaign_tables(order.as_of, order.shape.campaigns)
    with closing(apsw.Connection(str(path))) as connection:
        # a file that is deleted on any error needs no journal and no ordered writes
        connection.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        connection.execute("; ".join(tables(order.shape)))
        connection.execute("BEGIN")
        chunks = itertools.chain([campaigns], _made_ahead(order))
        summary = _insert(connection, chunks, order.contacts, show)
        statements = indexes(order.shape)
        for done, statement in enumerate(statements):
            show("indexes", done, len(statements))
            connection.execute(statement)
        connection.execute("COMMIT")
        show("indexes", len(statements), len(statements))
    return summary


def _insert(
    connection: apsw.Connection, chunks: Iterable[Batches], contacts: int, show: Progress
) -> Summary:
    counts = {field.name: 0 for field in fields(Summary)}
    show("contacts", 0, contacts)
    for batches in chunks:
        for table, rows in batches.items():
            _insert_rows(connection, table, rows)
            counts[table] += len(rows)
        show("contacts", counts["contacts"], contacts)
    return Summary(**counts)


def _insert_rows(connection: apsw.Connection, table: str, rows: pa.RecordBatch) -> None:
    names = ", ".join(f'"{name}"' for name in rows.schema.names)
    places = ", ".join("?" * rows.num_columns)
    sql = f"INSERT INTO {table} ({names}) VALUES ({places})"
    for start in range(0, len(rows), ROWS_AT_ONCE):
        columns = rows.slice(start, ROWS_AT_ONCE).columns
        connection.executemany(sql, zip(*(c.to_pylist() for c in columns), strict=True))


def _made_ahead(order: Order) -> Iterator[Batches]:
    """Yield the rows of all contacts chunk by chunk; a thread makes some chunks in advance."""
    with ThreadPoolExecutor(1) as pool:
        waiting: list[Future[Batches]] = []
        try:
            for number in range(-(-order.contacts // CHUNK)):
                waiting.append(pool.submit(_chunk, number, order))
                if len(waiting) > CHUNKS_AHEAD:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


def _chunk(number: int, order: Order) -> Batches:
    """Return all rows of a chunk of contacts; its draws depend on no other chunk."""
    draws, shape, as_of = Draws(order.seed, number), order.shape, order.as_of
    count = min(CHUNK, order.contacts - number * CHUNK)
    people = contact_chunk(draws, number, count, order.contacts, as_of, shape)
    return {
        "contacts": people.rows,
        **history(draws, people, as_of, shape),
        **({"contact_campaigns": targets(draws, people, as_of, shape)} if shape.campaigns else {}),
        **side_tables(draws, people, as_of, shape.suppressions),
    }
