"""Edits whose result decides whether they are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import apsw

from almanac.campaigns.change_request import ChangeRequest
from almanac.database.undo.entries import WritingCommand
from almanac.organizations.agency_database import AgencyDatabase, Edit
from almanac.progress import Progress

T = TypeVar("T")


class _NotKept(Exception):
    """Ends the transaction without a change."""


def edit_if(
    agency: AgencyDatabase,
    kept: Callable[[T], bool],
    edit: Edit[T],
    command: WritingCommand,
    request: ChangeRequest,
    progress: Progress,
) -> T:
    """Edit the database, roll that back unless the result is `kept`, and return the result.

    Raise what `AgencyDatabase.edit` raises.
    """
    results: list[T] = []

    def tried(connection: apsw.Connection) -> T:
        result = edit(connection)
        results[:] = [result]  # the last attempt's
        if not kept(result):
            raise _NotKept
        return result

    try:
        return agency.edit(tried, command, request.now, progress, request.event_id)
    except _NotKept:
        return results[0]
