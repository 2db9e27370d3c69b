"""Arrow tables from SQL over a private copy of a database that nobody writes to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import adbc_driver_manager
import adbc_driver_sqlite.dbapi
import pyarrow as pa

from almanac.errors import DatabaseError

BATCH_ROWS = 65536
BATCH_OPTION = "adbc.sqlite.query.batch_rows"
CODES = pa.dictionary(pa.int32(), pa.string())

Value = int | str


class ColumnarReader:
    """Runs queries whose columns have one type each; immutable: no lock is taken, none is heeded.

    It must not be used on a file that any other program may change.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _map_errors(path):
            uri = f"{path.resolve().as_uri()}?immutable=1&mode=ro"
            self._connection = adbc_driver_sqlite.dbapi.connect(uri, autocommit=True)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def read(self, sql: str, values: tuple[Value, ...], schema: pa.Schema) -> pa.Table:
        """The rows of a query as a table of the schema, its columns taken in their order.

        Text that is no UTF-8 comes with U+FFFD in place of what is wrong.
        """
        with _map_errors(self._path), closing(self._connection.cursor()) as cursor:
            cursor.adbc_statement.set_options(**{BATCH_OPTION: str(BATCH_ROWS)})
            cursor.execute(sql, values or None)
            batches = [_typed(batch, schema) for batch in cursor.fetch_record_batch()]
        table = pa.Table.from_batches(batches, schema)
        return table.unify_dictionaries() if CODES in schema.types else table


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with the schema's names and types."""
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
    """The texts as valid UTF-8."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        octets = texts.cast(pa.binary()).to_pylist()
        return pa.array([o.decode("utf-8", "replace") for o in octets], pa.string())
    return texts


@contextmanager
def _map_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
        raise DatabaseError(f"{path}: the snapshot cannot be read: {error}") from error
