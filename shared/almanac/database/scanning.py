"""All of a database's schedule rows in the order in which they lie there, with few columns.

Nearly all of the table has to be read for counting it by type, and in its own order that goes three
times as fast as by contact.
"""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa

from almanac.database import selects
from almanac.database.columnar import CODES
from almanac.database.reading import Snapshot
from almanac.database.sources import Columnar
from almanac.database.tables import listed

OTHER, SCHEDULED, SKIPPED, SENT = range(4)

ROWS_SCHEMA = pa.schema(
    {
        "contact_id": pa.int64(),
        "email_type": CODES,
        "campaign_instance_id": pa.int64(),
        "scheduled_send_date": CODES,
        "state": pa.int8(),  # OTHER: committed, and neither sent nor delivered
        "skip_reason": CODES,  # of skipped rows
    }
)
_TABLES = ("contacts", "email_schedules", "contact_campaigns", "contact_issues", "suppressions")
_NOTHING = {pa.string(): "''", pa.int8(): "0"}
_WHO = ("id", "email", "zip_code", "state", "status")


class Scan(Snapshot):
    """What the report reads of a database."""

    def describe(self) -> None:
        """Ask of the tables all that the methods here and by range will want to know of them."""
        for name in _TABLES:
            self._tables.columns(name)

    def read_only_through(self, columnar: Columnar) -> None:
        """Read through this from now on; if the tables are described, the connection may go."""
        self._tables.read_through(columnar)

    def who(self, first: int, last: int, *, carriers: bool) -> pa.Table:
        """As `contacts`, with only what tells who can get messages: all else is empty."""
        wanted = (*_WHO, "carrier") if carriers else _WHO
        select = selects.contact_columns(self._tables.columns("contacts"))
        fields = selects.CONTACTS_SCHEMA
        select |= {f.name: _NOTHING[f.type] for f in fields if f.name not in wanted}
        return self._contacts(select, first, last)

    def row_ranges(self, rows: int) -> list[tuple[int, int]]:
        """Ranges of the ids of all rows, of about so many rows each where few ids are missing."""
        table = self._tables.columns("email_schedules").table
        if table is None:
            return []
        if not table.has_rowid:
            return [(0, 0)]
        found = self._tables.read(
            "SELECT (SELECT COALESCE(min(rowid), 0) FROM email_schedules), "
            "(SELECT COALESCE(max(rowid), 0) FROM email_schedules)",
            (),
            pa.schema({"first": pa.int64(), "last": pa.int64()}),
        ).to_pylist()[0]
        first, last = int(found["first"]), int(found["last"])
        count = max(1, min(1000, -(-(last - first + 1) // rows)))
        cuts = [first + (last - first + 1) * n // count for n in range(count + 1)]
        return [(a, b - 1) for a, b in pairwise(cuts)]

    def rows(self, first: int, last: int, since: str) -> pa.Table:
        """ROWS_SCHEMA: rows dated on or after the ISO date, and campaign messages that were sent.

        first and last: as `row_ranges` gives them.
        """
        schema = ROWS_SCHEMA
        columns = self._tables.columns("email_schedules")
        if columns.table is None or not columns.has("scheduled_send_date"):
            return schema.empty_table()
        status = columns.text("status")
        if not columns.has("status"):
            status = "'pre-scheduled'"  # as the migration will have it
        select = selects.plain(columns, schema)
        select["state"] = (
            f"CASE {status} WHEN 'pre-scheduled' THEN {SCHEDULED} WHEN 'skipped' THEN {SKIPPED} "
            f"WHEN 'sent' THEN {SENT} WHEN 'delivered' THEN {SENT} ELSE {OTHER} END"
        )
        reason = columns.text("skip_reason")
        select["skip_reason"] = f"CASE {status} WHEN 'skipped' THEN {reason} ELSE '' END"
        sent = (
            f"({status} IN ('sent', 'delivered') "
            f"AND {columns.text('email_type')} LIKE 'campaign\\_%' ESCAPE '\\')"
        )
        by, within = "", "? = ?"
        if columns.table.kind == "table":
            by = "NOT INDEXED"
        if columns.table.has_rowid:
            within = "rowid BETWEEN ? AND ?"
        ordered = {name: select[name] for name in schema.names}
        return self._tables.read(
            f"SELECT {listed(ordered)} FROM email_schedules {by} "
            f"WHERE {within} AND (scheduled_send_date >= ? OR {sent})",
            (first, last, since),
            schema,
        )
