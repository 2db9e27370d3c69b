"""Read a file in one state, while other programs may write to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from almanac.database.aggregates import total_contacts
from almanac.database.columnar import ColumnarReader
from almanac.database.opening import data_version, map_errors, open_database
from almanac.database.sources import Source

T = TypeVar("T")

ATTEMPTS = 3  # to read a large file while no program writes to it
SMALL = 50_000  # contacts for which worker processes are not worth starting


def read_steadily(path: Path, live: Callable[[Source], T], here: Callable[[Source], T]) -> T:
    """Return what is read of a consistent state of the file.

    live: reads by worker processes, which lock nothing: repeated if another program wrote
    meanwhile. here: reads in this process, a small file, or one that is written to all the time.
    """
    connection = open_database(path, writable=False)
    try:
        with map_errors(path):
            source = Source(path, connection, ColumnarReader(path, connection), lambda: None)
            if total_contacts(connection) > SMALL:
                for _ in range(ATTEMPTS):
                    version = data_version(connection)
                    found = live(source)
                    if data_version(connection) == version:
                        return found
            connection.execute("BEGIN")
            return here(source)
    finally:
        connection.close()
