"""The planned rows of a file in columns, from one run of it to the next: see decision 0075."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from almanac.contact_ranges import ContactRange, covering
from almanac.database.columnar import ColumnarReader
from almanac.database.open_file import OpenFile
from almanac.database.opening import live_uri, map_errors
from almanac.database.piece_file import FileState
from almanac.database.piece_parts import joined_parts
from almanac.database.planned_pieces import PlannedPieces
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.errors import AlmanacError
from almanac.logs import get_log
from almanac.organizations.cache_folder import CacheFolder
from almanac.organizations.cached_rows import CachedRows
from almanac.organizations.carried_rows import CarriedRows
from almanac.organizations.live_snapshots import read_part
from almanac.processes import lost_workers
from almanac.runs.run_options import RunOptions
from almanac.runs.run_plan import RunPlan

_SHARE = 0.01  # of the contacts with other rows than the columns: with more, new ones are written


@dataclass
class FileColumns:
    """What a run reads in columns and keeps; without a cache, nothing.

    Where much has changed since the columns were written, the shards write what they read anyway:
    these are the next columns, but for the contacts whose rows the run then changes.
    """

    cache: CachedRows | None = None
    before: PlannedPieces | None = None  # those of the file as it is
    folder: Path = Path()  # of this run alone
    contacts: int = 0
    renewed: bool = False  # whether the shards write
    carried: CarriedRows = field(default_factory=CarriedRows, init=False)

    @property
    def cached(self) -> Path | None:
        """Return the file that shards read."""
        return self.cache.place.path if self.cache is not None and self.before is not None else None

    @property
    def parts(self) -> Path | None:
        """Return the folder to which shards write what they read."""
        return self.folder if self.renewed else None

    def take(self, plan: RunPlan, source: Path | Source) -> None:
        """Take the columns that hold until the commit. source: what was planned on."""
        self.carried.pieces = self.before
        if not self.renewed:
            return
        ranges = _covering(plan.shards)
        try:
            with Snapshot(source) as snapshot:
                snapshot.planned_rows.read_from(self.before)
                snapshot.planned_rows.write_parts(self.folder)
                for contacts in set(ranges).difference(plan.shards):
                    snapshot.planned_rows.read(contacts)
            self.carried.pieces = self._joined(ranges)
        except (AlmanacError, OSError) as error:
            get_log().warning("planned rows not kept in columns", reason=str(error))

    def keep(self, plan: RunPlan, file: OpenFile, pool: Executor | None) -> None:
        """Keep the columns of the file after the commit; read it where it has changed too much."""
        if self.cache is None:
            return
        pieces = self.carried.pieces
        if pieces is None and plan.of_all_contacts:
            try:
                self.cache.state(file)
                pieces = self._read(_covering(plan.shards), file, pool)
            except (AlmanacError, OSError) as error:
                self.cache.nothing(error)
        if pieces is not None:
            self.cache.keep(file, pieces, self.contacts)

    def _read(
        self, ranges: Sequence[ContactRange], file: OpenFile, pool: Executor | None
    ) -> PlannedPieces:
        """Read the planned rows of all contacts from the file as it is now."""
        with map_errors(file.path):
            if pool is None:
                rows = ColumnarReader(file.path, file.connection)
                snapshot = Snapshot(Source(file.path, file.connection, rows, lambda: None))
                snapshot.planned_rows.write_parts(self.folder)
                for contacts in ranges:
                    snapshot.planned_rows.read(contacts)
            else:
                # by all workers at once; they have nothing else to do by now
                asked = (file.path, live_uri(file.path))
                with lost_workers():
                    for done in [
                        pool.submit(read_part, *asked, contacts, self.folder) for contacts in ranges
                    ]:
                        done.result()
        return self._joined(ranges)

    def _joined(self, ranges: Sequence[ContactRange]) -> PlannedPieces:
        return joined_parts(self.folder, ranges, self.folder / "planned-rows")


def columns_of_file(
    place: CacheFolder, file: OpenFile, contacts: int, folder: Path, options: RunOptions
) -> FileColumns:
    """Return what the run of a file reads and keeps; folder: its own, in which one is made."""
    own = folder / "planned-rows"
    own.mkdir()
    cache = CachedRows(place)
    if options.adopt_scheduled:
        return FileColumns(cache, None, own, contacts)  # it is planned on a changed copy
    before = cache.current(file)
    renewed = before is None or len(before.changed) > contacts * _SHARE
    if before is None:
        # after the first run of a file nothing is as it was before
        state = FileState.of(file.path, file.connection)
        renewed = state is not None and state.run != ""
    if options.dry_run or options.scope is not None or options.changes:
        renewed = False
    return FileColumns(cache, before, own, contacts, renewed)


def _covering(shards: Sequence[ContactRange]) -> list[ContactRange]:
    """Return the adjoining ranges of shards, with those of all contacts before and after them."""
    starts = [*(shard.first for shard in shards), shards[-1].last + 1]
    return [each for each in covering(starts) if each.first <= each.last]
