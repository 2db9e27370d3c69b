"""An agency's database: a file, or the current version of an organization in a store.

A command that reads one, or changes a few of its rows, does not need to know which of the two.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import apsw

from almanac.config import Config
from almanac.database.backup import errors_naming
from almanac.database.blocks import Blocks
from almanac.database.columnar import ColumnarReader
from almanac.database.opening import map_errors, open_database, transaction
from almanac.database.ranged import ranged_source
from almanac.database.sources import Source, file_source
from almanac.database.undo.entries import WritingCommand
from almanac.errors import Superseded
from almanac.organizations.cache_folder import CacheFolder
from almanac.organizations.kept_days import days_to_keep
from almanac.organizations.organizations import read_config
from almanac.organizations.recorded_config import NamedConfig, named_recorded_config
from almanac.progress import Progress
from almanac.storage.block_checksums import VerifiedRanges
from almanac.storage.store import ObjectStore
from almanac.storage.versions import Current, Manifest, database_of, require_current
from almanac.workspaces import workspace

T = TypeVar("T")

Edit = Callable[[apsw.Connection], T]

EDIT_ATTEMPTS = 5  # at a change in a store while other processes publish versions


class AgencyDatabase(Protocol):
    """An agency's database, in a file or in a store."""

    @property
    def name(self) -> str:
        """Return what messages call it."""
        ...

    def config(self) -> Config:
        """Return the configuration that its next run has by default."""
        ...

    def open(self, *, whole: bool = False, steady: bool = True) -> AbstractContextManager[Source]:
        """Open the database for reading, in the state of one moment; the context closes it.

        whole: rows all over it will be read, so that it is fetched whole and not page by page.
        Unless it is steady, each query sees the state of its own moment, so that programs that
        write to a file do not wait for a long read.

        Raises DatabaseError, DatabaseBusy, RequestError (no version yet), StorageError.
        """
        ...

    def edit(
        self,
        edit: Edit[T],
        command: WritingCommand,
        now: dt.datetime,
        progress: Progress,
        event: str = "",
    ) -> T:
        """Change the database in one transaction, or not at all; return what `edit` returns.

        command: in a file, what can be undone. event: the id of the campaign change, if it is one.
        In a store this publishes the next version, whose run id begins with the command. If another
        version is published meanwhile, `edit` runs again on that one, at most EDIT_ATTEMPTS times.
        An edit that changes nothing publishes nothing. Raises as `open`, and Superseded.
        """
        ...


@dataclass(frozen=True)
class FileDatabase:
    """A database in a file, which other programs may have open."""

    path: Path
    busy_seconds: float = 5.0  # how long a reader waits for a lock
    cache: CacheFolder | None = None  # of its planned rows, which each edit keeps valid

    @property
    def name(self) -> str:
        return str(self.path)

    def config(self) -> Config:
        """Return the configuration that the file's last run recorded; else the defaults."""
        return self.recorded_config() or Config()

    def recorded_config(self) -> Config | None:
        """Return the recorded configuration, if any. Raises as `open`, and ConfigError."""
        found = self.named_recorded_config()
        return found.config if found else None

    def named_recorded_config(self) -> NamedConfig | None:
        """Return the recorded configuration, and the day of the last run; as `recorded_config`."""
        from almanac.database.reading import Snapshot  # of a store nothing is read this way

        with self.open() as source:
            return named_recorded_config(Snapshot(source), self.name)

    @contextmanager
    def open(self, *, whole: bool = False, steady: bool = True) -> Iterator[Source]:
        connection = open_database(self.path, writable=False, busy_seconds=self.busy_seconds)
        try:
            with map_errors(self.path):
                if steady:
                    connection.execute("BEGIN")
                yield Source(self.path, connection, ColumnarReader(self.path, connection), _nothing)
        finally:
            connection.close()

    def edit(
        self,
        edit: Edit[T],
        command: WritingCommand,
        now: dt.datetime,
        progress: Progress,
        event: str = "",
    ) -> T:
        from almanac.database.undo.record import undoable  # readers need it not

        def kept(connection: apsw.Connection) -> T:
            with undoable(connection, command, event=event):
                return edit(connection)

        return edit_file(self.path, kept, self.cache)


