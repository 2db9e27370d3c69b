"""Write campaign changes: the row, and one row of campaign_change_log for each field."""

from __future__ import annotations

from collections.abc import Mapping

import apsw

from almanac.database.catalog import quoted, scalar
from almanac.database.refused_rows import check_written
from almanac.errors import DatabaseError

_LOG = """
    INSERT INTO main.campaign_change_log (campaign_instance_id, field_changed, old_value,
        new_value, changed_at, changed_by, requires_rescheduling, event_id)
    SELECT ?1, ?2, {old}, ?3, ?4, ?5, 1, ?6 FROM main.campaign_instances WHERE id = ?1
"""


def write_change(
    connection: apsw.Connection,
    *,
    event_id: str,
    instance_id: int,
    changes: Mapping[str, str | None],
    changed_by: str | None,
    now: str,
) -> bool:
    """Change the columns of a campaign instance, inside the caller's transaction.

    Idempotent by event: return False if it is in the log already. Every field is logged with its
    old and new value, also an unchanged one; an event without fields is logged as one row without.
    Raises DatabaseError if there is no such instance, apsw.ConstraintError where a trigger ignores
    the change.
    """
    if is_logged(connection, event_id):
        return False
    row = "FROM main.campaign_instances WHERE id = ?"
    if not scalar(connection, f"SELECT count(*) {row}", instance_id):
        raise DatabaseError(f"campaign_instances: no instance {instance_id}")
    for field, new in sorted(changes.items()):
        connection.execute(
            _LOG.format(old=f"CAST({quoted(field)} AS TEXT)"),
            (instance_id, field, new, now, changed_by, event_id),
        )
        check_written(connection, 1)
        connection.execute(
            f"UPDATE main.campaign_instances SET {quoted(field)} = ?, updated_at = ? WHERE id = ?",
            (new, now, instance_id),
        )
        check_written(connection, 1)
    if not changes:
        connection.execute(
            _LOG.format(old="NULL"), (instance_id, None, None, now, changed_by, event_id)
        )
        check_written(connection, 1)
    return True


def write_type_change(
    connection: apsw.Connection,
    *,
    event_id: str,
    type_name: str,
    changes: Mapping[str, int],
    changed_by: str | None,
    now: str,
) -> bool:
    """Change the columns of a campaign type, inside the caller's transaction.

    Idempotent by event: return False if it is in the log already. The log has no column for a type:
    its rows have no instance, and their field is `campaign_types.<type>.<column>`. Raises
    apsw.ConstraintError where a trigger ignores the change.
    """
    if is_logged(connection, event_id):
        return False
    for field, new in sorted(changes.items()):
        column = quoted(field)
        connection.execute(
            f"""INSERT INTO main.campaign_change_log (campaign_instance_id, field_changed,
                old_value, new_value, changed_at, changed_by, requires_rescheduling, event_id)
            SELECT NULL, ?1, CAST({column} AS TEXT), ?2, ?3, ?4, 1, ?5
            FROM main.campaign_types WHERE name = ?6""",
            (f"campaign_types.{type_name}.{field}", new, now, changed_by, event_id, type_name),
        )
        check_written(connection, 1)
        connection.execute(
            f"UPDATE main.campaign_types SET {column} = ?, updated_at = ? WHERE name = ?",
            (new, now, type_name),
        )
        check_written(connection, 1)
    return True


def is_logged(connection: apsw.Connection, event_id: str) -> bool:
    """Return whether the event is in the log."""
    sql = "SELECT EXISTS (SELECT 1 FROM main.campaign_change_log WHERE event_id = ?)"
    return bool(scalar(connection, sql, event_id))
