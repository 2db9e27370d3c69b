"""Consistent copies of an agency's database file, also while other programs write to it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import apsw

from almanac.database.catalog import scalar
from almanac.database.opening import map_errors, open_database, quick_check
from almanac.errors import AlmanacError, DatabaseError, StorageError
from almanac.outputs import is_full
from almanac.tracing import traced

STEP_PAGES = 8192
RESTARTS = 2

Pages = Callable[[int, int], None]  # pages copied, pages in all


def backup_file(path: Path, target: Path, progress: Pages | None = None) -> None:
    """Write a consistent copy of the agency's database at `path` to the new file `target`.

    Raises as `open_database` and `backup`.
    """
    connection = open_database(path, writable=False)
    try:
        backup(connection, target, progress)
    finally:
        connection.close()


@traced("snapshot")
def backup(
    connection: apsw.Connection,
    target: Path,
    progress: Pages | None = None,
) -> None:
    """Write a consistent copy of the connection's database to the new file `target`.

    Other programs may write meanwhile: in WAL mode the copy shows the moment at which it began;
    otherwise it starts again after each write, and from the restart number RESTARTS on it blocks
    writers until it is complete. The copy is never in WAL mode. On any error there is no copy.
    """
    if target.exists():
        raise DatabaseError(f"{target}: exists already; a copy is written to a new file")
    path = Path(connection.filename)
    check_filled(path)
    try:
        with map_errors(target):
            copy = apsw.Connection(str(target))
        try:
            with map_errors(target):
                copy.execute("PRAGMA synchronous = OFF")
            with map_errors(path):
                try:
                    _copy_pages(connection, copy, progress)
                except (apsw.FullError, apsw.IOError) as error:
                    # SQLite does not say which of the two files failed; usually it is the new one
                    raise DatabaseError(f"{target}: copying {path} failed ({error})") from error
            with map_errors(target):
                copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
    except BaseException:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(f"{target}{suffix}").unlink(missing_ok=True)
        raise


@contextmanager
def errors_naming(
    name: str, place: Path, *, needs: str = "a private copy and what is planned"
) -> Iterator[None]:
    """Let errors about a private copy name the database that it is a copy of.

    place: the copy, or the folder that it is in; needs: what is in that folder, in words. What
    SQLite raises is mapped as by `map_errors`.
    """
    try:
        with map_errors(place):
            yield
    except AlmanacError as error:
        if is_full(error.__cause__) and (
            isinstance(error, StorageError) or str(place) in str(error)
        ):
            # the database is on another disk, or needs no more room itself
            where = f"no room left in {tempfile.gettempdir()} for {needs}"
            error.args = (f"{name}: {where}; the variable TMPDIR takes another folder",)
            raise
        # the copy is about to be deleted, and what is wrong with it is wrong with the database
        text = re.sub(re.escape(str(place)) + r"(/[^:\s]*)?", lambda _: name, str(error))
        error.args = (text,)
        raise


def check_filled(path: Path) -> None:
    """Check a file most of which occupies no disk space: its header may claim what is not there.

    Raises DatabaseError if it is damaged.
    """
    status = path.stat()
    if status.st_blocks * 512 < status.st_size // 2:
        quick_check(path)


def _copy_pages(source: apsw.Connection, copy: apsw.Connection, progress: Pages | None) -> None:
    with ExitStack() as stack:
        if scalar(source, "PRAGMA journal_mode") == "wal":
            stack.enter_context(_reading(source))
        job = copy.backup("main", source, "main")
        stack.callback(job.finish)
        restarts = 0
        expected: int | None = None
        while not job.step(STEP_PAGES):
            if progress is not None:
                progress(job.page_count - job.remaining, job.page_count)
            if expected is not None and job.remaining > expected:
                restarts += 1
                if restarts == RESTARTS:
                    stack.enter_context(_reading(source))
            expected = job.remaining - STEP_PAGES
        if progress is not None:
            progress(job.page_count, job.page_count)


@contextmanager
def _reading(connection: apsw.Connection) -> Iterator[None]:
    """Hold the read lock within the context."""
    connection.execute("BEGIN")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        yield
    finally:
        connection.execute("ROLLBACK")
