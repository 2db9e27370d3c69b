"""Open an agency's database file, and turn SQLite's errors into ours.

The file belongs to the user and may be in use: it is opened through one SQLite library only, and
nothing of ours stays beside it. Closing any other handle on it in this process (also of a plain
`open`) would drop the locks of this one, so even its header is read through SQLite.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from almanac.database.catalog import describe, scalar
from almanac.errors import DatabaseBusy, DatabaseError

MAGIC = b"SQLite format 3\x00"
HEADER_BYTES = 100
IMMUTABLE = "?immutable=1"  # at the end of a name: it is read without locks


@contextmanager
def map_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into a DatabaseError or DatabaseBusy that names the file."""
    try:
        yield
    except (apsw.BusyError, apsw.LockedError) as error:
        raise DatabaseBusy(f"{path}: locked by another program ({error}); try again") from error
    except apsw.NotADBError as error:
        raise DatabaseError(f"{path}: not an SQLite database, or encrypted ({error})") from error
    except apsw.CorruptError as error:
        raise DatabaseError(f"{path}: the database is damaged ({error})") from error
    except apsw.FullError as error:
        raise DatabaseError(f"{path}: no room left on the disk ({error})") from error
    except (apsw.ReadOnlyError, apsw.PermissionsError) as error:
        message = f"{path}: cannot be written ({error}); it and its folder must be writable"
        raise DatabaseError(message) from error
    except apsw.CantOpenError as error:
        message = f"{path}: SQLite cannot open it, or a file beside it ({error})"
        raise DatabaseError(message) from error
    except apsw.IOError as error:
        raise DatabaseError(f"{path}: reading or writing failed ({error})") from error
    except apsw.ConstraintError as error:
        raise DatabaseError(f"{path}: a constraint of the database forbids it ({error})") from error
    except apsw.Error as error:
        raise DatabaseError(f"{path}: {_in_words(error)}") from error


def _in_words(error: apsw.Error) -> str:
    """Return what SQLite says, with what to do about a collation that only another program has."""
    text = str(error)
    _, found, name = text.partition("no such collation sequence: ")
    if not found:
        return f"SQLite says: {text}"
    return (
        f"an index or a column uses the collation {name}, which only the program that created it "
        "has; drop that index, or create it without the collation"
    )


def open_database(path: Path, *, writable: bool, busy_seconds: float = 5.0) -> apsw.Connection:
    """Return a connection to an agency's existing database; the caller closes it.

    Raises DatabaseError if the file is no database, is damaged, has no usable `contacts` or, with
    `writable`, cannot be written; DatabaseBusy if it stays locked for `busy_seconds`.
    """
    _require_file(path)
    with map_errors(path):
        header = header_of(path)
    if not header.startswith(MAGIC):
        raise DatabaseError(
            f"{path}: not an SQLite database: it begins with {header[:16]!r}, not with {MAGIC!r}"
        )
    if writable:
        _require_writable(path)
    connection = connect(path, writable=writable, wal=is_wal(header), busy_seconds=busy_seconds)
    try:
        with map_errors(path):
            connection.execute("BEGIN")
            try:
                _require_readable(connection, path)
                _require_contacts(connection, path)
            finally:
                connection.execute("ROLLBACK")
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path, *, writable: bool, wal: bool, busy_seconds: float) -> apsw.Connection:
    """Return a connection that leaves no files behind; the file's contents are not checked."""
    beside = Path(f"{path.resolve()}-wal").exists()
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
    with map_errors(path):
        connection = apsw.Connection(uri_of(path, wal=wal), flags=flags)
        try:
            _configure(connection, writable=writable, beside=beside, busy_seconds=busy_seconds)
        except BaseException:
            connection.close()
            raise
    return connection


def _configure(
    connection: apsw.Connection, *, writable: bool, beside: bool, busy_seconds: float
) -> None:
    connection.set_busy_timeout(int(busy_seconds * 1000))
    if beside:
        # a log that existed before is left to the programs that use the database
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    for pragma in ("foreign_keys = OFF", "recursive_triggers = OFF", "temp_store = FILE"):
        connection.execute(f"PRAGMA {pragma}")
    if not writable:
        connection.execute("PRAGMA query_only = ON")


def uri_of(path: Path, *, wal: bool) -> str:
    """Return the name by which SQLite opens the file."""
    name, folder = path.resolve().as_uri(), path.resolve().parent
    beside = Path(f"{path.resolve()}-wal").exists()
    if wal and not beside and not all(_may(each, os.W_OK) for each in (path, folder)):
        # WAL mode needs two files beside it; where none can be created, nothing changes either
        name += IMMUTABLE
    return name


