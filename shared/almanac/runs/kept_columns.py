"""The planned rows that a run's version has in columns, made from its parent's and what changed.

See docs/decisions/0075-planned-rows-in-columns.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import apsw
import numpy as np

from almanac.database.planned_pieces import PieceIndex
from almanac.database.reading import Snapshot
from almanac.errors import AlmanacError
from almanac.logs import get_log
from almanac.organizations.changed_snapshots import SnapshotChange
from almanac.organizations.kept_rows import kept_rows
from almanac.runs.carried_rows import CarriedRows
from almanac.runs.run_plan import RunPlan
from almanac.storage import layout
from almanac.storage.store import ObjectStore
from almanac.tracing import traced


@dataclass
class ColumnsOfRun:
    """Makes the columns of a run's version, or none: they cost a warning and no run.

    database: the file that the run changes; change: what was absorbed into it before.
    """

    store: ObjectStore
    plan: RunPlan
    database: Path
    change: SnapshotChange | None
    _carried: CarriedRows = field(default_factory=CarriedRows, init=False)
    _index: PieceIndex | None = field(default=None, init=False)

    def begin(self, connection: apsw.Connection) -> None:
        """Fetch the parent's columns, and note from now on whose rows the connection changes."""
        absorbed = np.empty(0, np.int64) if self.change is None else self.change.changed_contacts()
        snapshot = self.plan.snapshot
        if snapshot.planned is None or absorbed is None:
            return
        local = self.database.with_name("planned-rows-before")
        pieces = kept_rows(self.store, snapshot.folder, snapshot.planned, absorbed, local)
        self._carried.pieces = pieces
        self._carried.begin(connection, self.plan.total_contacts)

    def watch(self) -> None:
        """Give the parent's columns up if too much has changed; to be called during the write."""
        self._carried.watch()

    def end(self, *, migrated: bool) -> None:
        """Take what the connection has changed. migrated: the schema too, so that is not known."""
        self._carried.end(migrated=migrated)

    @traced("columns")
    def make(self) -> None:
        """Write the columns of the new database; safe beside other readers of the file."""
        ranges = self._carried.ranges(self.plan)
        if ranges is None:
            return
        try:
            with Snapshot(self.database) as snapshot, self._file.open("wb") as out:
                snapshot.planned_rows.read_from(self._carried.pieces)
                self._index = snapshot.planned_rows.keep(ranges, out)
        except (AlmanacError, OSError) as error:
            get_log().warning("planned rows not kept in columns", reason=str(error))

    def files(self, rows: int) -> dict[str, Path]:
        """Return the files of the new version, by name; rows: how many planned rows there are.

        If they are not so many, something has changed rows that was not noted.
        """
        index, carried = self._index, self._carried
        if index is not None and index.rows != rows and carried.pieces is not None:
            get_log().warning("planned rows not taken over", rows=rows, in_columns=index.rows)
            carried.pieces = self._index = None
            self.make()
        if self._index is None:
            return {}
        path = self.database.with_name(layout.PLANNED_INDEX)
        path.write_bytes(self._index.model_dump_json().encode())
        return {layout.PLANNED_PIECES: self._file, layout.PLANNED_INDEX: path}

    @property
    def _file(self) -> Path:
        return self.database.with_name(layout.PLANNED_PIECES)
