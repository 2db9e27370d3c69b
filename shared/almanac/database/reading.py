"""A snapshot of an agency's database, read column by column; any table or column may be missing.

Rows come in contact order. A missing text is '', a missing id, number or flag 0. The Arrow schemas
are those of `almanac.database.selects`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import EVERYONE, ContactRange
from almanac.database import selects
from almanac.database.aggregates import has_rate_increases
from almanac.database.catalog import Record, quoted
from almanac.database.config_versions import open_record, recorded_versions
from almanac.database.intake_log import logged
from almanac.database.likely_columns import likely_columns
from almanac.database.occupancy import CountedDays, count_days, count_scheduled_dated
from almanac.database.oddities import Oddities, count_unknown_targets, read_oddities
from almanac.database.older_plans import scheduled_by_others
from almanac.database.opening import map_errors
from almanac.database.planned_rows import PlannedRows
from almanac.database.range_tables import (
    ANSWERS,
    CLICKS,
    COMMITTED,
    LEGACY,
    TARGETS,
    RangeTable,
    contacts_table,
)
from almanac.database.schema import COMMITTED_INDEX, IDENTIFIED
from almanac.database.sources import Source, file_source
from almanac.database.sql import Columns, trimmed
from almanac.database.suppressed_contacts import by_scope
from almanac.database.suppressions import Scope
from almanac.database.tables import Tables, distinct, listed
from almanac.errors import DatabaseError
from almanac.frames import Ids, ShardData
from almanac.names import MAX_ID


class Snapshot:
    """A database that does not change: a private copy (see `almanac.database.backup`), an object
    in a store that is read by ranges (`almanac.database.ranged`), or a file in place, of which the
    caller finds out afterwards whether it was one state (`almanac.database.open_file`).

    Raises DatabaseError if it cannot be read, and what the store raises. Not safe for several
    threads.
    """

    def __init__(self, source: Path | Source) -> None:
        source = file_source(source) if isinstance(source, Path) else source
        self.traffic = source.traffic
        self._source = source
        self._tables = Tables(source)
        self.planned_rows = PlannedRows(self._tables, self.traffic)
        self._suppressions: pa.Table | None = None
        self._rate_increases: bool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the source."""
        self._tables.close()

    # By range of contacts

    def read(self, what: RangeTable, contacts: ContactRange, since: str = "") -> pa.Table:
        """Return the rows of the contacts, by contact and then by id or in table order.

        what: one of `almanac.database.range_tables`; since: an ISO date, for rows that are read
        from a date on. Of contacts with the same id only the first is returned.
        """
        rows = self._tables.read_range(what, contacts, since)
        return distinct(rows, "id") if what.table == "contacts" else rows

    def shard_rows(self, contacts: ContactRange, since: str, settings: ContactColumns) -> ShardData:
        """Return all rows that planning the contacts needs, clicks and answers from `since` on."""
        return ShardData(
            contacts=self.read(contacts_table(settings), contacts),
            committed=self.read(COMMITTED, contacts),
            planned=self.planned_rows.read(contacts),
            targets=self.read(TARGETS, contacts),
            legacy=self.read(LEGACY, contacts),
            clicks=self.read(CLICKS, contacts, since),
            answers=self.read(ANSWERS, contacts, since),
            suppressions=self.suppressions(),
        )

    # Of the whole organization

    def suppressions(self) -> pa.Table:
        """Return SUPPRESSIONS_SCHEMA in table order, addresses trimmed and in lower case."""
        if self._suppressions is None:  # every range needs all of them
            self._suppressions = self._read_suppressions()
        return self._suppressions

    def _read_suppressions(self) -> pa.Table:
        schema = selects.SUPPRESSIONS_SCHEMA
        columns = self._tables.columns("suppressions")
        if columns.table is None:
            return schema.empty_table()
        select = selects.plain(columns, schema)
        select["email"] = f"lower({trimmed(select['email'])})"
        order = "ORDER BY rowid" if columns.table.has_rowid else ""
        return self._tables.read(f"SELECT {listed(select)} FROM suppressions {order}", (), schema)

    def contact_ids(self, settings: ContactColumns) -> Ids:
        """Return the ids of all contacts, each once, sorted."""
        # without ORDER BY SQLite reads them from the smallest index, if there is any
        whole = self._tables.contacts(settings).whole("id")
        sql = f"SELECT {whole} FROM contacts WHERE {whole} IS NOT NULL"
        rows = self._tables.read(sql, (), pa.schema({"id": pa.int64()}))
        ordered = pa.table({"id": np.sort(rows.column("id").to_numpy())})
        ids: Ids = distinct(ordered, "id").column("id").to_numpy()
        return ids

    def addresses(self, settings: ContactColumns) -> Iterator[pa.Table]:
        """Yield id and email (as it is) of all contacts, each once, by id, in parts."""
        schema = pa.schema({"id": pa.int64(), "email": pa.string()})
        columns = self._tables.contacts(settings)
        whole, email = columns.whole("id"), columns.text("email")
        of_part = f"{whole} BETWEEN ? AND ? ORDER BY {columns.key('id')}"
        sql = f"SELECT {whole}, {email} FROM contacts WHERE {of_part}"
        by_row = columns.is_rowid("id")
        parts = self._tables.parts("contacts") if by_row else [EVERYONE]
        return (distinct(self._tables.read(sql, part, schema), "id") for part in parts)

    def state_texts(self, settings: ContactColumns, first: int, count: int) -> pa.Table:
        """Return state and zip_code of so many rows of contacts in table order, from a row on."""
        columns = self._tables.contacts(settings)
        schema = pa.schema({"state": pa.string(), "zip_code": pa.string()})
        sql = f"SELECT {columns.text('state')}, {columns.text('zip_code')} FROM contacts"
        return self._tables.read(f"{sql} LIMIT {count} OFFSET {first}", (), schema)

    def total_contacts(self) -> int:
        """Return the number of all rows of contacts."""
        return self._tables.number("SELECT count(*) FROM contacts")

    def campaign_types(self) -> list[Record]:
        """Return all rows of campaign_types as they are, without missing columns."""
        return self._tables.records("campaign_types")

    def campaign_instances(self) -> list[Record]:
        """Return all rows of campaign_instances as they are, without missing columns."""
        return self._tables.records("campaign_instances")

    def logged_events(self, events: Iterable[str]) -> set[str]:
        """Return those of the events that are in campaign_change_log."""
        if not self._tables.columns("campaign_change_log").has("event_id"):
            return set()
        sql = "SELECT EXISTS (SELECT 1 FROM campaign_change_log WHERE event_id = ?)"
        return {event for event in events if self._tables.number(sql, event)}

    def has_absorbed(self, event_id: str) -> bool:
        """Return whether the event is in intake_log."""
        with map_errors(self._source.path):
            return event_id in logged(self._source.connection, [event_id])

    def next_instance_id(self) -> int:
        """Return the id that SQLite would give the next row of campaign_instances."""
        used = [0]
        columns = self._tables.columns("campaign_instances")
        if columns.table is not None:
            sql = f"SELECT COALESCE(max({columns.row_id()}), 0) FROM campaign_instances"
            used.append(self._tables.number(sql))
        if self._tables.columns("sqlite_sequence").table is not None:
            sql = "SELECT COALESCE(max(seq), 0) FROM sqlite_sequence WHERE lower(name) = ?"
            used.append(self._tables.number(sql, "campaign_instances"))
        if max(used) >= MAX_ID:
            raise DatabaseError("table campaign_instances: no id is left for another instance")
        return max(used) + 1

    def unknown_targets(self, settings: ContactColumns) -> int:
        """Return the number of targets without a contact."""
        return count_unknown_targets(self._tables, settings)

    def oddities(self, settings: ContactColumns) -> Oddities:
        """Return the rows that planning leaves out because it cannot read them."""
        return read_oddities(self._tables, settings)

    def contact_columns(self, settings: ContactColumns) -> Columns:
        """Return the columns of contacts; raises as `contact_columns.contacts_named`."""
        return self._tables.contacts(settings)

    def likely_columns(self, settings: ContactColumns) -> dict[str, str]:
        """Return `likely_columns` of contacts, where a column without a value counts as missing."""
        return likely_columns(self._tables.contacts(settings), self._is_empty)

    def _is_empty(self, column: str) -> bool:
        text = trimmed(f"CAST({quoted(column)} AS TEXT)")
        sql = f"SELECT EXISTS (SELECT 1 FROM contacts WHERE {text} <> '')"
        return not self._tables.number(sql)

    def has_legacy_rate_increases(self) -> bool:
        """Return whether the migration has rows of the replaced type to turn into targets."""
        if self._rate_increases is None:
            with map_errors(self._source.path):
                self._rate_increases = has_rate_increases(self._source.connection)
        return self._rate_increases

    def open_config(self) -> Record | None:
        """Return the row of the recorded configuration: see `config_versions.open_record`."""
        with map_errors(self._source.path):
            return open_record(self._source.connection)

    def configs(self) -> list[Record]:
        """Return the rows of all recorded configurations, the oldest first."""
        with map_errors(self._source.path):
            return recorded_versions(self._source.connection)

    def last_config(self) -> str | None:
        """Return the text of the recorded configuration; None without one."""
        row = self.open_config()
        return str(row["config_data"]) if row else None

    def planned_between(self, date: str, first: str, last: str) -> int:
        """Return the number of PRE_SCHEDULED rows with a date in [first, last], ISO dates.

        date: the column, `ideal_send_date` or `scheduled_send_date`.
        """
        columns = self._tables.columns("email_schedules")
        if not columns.has("status", "ideal_send_date", "scheduled_send_date"):
            return 0
        condition = f"{selects.scheduled(columns)} AND {IDENTIFIED} AND {date} BETWEEN ?1 AND ?2"
        return self._tables.number(
            f"SELECT count(*) FROM email_schedules WHERE {condition}", first, last
        )

    def last_run(self, at_least: int = 0) -> Record | None:
        """Return the last row of scheduler_checkpoints, of runs over at least so many contacts."""
        columns = self._tables.columns("scheduler_checkpoints")
        where = f"WHERE {columns.integer('contacts_processed')} >= {at_least}" if at_least else ""
        if not columns.has("id"):
            return None
        order = "id" if columns.is_rowid("id") else columns.row_id()
        tail = f"{where} ORDER BY {order} DESC LIMIT 1"
        rows = self._tables.records("scheduler_checkpoints", tail)
        return rows[0] if rows else None

    def runs(self) -> list[Record]:
        """Return all rows of scheduler_checkpoints, the oldest first."""
        return self._tables.records("scheduler_checkpoints")

    def counted_days(self, since: str) -> CountedDays:
        """Return the rows from the ISO date on, by day."""
        return count_days(self._tables, since, legacy=self.has_legacy_rate_increases())

    def scheduled_dated(self, since: str) -> Counter[str]:
        """Return the PRE_SCHEDULED rows of effective dates, by day; counting them takes long."""
        return count_scheduled_dated(self._tables, since, legacy=self.has_legacy_rate_increases())

    def suppressed(self, day: str, settings: ContactColumns) -> dict[Scope, Ids]:
        """Return `suppressed_contacts.by_scope`."""
        with map_errors(self._source.path):
            return by_scope(self._source.connection, day, settings)

    def scheduled_by_others(self, since: str, settings: ContactColumns) -> int:
        """Return the number of rows of older schedulers, dated on or after the ISO date, that block
        their events (see `almanac.database.older_plans`)."""
        columns = self._tables.columns("email_schedules")
        if columns.table is None:
            return 0
        contacts = self._tables.contacts(settings)
        rows = f"email_schedules WHERE {scheduled_by_others(columns, contacts)}"
        return self._tables.number(f"SELECT count(*) FROM {rows}", since)

    def committed_campaigns(self, since: str) -> pa.Table:
        """Return COMMITTED_CAMPAIGNS_SCHEMA: committed campaign rows from the ISO date on."""
        schema = selects.COMMITTED_CAMPAIGNS_SCHEMA
        columns = self._tables.columns("email_schedules")
        if not columns.has("contact_id", "email_type", "scheduled_send_date"):
            return schema.empty_table()
        return self._tables.read(
            f"SELECT {listed(selects.plain(columns, schema))} FROM email_schedules "
            f"{self._tables.by(COMMITTED_INDEX)} "
            f"WHERE {selects.committed(columns)} AND scheduled_send_date >= ? "
            f"AND {columns.text('email_type')} LIKE 'campaign\\_%' ESCAPE '\\' "
            f"ORDER BY {columns.key('contact_id')}",
            (since,),
            schema,
        )
