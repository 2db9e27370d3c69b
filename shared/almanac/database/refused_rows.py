"""Rows that constraints, strict types or triggers of the agency's tables refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import apsw

T = TypeVar("T")
REFUSALS = (apsw.ConstraintError, apsw.MismatchError)


class RowsRefused(apsw.ConstraintError):
    """Some of the rows that were to be written are refused, and not all others are written.

    errors: by the id of the row.
    """

    def __init__(self, errors: Mapping[int, apsw.Error]) -> None:
        super().__init__(str(next(iter(errors.values()))))
        self.errors = errors


def write_rows(
    connection: apsw.Connection,
    rows: Sequence[tuple[int, T]],
    write_all: Callable[[Iterable[T]], object],
    write_one: Callable[[T], object] | None = None,
) -> None:
    """Write rows, each with an id, at once; if the database refuses that, one after the other.

    So what a refusal costs does not grow with the number of those that are refused. Raises
    RowsRefused if any is: the caller is to undo what is written.
    """
    try:
        with connection:
            write_all(item for _, item in rows)
        return
    except REFUSALS:
        if not rows:
            raise
    refused: dict[int, apsw.Error] = {}
    for row_id, item in rows:
        try:
            if write_one is not None:
                write_one(item)
            else:
                write_all([item])
        except REFUSALS as error:
            refused.setdefault(row_id, error)
    if refused:
        raise RowsRefused(refused)


def check_written(connection: apsw.Connection, rows: int) -> None:
    """Raise apsw.ConstraintError if the last statement has written fewer rows."""
    if connection.changes() < rows:
        raise apsw.ConstraintError("a trigger leaves the row as it is")
