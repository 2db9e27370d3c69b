"""Where an agency's database is: in a file, or in a store as an organization's version in force.

Whoever looks at one, or changes a few of its rows, need not know which of the two it is.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import apsw

from almanac.config import Config
from almanac.database.blocks import Blocks
from almanac.database.columnar import RowReader
from almanac.database.opening import map_errors, open_database, transaction
from almanac.database.ranged import ranged_source
from almanac.database.reading import Snapshot
from almanac.database.sources import Source, file_source
from almanac.errors import InputError, Superseded
from almanac.organizations.organizations import read_config
from almanac.organizations.recorded_config import recorded_config
from almanac.organizations.transfer import checked, publish_copy
from almanac.progress import Progress
from almanac.storage.store import ObjectStore
from almanac.storage.versions import Current, database_of, require_current

T = TypeVar("T")

Edit = Callable[[apsw.Connection], T]

EDIT_ATTEMPTS = 5  # at a change in a store where others publish versions meanwhile


class AgencyDatabase(Protocol):
    """An agency's database, wherever it is."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def config(self) -> Config:
        """Its configuration: the one that its next run would have by default."""
        ...

    def open(self, *, whole: bool = False, steady: bool = True) -> AbstractContextManager[Source]:
        """The database as it is at one moment, for reading; the context alone closes it.

        whole: rows all over it will be read, so that fetching pages one by one would not pay.
        Where it is not to be steady, each query is of its own moment: nobody who writes to a file
        has to wait while a long look lasts.

        Raises DatabaseError, DatabaseBusy, RequestError (no version yet), StorageError.
        """
        ...

    def edit(self, edit: Edit[T], word: str, now: dt.datetime, progress: Progress) -> T:
        """What `edit` gives, having changed the database in one transaction, or not at all.

        In a store the result is the next version, whose run id begins with `word`; where another
        version gets in force meanwhile, `edit` is called again with that one, EDIT_ATTEMPTS times.
        An edit that changes nothing makes no version. Raises as `open` does, and Superseded.
        """
        ...


@dataclass(frozen=True)
class FileDatabase:
    """A database in a file of its own, which other programs may hold open."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    def config(self) -> Config:
        """That which the file's last run recorded; else the defaults."""
        return self.recorded_config() or Config()

    def recorded_config(self) -> Config | None:
        """That which the file's last run recorded, if any. Raises as `open`, and ConfigError."""
        with self.open() as source:
            return recorded_config(Snapshot(source), self.name)

    @contextmanager
    def open(self, *, whole: bool = False, steady: bool = True) -> Iterator[Source]:
        connection = open_database(self.path, writable=False)
        try:
            with map_errors(self.path):
                if steady:
                    connection.execute("BEGIN")
                yield Source(self.path, connection, RowReader(self.path, connection), _nothing)
        finally:
            connection.close()

    def edit(self, edit: Edit[T], word: str, now: dt.datetime, progress: Progress) -> T:
        connection = open_database(self.path, writable=True)
        try:
            with transaction(connection, self.path):
                return edit(connection)
        finally:
            connection.close()


@dataclass(frozen=True)
class StoreDatabase:
    """The version in force of an organization in a store."""

    store: ObjectStore
    org: str

    @property
    def name(self) -> str:
        return f"organization {self.org}"

    def config(self) -> Config:
        return read_config(self.store, self.org)

    @contextmanager
    def open(self, *, whole: bool = False, steady: bool = True) -> Iterator[Source]:
        version = self.version()[0]
        with self._fetched(version) if whole else self.open_version(version) as source:
            yield source

    @contextmanager
    def open_version(self, version: Current) -> Iterator[Source]:
        """As `open`, of a version that is or was in force."""
        info = database_of(self.store, version)
        local = self.store.open_local(info.name)
        if local is not None:
            source = file_source(local)
        else:
            blocks = Blocks(
                info.name,
                info.size,
                lambda start, length: self.store.read_range(
                    info.name, info.generation, start, length
                ),
            )
            source = ranged_source(Path(info.name), blocks)
        try:
            yield replace(source, close=_nothing)
        finally:
            source.close()

    @contextmanager
    def _fetched(self, version: Current) -> Iterator[Source]:
        """The version's database as a local file."""
        info = database_of(self.store, version)
        with tempfile.TemporaryDirectory(prefix="almanac-") as folder:
            local = self.store.open_local(info.name)
            if local is None:
                local = Path(folder) / "fetched.sqlite3"
                self.store.fetch_file(info.name, local, info.generation)
            source = file_source(local)
            try:
                yield replace(source, close=_nothing)
            finally:
                source.close()

    def edit(self, edit: Edit[T], word: str, now: dt.datetime, progress: Progress) -> T:
        for _ in range(EDIT_ATTEMPTS):
            try:
                return self._edit_once(edit, word, now, progress)
            except Superseded as error:
                moved = error
        raise Superseded(
            f"{self.name}: other versions got in force during each of {EDIT_ATTEMPTS} attempts; "
            "nothing was changed"
        ) from moved

    def version(self) -> tuple[Current, int]:
        """Return the current version and the pointer's generation; RequestError without one."""
        return require_current(self.store, self.org)

    def _edit_once(self, edit: Edit[T], word: str, now: dt.datetime, progress: Progress) -> T:
        parent = self.version()
        info = database_of(self.store, parent[0])
        with tempfile.TemporaryDirectory(prefix="almanac-") as folder:
            copy = Path(folder) / "edited.sqlite3"
            progress("fetch", 0, 1)
            self.store.fetch_file(info.name, copy, info.generation)
            progress("fetch", 1, 1)
            before = _change_counter(copy)
            try:
                connection = open_database(copy, writable=True)
                try:
                    with transaction(connection, copy):
                        result = edit(connection)
                finally:
                    connection.close()
            except InputError as error:
                raise type(error)(str(error).replace(str(copy), self.name)) from error
            if _change_counter(copy) == before:
                return result
            as_of = now.astimezone(self.config().zone).date()
            census = checked(copy, self.name, as_of, progress)
            publish_copy(
                self.store,
                self.org,
                copy,
                word=word,
                parent=parent,
                census=census,
                now=now,
                progress=progress,
            )
        return result


def _change_counter(path: Path) -> bytes:
    """What SQLite counts up in the header of a file with each transaction that changes it.

    Rows of temporary tables do not count there, as they would in the connection's total.
    """
    with path.open("rb") as file:
        file.seek(24)
        return file.read(4)


def _nothing() -> None:
    """Closes nothing."""
