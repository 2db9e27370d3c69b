"""SQLite calls that fail: the n-th call into SQLite raises an error."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import apsw
import pytest

ERRORS: tuple[Callable[[], Exception], ...] = (
    lambda: apsw.CorruptError("database disk image is malformed"),
    lambda: apsw.SQLError("no such collation sequence: AGENCY"),
    lambda: apsw.BusyError("database is locked"),
    lambda: apsw.ConstraintError("CHECK constraint failed: status"),
    lambda: apsw.IOError("disk I/O error"),
    lambda: apsw.InvalidContextError("the connection is in use"),
)


class Calls:
    """Counts calls; the one with the given number fails."""

    def __init__(self, failing: int | None) -> None:
        self.failing = failing
        self.made = 0
        self.raised: Exception | None = None

    def make(self) -> None:
        """Count a call, and raise if it is the one that fails."""
        self.made += 1
        if self.made == self.failing:
            self.raised = ERRORS[self.made % len(ERRORS)]()
            raise self.raised


@contextmanager
def failing_sqlite(monkeypatch: pytest.MonkeyPatch, number: int | None) -> Iterator[Calls]:
    """Let the call of that number fail within the context; none if it is None.

    A call is a statement, a step to the next row, a backup, a connection.
    """
    calls = Calls(number)
    with monkeypatch.context() as patch:
        patch.setattr(apsw, "Connection", _failing_connection(calls))
        yield calls


def _failing_connection(calls: Calls) -> type[apsw.Connection]:
    class Cursor(apsw.Cursor):
        def execute(self, *arguments: Any, **named: Any) -> Any:
            if not str(arguments[0]).startswith("ROLLBACK"):
                calls.make()
            return super().execute(*arguments, **named)

        def executemany(self, *arguments: Any, **named: Any) -> Any:
            calls.make()
            return super().executemany(*arguments, **named)

        def __next__(self) -> Any:
            calls.make()
            return super().__next__()

        def fetchone(self) -> Any:
            calls.make()
            return super().fetchone()

        def fetchall(self) -> Any:
            calls.make()
            return super().fetchall()

    class Connection(apsw.Connection):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            calls.make()
            super().__init__(*arguments, **named)
            self.cursor_factory = Cursor

        def execute(self, *arguments: Any, **named: Any) -> Any:
            return self.cursor().execute(*arguments, **named)

        def executemany(self, *arguments: Any, **named: Any) -> Any:
            return self.cursor().executemany(*arguments, **named)

        def backup(self, *arguments: Any, **named: Any) -> Any:
            calls.make()
            return super().backup(*arguments, **named)

    return Connection


def sample(calls: int, every: int, first: int) -> Iterator[int]:
    """Return the numbers of calls to fail: every so many, from the first on."""
    return itertools.takewhile(lambda n: n <= calls, itertools.count(first, every))
