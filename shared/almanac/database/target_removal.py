"""Delete an instance of a campaign, or targets of one, in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass

import apsw
import numpy as np

from almanac.database.sql import civil_date, columns_of, trimmed
from almanac.frames import NO_DAY, Days, Ids, Mask

EPOCH = 2440587.5  # the Julian day of 1970-01-01

_LOG = """
    INSERT INTO main.campaign_change_log (campaign_instance_id, field_changed, old_value,
        new_value, changed_at, changed_by, requires_rescheduling, event_id)
    SELECT id, 'removed', campaign_type || '/' || instance_name, NULL, ?2, ?3, 1, ?4
    FROM main.campaign_instances WHERE id = ?1
"""


@dataclass(frozen=True)
class Targets:
    """The targets of an instance."""

    ids: Ids
    contacts: Ids
    sent: Mask
    days: Days  # trigger dates; NO_DAY without one


def targets(connection: apsw.Connection, instance: int, contacts: Ids | None = None) -> Targets:
    """Return the targets of an instance, or only those of some contacts, which an index leads to.

    Requires `campaigns.complete_tables`.
    """
    there = columns_of(connection, "contact_campaigns")
    date = civil_date(there.text("trigger_date"))
    sql = (
        f"SELECT id, {there.id_or_zero('contact_id')}, "
        f"lower({trimmed(there.text('status'))}) = 'sent', "
        f"CAST(COALESCE(julianday({date}) - {EPOCH}, {NO_DAY}) AS INTEGER) "
        "FROM main.contact_campaigns "
        f"WHERE {there.integer('campaign_instance_id')} = ?"
    )
    values: tuple[object, ...] = (instance,)
    if contacts is not None:
        sql += f" AND {there.key('contact_id')} IN (SELECT value FROM carray(?))"
        values = (instance, apsw.carray(np.ascontiguousarray(contacts, np.int64)))
    rows = connection.execute(sql, values).fetchall() if contacts is None or len(contacts) else []
    found = np.array(rows, np.int64).reshape(-1, 4).T
    return Targets(found[0], found[1], found[2].astype(np.bool_), found[3].astype(np.int32))


def remove(connection: apsw.Connection, ids: Ids) -> None:
    """Delete targets."""
    if len(ids) == 0:
        return  # SQLite takes no empty array
    connection.execute(
        "DELETE FROM main.contact_campaigns WHERE id IN (SELECT value FROM carray(?))",
        (apsw.carray(np.ascontiguousarray(ids, np.int64)),),
    )


def remove_instance(
    connection: apsw.Connection, instance: int, event_id: str, changed_by: str | None, now: str
) -> int:
    """Delete an instance and its targets, and log that; return the number of targets."""
    found = targets(connection, instance)
    remove(connection, found.ids)
    connection.execute(_LOG, (instance, now, changed_by, event_id))
    connection.execute("DELETE FROM main.campaign_instances WHERE id = ?", (instance,))
    return len(found.ids)
