"""The contacts that rows belong to, to check ids that another program wrote."""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import numpy as np

from almanac.database.catalog import quoted, scalar
from almanac.frames import Ids

_AT_ONCE = 100_000


def owners(connection: apsw.Connection, table: str, row_ids: Ids) -> Ids:
    """Return the contact_id of each of the rows that exist, in their order."""
    found = [np.empty(0, np.int64), *_owners(connection, table, row_ids)]
    return np.concatenate(found)


def _owners(connection: apsw.Connection, table: str, row_ids: Ids) -> Iterator[Ids]:
    # CROSS JOIN: in the order of the ids; as one text, since a row at a time takes longer
    sql = f"""SELECT group_concat(owner) FROM (
        SELECT COALESCE(CAST(row.contact_id AS INTEGER), 0) AS owner FROM carray(?) AS wanted
        CROSS JOIN main.{quoted(table)} AS row ON row.id = wanted.value)"""
    for start in range(0, len(row_ids), _AT_ONCE):
        ids = np.ascontiguousarray(row_ids[start : start + _AT_ONCE], np.int64)
        yield np.fromstring(scalar(connection, sql, apsw.carray(ids)) or "", np.int64, sep=",")