@dataclass(frozen=True)
class StoreDatabase:
    """The current version of an organization in a store."""

    store: ObjectStore
    org: str

    @property
    def name(self) -> str:
        return f"organization {self.org}"

    def config(self) -> Config:
        return read_config(self.store, self.org)

    @contextmanager
    def open(self, *, whole: bool = False, steady: bool = True) -> Iterator[Source]:
        with self.open_version(self.version()[0], whole=whole) as source:
            yield source

    @contextmanager
    def open_version(
        self, version: Current | Manifest, *, whole: bool = False, few: bool = False
    ) -> Iterator[Source]:
        """Open a version that is or was the current one, as `open`.

        few: so few pages will be read that a file, too, is verified by its blocks and not whole.
        """
        if whole:
            with self._fetched(version) as source:
                yield source
            return
        info = database_of(self.store, version)
        local = None if few else self.store.open_local(info.name)
        if local is not None:
            source = file_source(local)
        else:
            blocks = Blocks(info.name, info.size, VerifiedRanges(self.store, info).read)
            source = ranged_source(Path(info.name), blocks)
        try:
            yield replace(source, close=_nothing)
        finally:
            source.close()

    @contextmanager
    def _fetched(self, version: Current | Manifest) -> Iterator[Source]:
        """Fetch the version's database as a local file, and open that."""
        info = database_of(self.store, version)
        with workspace() as folder:
            local = self.store.open_local(info.name)
            if local is None:
                local = Path(folder) / "fetched.sqlite3"
                self.store.fetch_file(info.name, local, info.generation)
            with errors_naming(self.name, Path(folder)):
                source = file_source(local)
                try:
                    yield replace(source, close=_nothing)
                finally:
                    source.close()

    def edit(
        self,
        edit: Edit[T],
        command: WritingCommand,
        now: dt.datetime,
        progress: Progress,
        event: str = "",
    ) -> T:
        for _ in range(EDIT_ATTEMPTS):
            try:
                return self._edit_once(edit, command.word, now, progress)
            except Superseded as error:
                moved = error
        raise Superseded(
            f"{self.name}: other versions were published during each of {EDIT_ATTEMPTS} attempts; "
            "nothing was changed"
        ) from moved

    def version(self) -> tuple[Current, int]:
        """Return the current version and the pointer's generation; RequestError without one."""
        return require_current(self.store, self.org)

    def _edit_once(self, edit: Edit[T], word: str, now: dt.datetime, progress: Progress) -> T:
        # readers need them not
        from almanac.organizations.kept_columns import columns_of_parent
        from almanac.organizations.transfer import checked, publish_copy

        parent = self.version()
        info = database_of(self.store, parent[0])
        with workspace() as folder:
            copy = Path(folder) / "edited.sqlite3"
            progress("fetch", 0, 1)
            self.store.fetch_file(info.name, copy, info.generation)
            progress("fetch", 1, 1)
            before = _change_counter(copy)
            columns = columns_of_parent(self.store, parent[0].folder, copy)
            with errors_naming(self.name, copy):
                result = edit_file(copy, columns.noting(edit))
            if _change_counter(copy) == before:
                return result
            config = self.config()
            as_of = now.astimezone(config.zone).date()
            census = checked(copy, self.name, as_of, config.contacts, progress)
            with errors_naming(self.name, copy):
                days = days_to_keep(copy, as_of, config.contacts)
                columns.make()
            publish_copy(
                self.store,
                self.org,
                copy,
                word=word,
                parent=parent,
                census=census,
                days=days,
                files=columns.files(census.planned),
                now=now,
                progress=progress,
            )
        return result


def edit_file(path: Path, edit: Edit[T], cache: CacheFolder | None = None) -> T:
    """Change a file in one transaction, or not at all; see `AgencyDatabase.edit`."""
    connection = open_database(path, writable=True)
    try:
        if cache is not None:
            from almanac.organizations.cached_rows import edit_cached  # readers need it not

            return edit_cached(cache, connection, edit)
        with transaction(connection, path):
            return edit(connection)
    finally:
        connection.close()


def _change_counter(path: Path) -> bytes:
    """Return the counter in a file's header that each transaction that changes the file raises.

    Unlike the connection's total it does not count rows of temporary tables.
    """
    with path.open("rb") as file:
        file.seek(24)
        return file.read(4)


def _nothing() -> None:
    """Close nothing."""
