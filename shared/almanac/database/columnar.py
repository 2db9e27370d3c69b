"""Arrow tables from SQL over a database that does not change.

SQLite joins the values of a column into one text, which is cut here: to hand over each value takes
longer than to find it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import apsw
import numpy as np
import pyarrow as pa

from almanac.database.catalog import scalar
from almanac.database.opening import IMMUTABLE, map_errors
from almanac.errors import DatabaseError
from almanac.frames import Codes, Ids
from almanac.octets import octets_of

ROWS_AT_ONCE = 8192  # as Python objects
BUSY_MILLISECONDS = 5000
CODES = pa.dictionary(pa.int32(), pa.string())
BETWEEN = b"\x1e"  # the values of a column: hardly ever in a text, and never in JSON

Value = int | str


class ColumnarReader:
    """Runs queries whose columns have one type each and are never NULL, through a connection that
    the caller closes."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self._path = path
        self._connection = connection
        with map_errors(path):
            self._encoding = str(scalar(connection, "PRAGMA encoding"))

    def read(self, sql: str, values: tuple[Value, ...], schema: pa.Schema) -> pa.Table:
        """Return the rows of a query as a table of the schema, its columns in their order.

        Text that is not valid in the database's encoding has U+FFFD in place of invalid bytes.
        """
        with map_errors(self._path), _map_arrow_errors(self._path):
            table = self._read_together(sql, values, schema)
            return self._read_by_row(sql, values, schema) if table is None else table

    def _read_together(
        self, sql: str, values: tuple[Value, ...], schema: pa.Schema
    ) -> pa.Table | None:
        """Return the rows; None if a text has BETWEEN in it, or all are too long for SQLite."""
        # a subquery keeps its order for functions whose result depends on it
        joined = [f"CAST(group_concat({{}}, '{BETWEEN.decode()}') AS BLOB)"] * len(schema)
        try:
            found = self._connection.execute(_around(sql, joined, "count(*), "), values)
            count, *columns = next(found)
        except apsw.TooBigError:
            return None
        if count == 0:
            return schema.empty_table()
        pairs = zip(columns, schema, strict=True)
        arrays = [self._cut(octets, field.type, count) for octets, field in pairs]
        return None if any(a is None for a in arrays) else pa.table(arrays, schema)

    def _cut(self, octets: bytes | None, wanted: pa.DataType, count: int) -> pa.Array | None:
        """Return the values of a column; None if they are not so many, or no such numbers."""
        if octets is None:
            return None
        if self._encoding != "UTF-8":
            octets = octets.decode(self._encoding, "replace").encode()
        data = octets + BETWEEN
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == BETWEEN[0])
        if len(ends) != count:
            return None
        if wanted == CODES:
            encoded = _array(data, ends + 1).dictionary_encode()
            each, starts, lengths = octets_of(encoded.dictionary)
            distinct = _readable(_without_ends(each.tobytes(), starts + lengths - 1))
            return pa.DictionaryArray.from_arrays(encoded.indices, distinct)
        texts = _without_ends(data, ends)
        if wanted == pa.string():
            return _readable(texts)
        try:
            return texts.cast(wanted)
        except pa.ArrowInvalid:
            return None

    def _read_by_row(self, sql: str, values: tuple[Value, ...], schema: pa.Schema) -> pa.Table:
        """Return the same rows, whatever they are."""
        texts = ["CAST({} AS BLOB)" if _is_text(field) else "{}" for field in schema]
        rows = self._connection.execute(_around(sql, texts), values)
        batches = [_typed(batch, schema) for batch in self._batches(rows, schema)]
        table = pa.Table.from_batches(batches, schema)
        return table.unify_dictionaries() if CODES in schema.types else table

    def _batches(self, rows: apsw.Cursor, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        while some := list(islice(rows, ROWS_AT_ONCE)):
            columns = [
                self._texts(column) if _is_text(field) else pa.array(column, pa.int64())
                for column, field in zip(zip(*some, strict=True), schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema.names)

    def _texts(self, octets: tuple[bytes, ...]) -> pa.Array:
        """Return texts as they are in the database; UTF-8 is validated later."""
        if self._encoding == "UTF-8":
            return pa.array(octets, pa.binary()).view(pa.string())
        return pa.array([o.decode(self._encoding, "replace") for o in octets], pa.string())


class FileReader(ColumnarReader):
    """Runs queries of a file through a connection of its own.

    uri: of a file that other programs may change, see `opening.live_uri`; by default no locks are
    taken.
    """

    def __init__(self, path: Path, uri: str | None = None) -> None:
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        with map_errors(path):
            name = uri or f"{path.resolve().as_uri()}{IMMUTABLE}"
            connection = apsw.Connection(name, flags=flags)
            connection.set_busy_timeout(BUSY_MILLISECONDS)
        try:
            super().__init__(path, connection)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def coded(column: pa.ChunkedArray) -> tuple[list[str], Codes]:
    """Return the distinct texts of a column and each row's index into them."""
    array = column.unify_dictionaries().combine_chunks()
    if not isinstance(array, pa.DictionaryArray):
        array = array.dictionary_encode()
    texts = [str(text) for text in array.dictionary.to_pylist()]
    return texts, array.indices.to_numpy(zero_copy_only=False).astype(np.int32)


def _around(sql: str, columns: list[str], before: str = "") -> str:
    """Return a query of the rows of another, with an expression in place of each column."""
    names = [f"c{n}" for n in range(len(columns))]
    each = ", ".join(column.format(name) for column, name in zip(columns, names, strict=True))
    return f"WITH found ({', '.join(names)}) AS ({sql}) SELECT {before}{each} FROM found"


def _array(data: bytes, ends: Ids) -> pa.Array:
    """Return texts that lie one behind the other, whether or not they are UTF-8."""
    offsets = np.append(0, ends).astype(np.int32)
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(data))


def _without_ends(data: bytes, ends: Ids) -> pa.Array:
    """Return texts without the BETWEEN at the end of each, and nowhere else."""
    return _array(data.translate(None, BETWEEN), ends - np.arange(len(ends)))


def _is_text(field: pa.Field) -> bool:
    return field.type in (pa.string(), CODES)


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with the schema's names and types."""
    if batch.num_rows == 0:
        return pa.RecordBatch.from_pylist([], schema)
    pairs = zip(batch.columns, schema, strict=True)
    return pa.RecordBatch.from_arrays([_column(c, f.type) for c, f in pairs], schema=schema)


def _column(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    if not pa.types.is_string(column.type):
        return column.cast(wanted)
    if wanted == CODES:
        encoded = column.dictionary_encode()
        return pa.DictionaryArray.from_arrays(encoded.indices, _readable(encoded.dictionary))
    return _readable(column)


def _readable(texts: pa.Array) -> pa.Array:
    """Return the texts as valid UTF-8."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        octets = texts.cast(pa.binary()).to_pylist()
        return pa.array([o.decode("utf-8", "replace") for o in octets], pa.string())
    return texts


@contextmanager
def _map_arrow_errors(path: Path) -> Iterator[None]:
    """Map Arrow's errors only: any other comes from the store, and the caller handles it."""
    try:
        yield
    except pa.ArrowException as error:
        raise DatabaseError(f"{path}: the snapshot cannot be read: {error}") from error
