"""Reading a snapshot of an agency's database, column by column, whatever is missing in it.

Ranges of ids include both ends; rows come in contact order. Texts are '' where there is nothing,
ids, numbers and flags 0. The Arrow schemas are those of `almanac.database.selects`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from almanac.contact_ranges import MAX_ID
from almanac.database import selects
from almanac.database.catalog import Record
from almanac.database.config_versions import last_config
from almanac.database.opening import map_errors
from almanac.database.schema import (
    COMMITTED_INDEX,
    IDENTIFIED,
    IDENTITY_INDEX,
    OLDER_INDEX,
    PLANNED,
    STATUS_INDEX,
    UNIDENTIFIED,
)
from almanac.database.sources import Source, file_source
from almanac.database.sql import trimmed
from almanac.database.tables import Tables, by_contact, distinct, listed
from almanac.errors import DatabaseError
from almanac.frames import Ids

FOREIGN_LIMIT = 1000
ANSWERED = "eligibility_answered"


class Snapshot:
    """A database that nobody writes to: a private copy (see `almanac.database.backup`),
    or an object of a store that is read by ranges (`almanac.database.ranged`).

    Raises DatabaseError where it cannot be read, and whatever the store raises. Not for several
    threads at once.
    """

    def __init__(self, source: Path | Source) -> None:
        source = file_source(source) if isinstance(source, Path) else source
        self.traffic = source.traffic
        self._source = source
        self._tables = Tables(source)
        self._suppressions: pa.Table | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the source."""
        self._tables.close()

    # By range of contacts

    def contacts(self, first: int, last: int) -> pa.Table:
        """CONTACTS_SCHEMA; only rows whose id is an integer, of equal ids the first row."""
        select = selects.contact_columns(self._tables.columns("contacts"))
        return self._contacts(select, selects.CONTACTS_SCHEMA, first, last)

    def _contacts(
        self, select: selects.Select, schema: pa.Schema, first: int, last: int
    ) -> pa.Table:
        where = "typeof(id) = 'integer'"
        rows = self._tables.range("contacts", select, schema, first, last, where, key="id")
        return distinct(rows, "id")

    def committed(self, first: int, last: int) -> pa.Table:
        """COMMITTED_SCHEMA, by contact and id: the rows that the sender owns."""
        schema = selects.COMMITTED_SCHEMA
        columns = self._tables.columns("email_schedules")
        select, where = selects.plain(columns, schema), selects.committed(columns)
        return self._tables.range(
            "email_schedules", select, schema, first, last, where, index=COMMITTED_INDEX
        )

    def planned(self, first: int, last: int) -> pa.Table:
        """PLANNED_SCHEMA: the rows that the scheduler owns."""
        schema = selects.PLANNED_SCHEMA
        columns = self._tables.columns("email_schedules")
        select = selects.planned_columns(columns)
        if not all(map(self._tables.has_index, (IDENTITY_INDEX, OLDER_INDEX))):
            # the plus sign keeps SQLite from an index by status, under which nearly all rows are
            where = f"+{PLANNED}" if columns.has("status") else "1"
            return self._tables.range("email_schedules", select, schema, first, last, where)
        return by_contact(
            [
                self._tables.read(
                    f"SELECT {listed(select)} FROM email_schedules {self._tables.by(index)} "
                    f"WHERE contact_id BETWEEN ? AND ? AND {PLANNED} AND {ideal} "
                    f"ORDER BY contact_id",
                    (first, last),
                    schema,
                )
                for index, ideal in ((IDENTITY_INDEX, IDENTIFIED), (OLDER_INDEX, UNIDENTIFIED))
            ]
        )

    def legacy_rate_increases(self, first: int, last: int) -> pa.Table:
        """PLANNED_SCHEMA: PRE_SCHEDULED rows of the type that a campaign has replaced."""
        schema = selects.PLANNED_SCHEMA
        columns = self._tables.columns("email_schedules")
        select, where = selects.planned_columns(columns), selects.legacy(columns)
        if not self._tables.has_index(OLDER_INDEX):
            where = f"+({where})"  # as for planned rows
        return self._tables.range(
            "email_schedules", select, schema, first, last, where, index=OLDER_INDEX
        )

    def targets(self, first: int, last: int) -> pa.Table:
        """TARGETS_SCHEMA, by contact and id: contact_campaigns."""
        schema = selects.TARGETS_SCHEMA
        select = selects.plain(self._tables.columns("contact_campaigns"), schema)
        return self._tables.range("contact_campaigns", select, schema, first, last)

    def clicks(self, first: int, last: int, since: str) -> pa.Table:
        """CLICKS_SCHEMA: clicks on or after the ISO date `since`."""
        schema = selects.CLICKS_SCHEMA
        columns = self._tables.columns("tracking_clicks")
        if not columns.has("contact_id", "clicked_at"):
            return schema.empty_table()
        select = selects.plain(columns, schema)
        scope = (first, last, "clicked_at", since)
        return self._tables.recent("tracking_clicks", select, schema, *scope)

    def answers(self, first: int, last: int, since: str) -> pa.Table:
        """ANSWERS_SCHEMA: answered eligibility questions on or after the ISO date `since`."""
        schema = selects.ANSWERS_SCHEMA
        columns = self._tables.columns("contact_events")
        if not columns.has("contact_id", "event_type", "created_at"):
            return schema.empty_table()
        select = selects.answer_columns(columns)
        scope = (first, last, "created_at", since)
        where = f"event_type = '{ANSWERED}'"
        return self._tables.recent("contact_events", select, schema, *scope, where)

    def issues(self, first: int, last: int) -> pa.Table:
        """ISSUES_SCHEMA: contact_issues."""
        schema = selects.ISSUES_SCHEMA
        select = selects.plain(self._tables.columns("contact_issues"), schema)
        return self._tables.range("contact_issues", select, schema, first, last)

    # Of the whole organization

    def suppressions(self) -> pa.Table:
        """SUPPRESSIONS_SCHEMA, in the order of the table; addresses trimmed, in lower case."""
        if self._suppressions is None:  # each range asks for all of them
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

    def contact_ids(self) -> Ids:
        """The ids of all contacts, each once, in order."""
        # without ORDER BY SQLite reads them from the smallest index, if there is any
        sql = "SELECT id FROM contacts WHERE typeof(id) = 'integer'"
        rows = self._tables.read(sql, (), pa.schema({"id": pa.int64()}))
        ordered = pa.table({"id": np.sort(rows.column("id").to_numpy())})
        ids: Ids = distinct(ordered, "id").column("id").to_numpy()
        return ids

    def total_contacts(self) -> int:
        """The number of all rows of contacts."""
        return self._tables.number("SELECT count(*) FROM contacts")

    def campaign_types(self) -> list[Record]:
        """All rows of campaign_types as they are; a column missing there is missing here."""
        return self._tables.records("campaign_types")

    def campaign_instances(self) -> list[Record]:
        """All rows of campaign_instances as they are; a column missing there is missing here."""
        return self._tables.records("campaign_instances")

    def logged_events(self, events: Iterable[str]) -> set[str]:
        """Those of the events that are in campaign_change_log."""
        if not self._tables.columns("campaign_change_log").has("event_id"):
            return set()
        sql = "SELECT EXISTS (SELECT 1 FROM campaign_change_log WHERE event_id = ?)"
        return {event for event in events if self._tables.number(sql, event)}

    def next_instance_id(self) -> int:
        """The id that SQLite would give the next row of campaign_instances."""
        used = [0]
        if self._tables.columns("campaign_instances").has("id"):
            sql = "SELECT COALESCE(max(CAST(id AS INTEGER)), 0) FROM campaign_instances"
            used.append(self._tables.number(sql))
        if self._tables.columns("sqlite_sequence").table is not None:
            sql = "SELECT COALESCE(max(seq), 0) FROM sqlite_sequence WHERE lower(name) = ?"
            used.append(self._tables.number(sql, "campaign_instances"))
        if max(used) >= MAX_ID:
            raise DatabaseError("table campaign_instances: no id is left for another instance")
        return max(used) + 1

    def foreign_targets(self) -> tuple[list[tuple[int, int]], int]:
        """(id, contact_id) of at most FOREIGN_LIMIT targets without a contact, and their number."""
        columns = self._tables.columns("contact_campaigns")
        if not columns.has("id", "contact_id"):
            return [], 0
        rows = """FROM contact_campaigns AS target
            LEFT JOIN (SELECT id AS known FROM contacts WHERE typeof(id) = 'integer')
                ON known = target.contact_id
            WHERE known IS NULL"""
        schema = pa.schema({"id": pa.int64(), "contact_id": pa.int64()})
        select = f"COALESCE(CAST(id AS INTEGER), 0), {columns.integer('contact_id')}"
        sql = f"SELECT {select} {rows} ORDER BY id LIMIT {FOREIGN_LIMIT}"
        found = self._tables.read(sql, (), schema)
        pairs = zip(*(column.to_pylist() for column in found.columns), strict=True)
        return list(pairs), self._tables.number(f"SELECT count(*) {rows}")

    def has_legacy_rate_increases(self) -> bool:
        """Whether migration has rows of the replaced type to turn into targets."""
        columns = self._tables.columns("email_schedules")
        if not columns.has("contact_id"):
            return False
        rows = f"email_schedules {self._tables.by(OLDER_INDEX)} WHERE {selects.legacy(columns)}"
        return bool(self._tables.number(f"SELECT EXISTS (SELECT 1 FROM {rows})"))

    def last_config(self) -> str | None:
        """Return the configuration that the last run recorded, as JSON; None without one."""
        with map_errors(self._source.path):
            return last_config(self._source.connection)

    def last_run(self, at_least: int = 0) -> Record | None:
        """The latest row of scheduler_checkpoints, of runs over at least so many contacts."""
        columns = self._tables.columns("scheduler_checkpoints")
        where = f"WHERE {columns.integer('contacts_processed')} >= {at_least}" if at_least else ""
        if not columns.has("id"):
            return None
        rows = self._tables.records("scheduler_checkpoints", f"{where} ORDER BY id DESC LIMIT 1")
        return rows[0] if rows else None

    def standing(self, since: str) -> pa.Table:
        """STANDING_SCHEMA: committed and PRE_SCHEDULED rows from the ISO date on, counted by day.

        The type of a committed row is compared in lower case, that of a PRE_SCHEDULED one exactly.
        Old rate increases, which the migration turns into targets, do not stand.
        """
        schema = selects.STANDING_SCHEMA
        columns = self._tables.columns("email_schedules")
        if columns.table is None or not columns.has("scheduled_send_date"):
            return schema.empty_table()
        kind = columns.text("email_type")
        exact, lower = f"{kind} = 'effective_date'", f"lower({kind}) = 'effective_date'"
        # Nearly all rows are PRE_SCHEDULED. All of them can be counted within the index by status;
        # for their type the rows themselves are needed, faster in their own order than by index.
        scan = "NOT INDEXED" if columns.table.kind == "table" else ""
        scheduled, committed = selects.scheduled(columns), selects.committed(columns)
        if self.has_legacy_rate_increases():  # a look at the type costs the index its use
            scheduled = f"{scheduled} AND NOT ({selects.legacy(columns)})"
        by_committed = self._tables.by(COMMITTED_INDEX)
        parts = (
            (0, self._tables.by(STATUS_INDEX), scheduled, scan, f"{scheduled} AND {exact}"),
            (1, by_committed, committed, by_committed, f"{committed} AND {lower}"),
        )
        found: list[dict[str, str | int]] = []
        for whose, all_by, all_where, dated_by, dated_where in parts:
            dated = self._count_by_day(dated_by, dated_where, since)
            for day, count in self._count_by_day(all_by, all_where, since).items():
                for effective, number in ((0, count - dated[day]), (1, dated[day])):
                    row = (day, whose, effective, number)
                    if number:
                        found.append(dict(zip(schema.names, row, strict=True)))
        return pa.Table.from_pylist(found, schema)

    def _count_by_day(self, by: str, where: str, since: str) -> Counter[str]:
        columns = self._tables.columns("email_schedules")
        rows = self._tables.read(
            f"SELECT {columns.text('scheduled_send_date')}, count(*) FROM email_schedules {by} "
            f"WHERE {where} AND scheduled_send_date >= ? GROUP BY scheduled_send_date",
            (since,),
            pa.schema({"day": pa.string(), "count": pa.int64()}),
        )
        counts: Counter[str] = Counter()
        for row in rows.to_pylist():
            counts[row["day"]] += row["count"]
        return counts

    def committed_campaigns(self, since: str) -> pa.Table:
        """COMMITTED_CAMPAIGNS_SCHEMA: committed campaign rows on or after the ISO date."""
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
