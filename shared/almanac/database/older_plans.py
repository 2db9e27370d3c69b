"""Rows of status `scheduled` that an older scheduler planned: they block their events.

No sender hands them out: they have no ideal date, and a run takes them for messages that a sender
has in hand (semantics: Rows of older schedulers).
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import EVERYONE, ContactRange
from almanac.database.contact_columns import contacts_of
from almanac.database.sql import Columns, civil_date, columns_of
from almanac.schedule_status import Status

_STATUSES = tuple(f"'{text}'" for text in (Status.SCHEDULED, "SCHEDULED", "Scheduled"))


def scheduled_by_others(columns: Columns, contacts: Columns) -> str:
    """Return the condition of such rows of known contacts, dated on or after the ISO date ?.

    columns: of email_schedules; contacts: of contacts.
    """
    if not columns.has("contact_id", "status", "scheduled_send_date"):
        return "? IS NULL"
    without_ideal = f"{columns.text('ideal_send_date')} = ''"
    date = civil_date(columns.text("scheduled_send_date"))
    known = f"contact_id IN (SELECT {contacts.raw('id')} FROM contacts)"
    if not contacts.is_rowid("id"):  # the types of the two columns may differ
        ids = f"SELECT known FROM {contacts.all_whole('id')}"
        known = f"{columns.whole('contact_id')} IN ({ids})"
    return f"status IN ({', '.join(_STATUSES)}) AND {without_ideal} AND {date} >= ? AND {known}"


def adopt_scheduled(
    connection: apsw.Connection,
    since: str,
    scope: Sequence[ContactRange] | None,
    settings: ContactColumns,
) -> int:
    """Make such rows dated on or after the ISO date planned rows; return their number.

    scope: only rows of these contacts. The run then removes them, as all planned rows of older
    schedulers, and plans their events. Inside the caller's transaction.
    """
    columns = columns_of(connection, "email_schedules")
    if columns.table is None or not columns.has("contact_id"):
        return 0
    theirs = scheduled_by_others(columns, contacts_of(connection, settings))
    ideal = ", ideal_send_date = NULL" if columns.has("ideal_send_date") else ""
    rows = 0
    for first, last in scope or [EVERYONE]:
        connection.execute(
            f"UPDATE main.email_schedules SET status = '{Status.PRE_SCHEDULED}'{ideal} "
            f"WHERE {theirs} AND {columns.key('contact_id')} BETWEEN ? AND ?",
            (since, first, last),
        )
        rows += connection.changes()
    return rows
