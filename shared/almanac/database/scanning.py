"""All schedule rows of a database, in table order and with few columns, for counting.

Counting by type reads nearly all of the table, and in table order that is three times as fast as by
contact.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import ContactRange, ranges_between
from almanac.database import selects
from almanac.database.columnar import CODES, coded
from almanac.database.described import DescribedSnapshot
from almanac.database.range_tables import contacts_table
from almanac.database.schema import PRE_SCHEDULED
from almanac.database.sql import SEPARATED, SEPARATOR
from almanac.frames import Codes, Ids
from almanac.schedule_status import SENT_STATUSES, Status

MOST = 1000  # ranges of a table
DENSE = 100  # as many ids as contacts in a range on average; else the ids are read to cut ranges

SCHEMA = pa.schema({"contact_id": pa.int64(), "kind": CODES})
PARTS_SCHEMA = pa.schema(
    {
        "contact_id": pa.int64(),
        "status": CODES,
        "campaign_instance_id": CODES,
        "scheduled_send_date": CODES,
        "email_type": CODES,
        "skip_reason": CODES,
    }
)
_NOTHING = {pa.string(): "", pa.int8(): 0}
_WHO = (
    *("id", "email", "zip_code", "state", "status", "opt_out"),
    *("birth_date", "effective_date"),
)


_SENT = ", ".join(f"'{each}'" for each in SENT_STATUSES)
# status, campaign_instance_id, scheduled_send_date, email_type, skip_reason
RowKind = Sequence[str]


@dataclass(frozen=True)
class Rows:
    """Schedule rows, with far fewer kinds than rows."""

    contact_id: Ids
    kind: Codes  # index into kinds
    kinds: list[RowKind]


class Scan(DescribedSnapshot):
    """A snapshot with what the report reads of a database."""

    def who(self, contacts: ContactRange, settings: ContactColumns, *, carriers: bool) -> pa.Table:
        """Return contacts with only the columns that decide who gets messages, and which days are
        protected; others are empty."""
        wanted = (*_WHO, "carrier") if carriers else _WHO
        select = selects.contact_columns(self._tables.contacts(settings), settings)
        contacts_of = contacts_table(settings)
        fields = contacts_of.schema
        schema = pa.schema([field for field in fields if field.name in wanted])
        chosen = {name: select[name] for name in schema.names}
        found = self.read(replace(contacts_of, schema=schema, select=lambda _: chosen), contacts)
        columns = [
            found[f.name]
            if f.name in wanted
            else pa.repeat(pa.scalar(_NOTHING[f.type], f.type), found.num_rows)
            for f in fields
        ]
        return pa.table(columns, fields)

    def contact_ranges(self, contacts: int, settings: ContactColumns) -> list[ContactRange]:
        """Return ranges of the ids of all contacts, each of at most about so many contacts."""
        first, last = self._ends("contacts", self._tables.contacts(settings).whole("id"))
        if last - first < contacts * DENSE:
            return _cut(first, last, contacts)
        ids = self.contact_ids(settings)
        firsts = ids[::contacts].tolist()
        return list(ranges_between([*firsts, last + 1]))

    def row_ranges(self, rows: int) -> list[ContactRange]:
        """Return ranges of the ids of all rows, each of about so many rows if ids are dense."""
        table = self._tables.columns("email_schedules").table
        if table is None:
            return []
        if not table.has_rowid:
            return [ContactRange(0, 0)]
        return _cut(*self._ends("email_schedules", "rowid"), rows)

    def _ends(self, table: str, key: str) -> tuple[int, int]:
        """Return the lowest and the highest of a table's ids, given as SQL; 0 without rows."""
        ends = (f"(SELECT COALESCE({f}({key}), 0) FROM {table})" for f in ("min", "max"))
        schema = pa.schema({"first": pa.int64(), "last": pa.int64()})
        found = self._tables.read(f"SELECT {', '.join(ends)}", (), schema).to_pylist()[0]
        return int(found["first"]), int(found["last"])

    def rows(self, first: int, last: int, since: str) -> Rows:
        """Return rows dated on or after the ISO date, and campaign messages that were sent.

        first and last: of a range that `row_ranges` returned.
        """
        columns = self._tables.columns("email_schedules")
        if columns.table is None or not columns.has("scheduled_send_date"):
            return Rows(np.empty(0, np.int64), np.empty(0, np.int32), [])
        status = columns.text("status")
        if not columns.has("status"):
            status = f"'{Status.PRE_SCHEDULED}'"  # as the migration will have it
        parts = {
            "status": status,
            "campaign_instance_id": columns.integer("campaign_instance_id"),
            "scheduled_send_date": columns.text("scheduled_send_date"),
            "email_type": columns.text("email_type"),
            "skip_reason": columns.text("skip_reason"),
        }
        sent = (
            f"({status} IN ({_SENT}) "
            f"AND {columns.text('email_type')} LIKE 'campaign\\_%' ESCAPE '\\')"
        )
        by, within = "", "? = ?"
        if columns.table.kind == "table":
            by = "NOT INDEXED"
        if columns.table.has_rowid:
            within = "rowid BETWEEN ? AND ?"
        tail = f"FROM email_schedules {by} WHERE {within} AND (scheduled_send_date >= ? OR {sent})"
        contact, values = columns.id_or_zero("contact_id"), (first, last, since)
        # one text a row instead of five columns: handing over values is what takes time
        whole = f" || {SEPARATOR} || ".join(parts.values())
        table = self._tables.read(f"SELECT {contact}, {whole} {tail}", values, SCHEMA)
        texts, kind_of = coded(table["kind"])
        kinds: list[RowKind] = [text.split(SEPARATED) for text in texts]
        if any(len(kind) != len(parts) for kind in kinds):  # a text contains the separator
            each = ", ".join(f"CAST({part} AS TEXT)" for part in parts.values())
            table = self._tables.read(f"SELECT {contact}, {each} {tail}", values, PARTS_SCHEMA)
            rows = zip(*(table[name].to_pylist() for name in parts), strict=True)
            index: dict[tuple[str, ...], int] = {}
            kind_of = np.array([index.setdefault(row, len(index)) for row in rows], np.int32)
            kinds = list(index)
        return Rows(table["contact_id"].to_numpy(), kind_of, kinds)

    def campaign_days(self, since: str) -> list[tuple[int, str, int]]:
        """Return the planned campaign messages dated on or after the ISO date, without follow-ups:
        instance, day, messages."""
        columns = self._tables.columns("email_schedules")
        names = ("status", "scheduled_send_date", "email_type", "campaign_instance_id")
        if columns.table is None or not columns.has(*names):
            return []
        by = "NOT INDEXED" if columns.table.kind == "table" else ""
        sql = f"""
            SELECT {columns.integer("campaign_instance_id")} AS instance,
                {columns.text("scheduled_send_date")} AS day, count(*) AS messages
            FROM email_schedules {by}
            WHERE {PRE_SCHEDULED} AND scheduled_send_date >= ?
            AND email_type LIKE 'campaign\\_%' ESCAPE '\\' GROUP BY 1, 2
        """
        schema = pa.schema({"instance": pa.int64(), "day": pa.string(), "messages": pa.int64()})
        found = self._tables.read(sql, (since,), schema).to_pylist()
        return [(row["instance"], row["day"], row["messages"]) for row in found if row["instance"]]

    def moved_off(self, closed: Sequence[dt.date], since: str) -> tuple[int, int]:
        """Return the planned messages dated on or after the ISO date whose ideal date is one of
        the closed days and not their day, and the days from one to the other, all together."""
        columns = self._tables.columns("email_schedules")
        if not closed or not columns.has("status", "scheduled_send_date", "ideal_send_date"):
            return 0, 0
        moved = "julianday(scheduled_send_date) - julianday(ideal_send_date)"
        sql = f"""
            SELECT count(*), CAST(COALESCE(sum(abs({moved})), 0) AS INTEGER)
            FROM email_schedules
            WHERE {PRE_SCHEDULED} AND scheduled_send_date >= ?
            AND scheduled_send_date <> ideal_send_date
            AND ideal_send_date IN ({", ".join(f"'{day}'" for day in closed)})
        """
        schema = pa.schema({"messages": pa.int64(), "days": pa.int64()})
        found = self._tables.read(sql, (since,), schema).to_pylist()[0]
        return int(found["messages"]), int(found["days"])


def _cut(first: int, last: int, size: int) -> list[ContactRange]:
    """Return ranges of about so many ids each, at most MOST ranges."""
    count = max(1, min(MOST, -(-(last - first + 1) // size)))
    cuts = [first + (last - first + 1) * n // count for n in range(count + 1)]
    return list(ranges_between(cuts))
