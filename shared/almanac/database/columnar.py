"""Arrow tables from SQL over a database that does not change: through ADBC, or row by row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

import apsw
import numpy as np
import pyarrow as pa

from almanac.database.catalog import scalar
from almanac.database.opening import map_errors
from almanac.errors import DatabaseError
from almanac.frames import Codes

BATCH_ROWS = 65536
ROWS_AT_ONCE = 8192  # as Python objects
BUSY_MILLISECONDS = 5000
BATCH_OPTION = "adbc.sqlite.query.batch_rows"
CODES = pa.dictionary(pa.int32(), pa.string())

Value = int | str


class ColumnarReader:
    """Runs queries whose columns have one type each, through ADBC; by default without any locks.

    A file that another program may change must be opened by its `uri` (see `opening.uri_of`): then
    locks are taken, and no other SQLite library may have the file open in this process, since
    closing a file drops all locks that the process has on it.
    """

    def __init__(self, path: Path, uri: str | None = None) -> None:
        # 0.1 s, since it imports all of Arrow: who reads by rows does without
        import adbc_driver_sqlite.dbapi

        self._path = path
        uri = uri or f"{path.resolve().as_uri()}?immutable=1"
        with _map_errors(path):
            named = f"{uri}{'&' if '?' in uri else '?'}mode=ro"
            self._connection = adbc_driver_sqlite.dbapi.connect(named, autocommit=True)
            try:
                with closing(self._connection.cursor()) as cursor:
                    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
                    cursor.fetchall()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def read(self, sql: str, values: tuple[Value, ...], schema: pa.Schema) -> pa.Table:
        """Return the rows of a query as a table of the schema, its columns in their order.

        Text that is no UTF-8 has U+FFFD in place of invalid bytes.
        """
        with _map_errors(self._path), closing(self._connection.cursor()) as cursor:
            cursor.adbc_statement.set_options(**{BATCH_OPTION: str(BATCH_ROWS)})
            cursor.execute(sql, values or None)
            return _table(iter(cursor.fetch_record_batch()), schema)


class RowReader:
    """Reads the same tables through an apsw connection, which the caller closes.

    Half as fast as ADBC, which cannot read through a VFS of ours. For invalid UTF-16 the number of
    U+FFFD may differ.
    """

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self._path = path
        self._connection = connection
        with map_errors(path):
            self._encoding = str(scalar(connection, "PRAGMA encoding"))

    def read(self, sql: str, values: tuple[Value, ...], schema: pa.Schema) -> pa.Table:
        """See `ColumnarReader.read`."""
        with map_errors(self._path), _map_arrow_errors(self._path):
            rows = self._connection.execute(_with_octets(sql, schema), values)
            return _table(self._batches(rows, schema), schema)

    def _batches(self, rows: apsw.Cursor, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        while some := list(islice(rows, min(ROWS_AT_ONCE, BATCH_ROWS))):
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


def coded(column: pa.ChunkedArray) -> tuple[list[str], Codes]:
    """Return the distinct texts of a column and each row's index into them."""
    array = column.unify_dictionaries().combine_chunks()
    if not isinstance(array, pa.DictionaryArray):
        array = array.dictionary_encode()
    texts = [str(text) for text in array.dictionary.to_pylist()]
    return texts, array.indices.to_numpy(zero_copy_only=False).astype(np.int32)


def _with_octets(sql: str, schema: pa.Schema) -> str:
    """Return the query with its texts as blobs, since apsw refuses invalid text."""
    names = ", ".join(f"c{n}" for n in range(len(schema)))
    columns = ", ".join(
        f"CAST(c{n} AS BLOB)" if _is_text(field) else f"c{n}" for n, field in enumerate(schema)
    )
    return f"WITH found ({names}) AS ({sql}) SELECT {columns} FROM found"


def _is_text(field: pa.Field) -> bool:
    return field.type in (pa.string(), CODES)


def _table(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    table = pa.Table.from_batches([_typed(batch, schema) for batch in batches], schema)
    return table.unify_dictionaries() if CODES in schema.types else table


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
def _map_errors(path: Path) -> Iterator[None]:
    import adbc_driver_manager

    try:
        yield
    except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
        raise DatabaseError(f"{path}: the snapshot cannot be read: {error}") from error


@contextmanager
def _map_arrow_errors(path: Path) -> Iterator[None]:
    """Map Arrow's errors only: any other comes from the store, and the caller handles it."""
    try:
        yield
    except pa.ArrowException as error:
        raise DatabaseError(f"{path}: the snapshot cannot be read: {error}") from error