def live_uri(path: Path) -> str:
    """Return `uri_of` the file in its present mode."""
    with map_errors(path):
        return uri_of(path, wal=is_wal(header_of(path)))


def data_version(connection: apsw.Connection) -> int:
    """Return a number that changes when another connection of any process writes to the file."""
    return int(scalar(connection, "PRAGMA data_version"))


@contextmanager
def transaction(connection: apsw.Connection, path: Path) -> Iterator[None]:
    """Hold the write lock of the file from the start; commit at the end, or change nothing.

    What SQLite raises within the context or at the commit is mapped as by `map_errors`.
    """
    with map_errors(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection, path)
            raise


def _roll_back(connection: apsw.Connection, path: Path) -> None:
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        # after a failed write (a full disk) a read applies the journal that is left beside the file
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except apsw.Error as error:
        raise DatabaseError(
            f"{path}: the change could not be undone yet ({error}); the journal beside the file "
            f"undoes it when the file is next opened: keep the two together"
        ) from error


def quick_check(path: Path) -> None:
    """Raise DatabaseError with SQLite's own words if the file is damaged."""
    _require_file(path)
    with map_errors(path):
        wal = is_wal(header_of(path))
    connection = connect(path, writable=False, wal=wal, busy_seconds=5.0)
    try:
        with map_errors(path):
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(10)")]
    finally:
        connection.close()
    if found != ["ok"]:
        words = "; ".join(" ".join(line.split()) for line in found)
        raise DatabaseError(f"{path}: the database is damaged: {words}")


def _require_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise DatabaseError(f"{path}: a folder; expected an SQLite database file")
        if not path.exists():
            raise DatabaseError(f"{path}: no such file; expected an SQLite database")
        size = path.stat().st_size
    except OSError as error:
        raise DatabaseError(f"{path}: cannot be inspected ({error.strerror})") from error
    if size == 0:
        raise DatabaseError(f"{path}: the file is empty; expected an SQLite database")
    if not _may(path, os.R_OK):
        raise DatabaseError(f"{path}: the file cannot be read by this user; it must be readable")


def header_of(path: Path) -> bytes:
    """Return the first HEADER_BYTES bytes of the file, padded with zero bytes."""
    flags = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY
    file = apsw.VFSFile("", str(path.resolve()), [flags, 0])
    try:
        return file.xRead(min(HEADER_BYTES, file.xFileSize()), 0).ljust(HEADER_BYTES, b"\x00")
    finally:
        file.xClose()


def is_wal(header: bytes) -> bool:
    """Return whether the file with this header is in WAL mode."""
    return header[18] == 2


def _may(path: Path, access: int) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(path, access, effective_ids=effective)


def _require_writable(path: Path) -> None:
    folder = path.resolve().parent
    if not _may(path, os.W_OK):
        raise DatabaseError(f"{path}: the file is read-only; it is to be written to")
    if not _may(folder, os.W_OK):
        raise DatabaseError(
            f"{path}: its folder {folder} is read-only; SQLite needs to write a journal there"
        )


def _require_readable(connection: apsw.Connection, path: Path) -> None:
    """Take the read lock; DatabaseError for a truncated file, CorruptError for other damage."""
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except apsw.CorruptError:
        header = header_of(path)
        size = path.stat().st_size
        expected = int.from_bytes(header[28:32], "big") * _page_size(header)
        if size < expected:
            raise DatabaseError(_truncated(path, size, expected)) from None
        raise
    log = Path(f"{path.resolve()}-wal")
    if log.exists() and log.stat().st_size:
        return  # the last pages may be only in the log
    expected = scalar(connection, "PRAGMA page_count") * scalar(connection, "PRAGMA page_size")
    size = path.stat().st_size
    if size < expected:
        raise DatabaseError(_truncated(path, size, expected))


def _page_size(header: bytes) -> int:
    size = int.from_bytes(header[16:18], "big")
    return 65536 if size == 1 else size


def _truncated(path: Path, size: int, expected: int) -> str:
    return f"{path}: the file is truncated: {size} bytes, its header says {expected}"


def _require_contacts(connection: apsw.Connection, path: Path) -> None:
    contacts = describe(connection, "contacts")
    if contacts is None:
        raise DatabaseError(f"{path}: no table contacts; expected one with the columns id, email")
    if contacts.kind != "table":
        raise DatabaseError(f"{path}: contacts is a {contacts.kind}; expected a table")
