"""Delete an instance of a campaign, or targets of one, in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass

import apsw
import numpy as np

from almanac.database.sql import columns_of, trimmed
from almanac.frames import Ids, Mask

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


def targets(connection: apsw.Connection, instance: int) -> Targets:
    """Return the targets of an instance. Requires `campaigns.complete_tables`."""
    there = columns_of(connection, "contact_campaigns")
    sql = (
        f"SELECT id, {there.id_or_zero('contact_id')}, "
        f"lower({trimmed(there.text('status'))}) = 'sent' FROM main.contact_campaigns "
        f"WHERE {there.integer('campaign_instance_id')} = ?"
    )
    rows = connection.execute(sql, (instance,)).fetchall()
    found = np.array(rows, np.int64).reshape(-1, 3).T
    return Targets(found[0], found[1], found[2].astype(np.bool_))


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
