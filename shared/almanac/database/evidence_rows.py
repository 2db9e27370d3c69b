"""The rows of one campaign instance, for evidence: each contact's as one JSON line.

SQLite makes the lines, so that memory does not grow with the campaign.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import apsw

from almanac.database.catalog import Record, as_text, describe, raw_records, scalar
from almanac.database.sql import Columns, columns_of

_LINES = 1000  # at a time
_MESSAGE = (
    *("email_type", "scheduled_send_date", "ideal_send_date", "status", "skip_reason"),
    *("email_template", "sms_template", "scheduler_run_id", "actual_send_datetime"),
)
_TARGET = ("trigger_date", "status", "created_at", "updated_at")
_MARK = ("status", "at", "detail")
_COUNTED = ("email_type", "status", "skip_reason")


@dataclass(frozen=True)
class CampaignRows:
    """The rows of an instance. days: of the messages, both ends included; None for all."""

    connection: apsw.Connection
    instance: int
    days: tuple[dt.date, dt.date] | None

    def lines(self) -> Iterator[bytes]:
        """Yield JSON lines, one for each contact, by its id."""
        entries = " UNION ALL ".join(filter(None, (self._targets(), self._messages())))
        if not entries:
            return
        encoding = str(scalar(self.connection, "PRAGMA encoding"))
        found = self.connection.execute(
            f"WITH entry (contact, is_message, id, what) AS ({entries}) "
            "SELECT CAST(json_object('contact_id', contact, "
            f"'targets', {_collected('NOT is_message')}, "
            f"'messages', {_collected('is_message')}) AS BLOB) "
            "FROM entry GROUP BY contact ORDER BY contact",
            self._values(),
        )
        while rows := list(islice(found, _LINES)):
            yield "".join(f"{as_text(line, encoding)}\n" for (line,) in rows).encode()

    def counts(self) -> list[tuple[str, str, str, int]]:
        """Return the number of messages by type, status and skip reason."""
        columns = columns_of(self.connection, "email_schedules")
        where = self._where(columns)
        if where is None:
            return []
        encoding = str(scalar(self.connection, "PRAGMA encoding"))
        texts = ", ".join(f"CAST({columns.text(name)} AS BLOB)" for name in _COUNTED)
        found = self.connection.execute(
            f"SELECT {texts}, count(*) FROM {columns.source} WHERE {where} "
            "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            self._values(),
        )
        return [(*(as_text(cell, encoding) for cell in cells), count) for *cells, count in found]

    def run_ids(self) -> list[str]:
        """Return the ids of the runs that wrote the messages."""
        columns = columns_of(self.connection, "email_schedules")
        where = self._where(columns)
        if where is None:
            return []
        encoding = str(scalar(self.connection, "PRAGMA encoding"))
        run = f"CAST({columns.text('scheduler_run_id')} AS BLOB)"
        found = self.connection.execute(
            f"SELECT DISTINCT {run} FROM {columns.source} WHERE {where}", self._values()
        )
        return sorted(as_text(cell, encoding) for (cell,) in found)

    def changes(self) -> list[Record]:
        """Return the instance's rows of campaign_change_log."""
        table = describe(self.connection, "campaign_change_log")
        if table is None or "campaign_instance_id" not in table.columns:
            return []
        tail = f"WHERE campaign_instance_id = {self.instance} ORDER BY rowid"
        return raw_records(self.connection, table, tail)

    def _values(self) -> dict[str, Any]:
        first, last = self.days or (dt.date.min, dt.date.max)
        return {"instance": self.instance, "first": str(first), "last": str(last)}

    def _where(self, columns: Columns) -> str | None:
        if not columns.has("contact_id", "campaign_instance_id"):
            return None
        where = f"{columns.whole('campaign_instance_id')} = :instance"
        day = f"substr({columns.text('scheduled_send_date')}, 1, 10)"
        return f"{where} AND {day} BETWEEN :first AND :last" if self.days else where

    def _messages(self) -> str | None:
        columns = replace(columns_of(self.connection, "email_schedules"), alias="message")
        where = self._where(columns)
        if where is None:
            return None
        row = columns.row_id()
        fields = ["'row'", row, *_fields(columns, _MESSAGE), "'marks'", self._marks(row)]
        what = f"json_object({', '.join(fields)})"
        return (
            f"SELECT {columns.whole('contact_id')}, 1, {row}, {what} "
            f"FROM {columns.source} AS message WHERE {where}"
        )

    def _marks(self, row: str) -> str:
        """Return SQL of the marks of a row, the oldest first."""
        columns = replace(columns_of(self.connection, "message_deliveries"), alias="mark")
        if not columns.has("id", "schedule_id", *_MARK):
            return "json('[]')"
        mark = f"json_object({', '.join(_fields(columns, _MARK))})"
        return (
            f"json((SELECT json_group_array({mark} ORDER BY mark.id) FROM {columns.source} AS mark "
            f"WHERE mark.schedule_id = {row}))"
        )

    def _targets(self) -> str | None:
        columns = columns_of(self.connection, "contact_campaigns")
        if not columns.has("contact_id", "campaign_instance_id"):
            return None
        what = f"json_object({', '.join(_fields(columns, _TARGET))})"
        return (
            f"SELECT {columns.whole('contact_id')}, 0, {columns.row_id()}, {what} "
            f"FROM {columns.source} WHERE {columns.whole('campaign_instance_id')} = :instance"
        )


def _fields(columns: Columns, names: tuple[str, ...]) -> list[str]:
    """Return SQL of names and texts for json_object; null for none."""
    return [part for name in names for part in (f"'{name}'", f"NULLIF({columns.text(name)}, '')")]


def _collected(condition: str) -> str:
    return f"json(json_group_array(json(what) ORDER BY id) FILTER (WHERE {condition}))"
