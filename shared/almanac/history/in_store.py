"""A contact's history in a store, from the change sets of its versions.

Of the databases only the pages of the contact's own rows are read: of the latest version, and on
both sides of a gap.
"""

from __future__ import annotations

from functools import partial

import apsw

from almanac.database.change_sets.rows import StoredTable, stored_tables
from almanac.errors import RequestError
from almanac.history.model import ContactHistory, HistoryStep
from almanac.history.rows import TABLE, Rows, differences, rows_before, rows_of
from almanac.organizations.version_changes import VersionStep, read_version, steps_between
from almanac.progress import Progress
from almanac.storage.history import version_numbered
from almanac.storage.store import ObjectStore
from almanac.storage.versions import Manifest, require_current

_Read = tuple[StoredTable | None, Rows]


def history_in_store(
    store: ObjectStore, org: str, contact: int, first: int | None, progress: Progress
) -> ContactHistory:
    """Return what became of a contact's messages since version `first`, else as far as is kept.

    Raises RequestError (no such version; no row of the contact anywhere), NotFound, Corrupt.
    """
    steps = steps_between(store, org, first, None)
    tip = steps[-1].version if steps else _current(store, org)
    table, rows = _read(store, org, tip, contact)
    messages, found = len(rows), list[HistoryStep]()
    for number, step in enumerate(reversed(steps)):
        progress("versions", number, len(steps))
        later, gap = rows, step.gap
        if not gap and table is not None:
            try:
                rows = rows_before(store.read(step.change_set).data, table, later, contact)
            except UnicodeDecodeError:
                gap = "a text in it is not valid"
        elif not gap:
            gap = f"{TABLE} has no key id"
        if gap:
            table, rows = _read(store, org, step.before, contact)
        found.append(_step(step, gap, rows, later))
    progress("versions", len(steps), len(steps))
    if not messages and not any(each.changes for each in found):
        raise RequestError(
            f"organization {org}: no kept version has a message of contact {contact}"
        )
    return ContactHistory(
        database=f"organization {org}",
        contact_id=contact,
        messages=messages,
        first_messages=len(rows),
        first_version=steps[0].before.version if steps else tip.version,
        steps=found,
    )


def _step(step: VersionStep, gap: str, earlier: Rows, later: Rows) -> HistoryStep:
    return HistoryStep(
        by=step.version.run_id,
        at=step.version.created_at,
        version=step.version.version,
        before=step.before.version,
        gap=gap,
        changes=differences(earlier, later),
    )


def _read(store: ObjectStore, org: str, version: Manifest, contact: int) -> _Read:
    return read_version(store, org, version, partial(_table_and_rows, contact=contact))


def _table_and_rows(connection: apsw.Connection, contact: int) -> _Read:
    table = stored_tables(connection).get(TABLE)
    usable = table is not None and [name.lower() for name in table.key] == ["id"]
    rows = rows_of(connection, contact)
    return (table if usable and _has_owner(table) else None), rows


def _has_owner(table: StoredTable | None) -> bool:
    return table is not None and "contact_id" in map(str.lower, table.columns)


def _current(store: ObjectStore, org: str) -> Manifest:
    there = require_current(store, org)[0]
    return version_numbered(store, org, there, there.version)
