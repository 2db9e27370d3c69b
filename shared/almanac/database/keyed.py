"""The rows of small tables, with the ids that they have once their table has a key of ids."""

from __future__ import annotations

import apsw

from almanac.database.catalog import Record, raw_records
from almanac.database.schema import KEYED
from almanac.database.sql import columns_of


def keyed_records(connection: apsw.Connection, name: str, tail: str = "") -> list[Record]:
    """Return the rows of a small table as `raw_records`; none if it does not exist."""
    columns = columns_of(connection, name)
    if columns.table is None:
        return []
    values = {}
    if name in KEYED and not columns.is_rowid("id") and columns.table.has_rowid:
        values = {"id": columns.row_id()}
    return raw_records(connection, columns.table, tail, values)
