"""Write many entries at once, so that what the database refuses costs the wrong ones alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import apsw

from almanac.database.refused_rows import REFUSALS
from almanac.database.triggers import rollback_in_words
from almanac.errors import DatabaseError
from almanac.intake.applied import Applied

Item = TypeVar("Item")


def in_parts(
    connection: apsw.Connection, items: Sequence[Item], write: Callable[[Sequence[Item]], Applied]
) -> tuple[list[Applied], list[tuple[Item, str]]]:
    """Write all items at once; where the database refuses, in halves until wrong ones are alone.

    Each part is written in a savepoint, in the order of the items. Return what became of the
    parts that are written, and the items that are not, with the reason.
    """
    try:
        with connection:
            return [write(items)], []
    except REFUSALS as error:
        if len(items) == 1:
            return [], [(items[0], refusal(connection, error))]
    half = len(items) // 2
    done, refused = in_parts(connection, items[:half], write)
    more, also_refused = in_parts(connection, items[half:], write)
    return done + more, refused + also_refused


def refusal(connection: apsw.Connection, error: apsw.Error) -> str:
    """Return the reason why an entry is refused that the database does not take.

    Raises as `check_transaction`.
    """
    check_transaction(connection, error)
    return f"the database refuses it: {error}"


def check_transaction(connection: apsw.Connection, error: Exception) -> None:
    """Raise DatabaseError if the error has ended the transaction: all in it is undone."""
    if not connection.in_transaction:
        raise DatabaseError(rollback_in_words(connection)) from error
