"""The marks that a sender has reported of one message."""

from __future__ import annotations

from typing import NamedTuple

import apsw

from almanac.database.catalog import as_text, scalar
from almanac.database.sql import columns_of


class PastMark(NamedTuple):
    """A mark, with texts as they are recorded; '' for none."""

    status: str
    at: str
    detail: str


def marks_of(connection: apsw.Connection, row_id: int) -> list[PastMark]:
    """Return the marks of a row of email_schedules, the oldest first."""
    columns = columns_of(connection, "message_deliveries")
    if not columns.has("schedule_id", "status", "at", "detail"):
        return []
    encoding = str(scalar(connection, "PRAGMA encoding"))
    texts = (f"CAST({columns.text(name)} AS BLOB)" for name in PastMark._fields)
    found = connection.execute(
        f"SELECT {', '.join(texts)} FROM main.message_deliveries WHERE schedule_id = ? ORDER BY id",
        (row_id,),
    )
    return [PastMark(*(as_text(cell, encoding) for cell in cells)) for cells in found]
