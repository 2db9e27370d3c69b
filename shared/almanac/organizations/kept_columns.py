"""The planned rows that a new version has in columns, made from its parent's and what changed.

See docs/decisions/0075-planned-rows-in-columns.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import apsw
import numpy as np

from almanac.contact_ranges import ContactRange
from almanac.database.planned_pieces import PieceIndex
from almanac.database.reading import Snapshot
from almanac.errors import AlmanacError
from almanac.frames import Ids
from almanac.logs import get_log
from almanac.organizations.carried_rows import CarriedRows
from almanac.organizations.kept_rows import kept_rows, kept_rows_of
from almanac.organizations.organizations import census_of
from almanac.storage import layout
from almanac.storage.store import ObjectStore
from almanac.storage.versions import Content, manifest_of
from almanac.tracing import traced

T = TypeVar("T")


@dataclass
class KeptColumns:
    """Makes the columns of a new version, or none: they cost a warning and nothing else.

    database: the file that is changed. parent, index: the folder of its version, and what that
    says of its planned rows, None for nothing. contacts: how many there are. shards: ranges of
    all of them, if the whole table may be read. absorbed: contacts whose rows have changed before,
    None if that is not known.
    """

    store: ObjectStore
    database: Path
    parent: str
    index: Content | None
    contacts: int
    shards: Sequence[ContactRange] | None = None
    absorbed: Ids | None = field(default_factory=lambda: np.empty(0, np.int64))
    _carried: CarriedRows = field(default_factory=CarriedRows, init=False)
    _made: PieceIndex | None = field(default=None, init=False)

    def begin(self, connection: apsw.Connection) -> None:
        """Fetch the parent's columns, and note from now on whose rows the connection changes."""
        if self.index is None or self.absorbed is None:
            return
        self._carried.pieces = kept_rows(
            self.store, self.parent, self.index, self.absorbed, self._before
        )
        self._carried.begin(connection, self.contacts)

    def noting(self, change: Callable[[apsw.Connection], T]) -> Callable[[apsw.Connection], T]:
        """Return a change of the database from whose beginning to its end this notes."""

        def noted(connection: apsw.Connection) -> T:
            self.begin(connection)
            result = change(connection)
            self.end(connection)
            return result

        return noted

    def watch(self) -> None:
        """Give the parent's columns up if too much has changed; to be called during the write."""
        self._carried.watch()

    def end(self, connection: apsw.Connection) -> None:
        """Take what the connection has changed."""
        self._carried.end(connection)

    @traced("columns")
    def make(self) -> None:
        """Write the columns of the new database; safe beside other readers of the file."""
        pieces, ranges = self._carried.pieces, self._carried.ranges(self.shards)
        if ranges is None:
            return
        if pieces is not None and len(pieces.changed) == 0:
            self._made = pieces.index
            self._before.replace(self._file)
            return
        try:
            with Snapshot(self.database) as snapshot, self._file.open("wb") as out:
                snapshot.planned_rows.read_from(pieces)
                self._made = snapshot.planned_rows.keep(ranges, out)
        except (AlmanacError, OSError) as error:
            get_log().warning("planned rows not kept in columns", reason=str(error))

    def files(self, rows: int) -> dict[str, Path]:
        """Return the files of the new version, by name; rows: how many planned rows there are.

        If they are not so many, something has changed rows that was not noted.
        """
        made, carried = self._made, self._carried
        if made is not None and made.rows != rows and carried.pieces is not None:
            get_log().warning("planned rows not taken over", rows=rows, in_columns=made.rows)
            carried.pieces = self._made = None
            self.make()
        if self._made is None:
            return {}
        path = self.database.with_name(layout.PLANNED_INDEX)
        path.write_bytes(self._made.model_dump_json().encode())
        return {layout.PLANNED_PIECES: self._file, layout.PLANNED_INDEX: path}

    @property
    def _before(self) -> Path:
        return self.database.with_name("planned-rows-before")

    @property
    def _file(self) -> Path:
        return self.database.with_name(layout.PLANNED_PIECES)


def columns_of_parent(store: ObjectStore, parent: str, database: Path) -> KeptColumns:
    """Return the columns of a version that a command makes of its parent's database."""
    manifest = manifest_of(store, parent)
    census = census_of(manifest) if manifest is not None else None
    index = kept_rows_of(manifest) if manifest is not None else None
    return KeptColumns(store, database, parent, index, census.contacts if census else 0)
