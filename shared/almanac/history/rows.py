"""A contact's rows of email_schedules, and what they were before a change set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from almanac.database.catalog import describe, raw_records
from almanac.database.change_sets.rows import DELETE, INSERT, StoredTable
from almanac.database.extract import of_contact
from almanac.database.indexes import indexed_by, planned_parts
from almanac.database.schema import COMMITTED, COMMITTED_INDEX
from almanac.database.sql import columns_of
from almanac.history.model import MessageChange, MessageState, What

TABLE = "email_schedules"
_NAMED = ("email_type", "campaign_instance_id", "event_year", "event_month", "event_day")
_STATE = ("scheduled_send_date", "status", "skip_reason")
COLUMNS = (*_NAMED, *_STATE)

Row = Mapping[str, Any]
Rows = dict[int, Row]  # by id


def rows_of(connection: apsw.Connection, contact: int) -> Rows:
    """Return the contact's rows, found by the indexes that a run creates where they are there."""
    table, columns = describe(connection, TABLE), columns_of(connection, TABLE)
    if table is None or not columns.has("id", "contact_id"):
        return {}
    mine = of_contact(columns).replace(":id", str(int(contact)))
    planned, committed = planned_parts(connection), indexed_by(connection, COMMITTED_INDEX)
    parts = [(committed, COMMITTED), *planned] if planned and committed else [("", "1")]
    found = [
        row
        for by, condition in parts
        for row in raw_records(connection, table, f"{by} WHERE {mine} AND {condition}")
    ]
    return {int(row["id"]): _chosen(row) for row in found if isinstance(row["id"], int)}


def rows_before(changes: bytes, table: StoredTable, later: Rows, contact: int) -> Rows:
    """Return what the contact's rows were before a change set; later: what they are after it.

    table: email_schedules, with `id` as its key. Of a row that changed, a change set has the id but
    not the contact, so the rows after it are needed. Raises UnicodeDecodeError where a text of the
    table is not valid.
    """
    if not _may_concern(changes, later, contact):
        return later
    earlier = dict(later)
    names = [name.lower() for name in table.recorded]
    key, owner = names.index("id"), names.index("contact_id")
    for change in apsw.Changeset.iter(changes):
        if change.name != table.name:
            continue
        values = (change.new if change.op == INSERT else change.old) or ()
        row_id: Any = values[key]
        if change.op == INSERT:
            earlier.pop(row_id, None)
        elif change.op == DELETE:
            if str(values[owner]) == str(contact):
                earlier[row_id] = _chosen(dict(zip(names, values, strict=False)))
        elif row_id in later:
            was = dict(zip(names, values, strict=False))
            kept = {name: value for name, value in was.items() if value is not apsw.no_change}
            earlier[row_id] = {**later[row_id], **_known(kept)}
    return earlier


def _may_concern(changes: bytes, later: Rows, contact: int) -> bool:
    """Return whether the bytes of the contact's id, or of one of its rows, are in a change set.

    The search takes a thousandth of the time of reading the changes one by one.
    """
    text = str(contact).encode()
    wanted = [b"\x03" + bytes([len(text)]) + text]
    wanted += [b"\x01" + each.to_bytes(8, "big", signed=True) for each in (contact, *later)]
    return any(each in changes for each in wanted)


def differences(earlier: Rows, later: Rows) -> list[MessageChange]:
    """Return what became of the messages, by day; other columns than COLUMNS are not looked at.

    A message that was removed and is there again under another id is one message.
    """
    gone = {_identity(row): key for key, row in earlier.items() if key not in later}
    found = []
    for key, after in later.items():
        own = key if key in earlier else gone.pop(_identity(after), None)
        before = earlier[own] if own is not None else None
        if change := _change(key, before, after):
            found.append(change)
    found += [each for key in gone.values() if (each := _change(key, earlier[key], None))]
    return sorted(found, key=_order)


def _change(key: int, before: Row | None, after: Row | None) -> MessageChange | None:
    there = after if after is not None else before
    if there is None or before == after:
        return None
    old, new = _state(before), _state(after)
    what = _what(old, new)
    instance = there["campaign_instance_id"]
    return what and MessageChange(
        what=what,
        id=key,
        email_type=str(there["email_type"] or ""),
        campaign_instance_id=instance if isinstance(instance, int) else None,
        event_date=_event_date(there),
        before=old,
        after=new,
    )


def _what(old: MessageState | None, new: MessageState | None) -> What | None:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    if old.status != new.status:
        return "status"
    if old.day != new.day:
        return "moved"
    return "reason" if old.reason != new.reason else None


def _state(row: Row | None) -> MessageState | None:
    if row is None:
        return None
    day, status, reason = (None if row[name] is None else str(row[name]) for name in _STATE)
    return MessageState(day=day, status=status, reason=reason)


def _event_date(row: Row) -> str | None:
    parts = [row[name] for name in _NAMED[2:]]
    if not all(isinstance(each, int) for each in parts):
        return None
    year, month, day = parts
    return f"{year:04}-{month:02}-{day:02}"


def _identity(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] or 0 for name in _NAMED)


def _order(change: MessageChange) -> tuple[str, str, int]:
    state = change.after or change.before
    return (state.day or "" if state else "", change.email_type, change.id)


def _chosen(row: Row) -> Row:
    return {name: row.get(name) for name in COLUMNS}


def _known(row: Row) -> Row:
    return {name: value for name, value in row.items() if name in COLUMNS}
