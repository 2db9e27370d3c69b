"""What a snapshot is read through: a connection for small queries, and a reader of columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import apsw
import pyarrow as pa

from almanac.database.columnar import BUSY_MILLISECONDS, ColumnarReader, Value
from almanac.database.opening import IMMUTABLE, map_errors


class Columnar(Protocol):
    """Runs queries whose columns have one type each."""

    def read(self, sql: str, values: tuple[Value, ...], schema: pa.Schema) -> pa.Table:
        """Return the rows of a query as a table of the schema, its columns in their order.

        Text that is not valid in the database's encoding has U+FFFD in place of invalid bytes.
        """
        ...


@dataclass
class Traffic:
    """Requests to a store, and the bytes that they fetched."""

    requests: int = 0
    bytes: int = 0

    def clear(self) -> None:
        """Reset the counts to 0."""
        self.requests = self.bytes = 0


@dataclass(frozen=True)
class Source:
    """A database that does not change, open for reading.

    uri: what a further connection opens; '' if there is none.
    """

    path: Path  # what messages call it
    connection: apsw.Connection
    columnar: Columnar
    close: Callable[[], None]
    traffic: Traffic = field(default_factory=Traffic)
    uri: str = ""


def file_source(path: Path) -> Source:
    """Open a local file that does not change; DatabaseError if that fails."""
    with map_errors(path):
        uri = f"{path.resolve().as_uri()}{IMMUTABLE}"
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        connection = apsw.Connection(uri, flags=flags)
    try:
        columnar = ColumnarReader(path, connection)
    except BaseException:
        connection.close()
        raise
    return Source(path, connection, columnar, connection.close, uri=uri)


def opened_again(source: Source) -> Source:
    """Return the source with a connection of its own, for another thread."""
    with map_errors(source.path):
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        connection = apsw.Connection(source.uri, flags=flags)
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    reader = ColumnarReader(source.path, connection)
    return replace(source, connection=connection, columnar=reader, close=connection.close)
