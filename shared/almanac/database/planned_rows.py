"""The planned rows of a snapshot, read from pieces where these have them as the database does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.contact_ranges import ContactRange
from almanac.database.piece_parts import write_part
from almanac.database.planned_pieces import PieceIndex, PlannedPieces, write_pieces
from almanac.database.range_tables import PLANNED
from almanac.database.sources import Traffic
from almanac.database.tables import Tables
from almanac.errors import StorageError
from almanac.logs import get_log


class PlannedRows:
    """Reads PLANNED of a database. traffic: counts what is fetched of pieces."""

    def __init__(self, tables: Tables, traffic: Traffic) -> None:
        self._tables = tables
        self._traffic = traffic
        self._pieces: PlannedPieces | None = None
        self._parts: Path | None = None

    def read(self, contacts: ContactRange) -> pa.Table:
        """Return the rows of the contacts, by contact and then as the database has them."""
        rows = self._read(contacts)
        if self._parts is not None:
            try:
                write_part(self._parts, contacts, self.query, rows)
            except OSError as error:
                _warn_unkept(str(error))
                self._parts = None
        return rows

    def _read(self, contacts: ContactRange) -> pa.Table:
        pieces, kept = self._pieces, self._kept(contacts)
        if pieces is None or kept is None:
            return self._tables.read_range(PLANNED, contacts)
        others = pieces.not_kept(contacts)
        if len(others) == 0:
            return kept
        both = [kept, self._tables.read_of(PLANNED, others)]
        rows = pa.concat_tables(both).unify_dictionaries()
        ids = rows.column("contact_id").to_numpy()
        valid = np.ones(len(ids), np.bool_)
        valid[: kept.num_rows] = np.isin(ids[: kept.num_rows], others, invert=True)
        order = np.argsort(ids, kind="stable")
        return pc.take(rows, pa.array(order[valid[order]]))

    def read_from(self, pieces: PlannedPieces | None) -> None:
        """Read from pieces of this database from now on, None from the database alone.

        Pieces of another release, and such as turn out to be damaged, cost a warning in the log.
        """
        if pieces is not None and pieces.index.query != self.query:
            _warn("they were read in another way")
            pieces = None
        self._pieces = pieces

    def write_parts(self, folder: Path | None) -> None:
        """From now on write what is read to a folder, too, each range as a part of pieces."""
        self._parts = folder

    def keep(self, ranges: Sequence[ContactRange], out: IO[bytes]) -> PieceIndex:
        """Write the rows of all contacts as pieces: see `write_pieces`."""
        return write_pieces(self.query, ranges, self.read, out)

    @property
    def query(self) -> str:
        """Return what pieces have in common with the databases whose rows they can stand for."""
        query = "\n".join([*self._tables.queries_of_contacts(PLANNED), str(PLANNED.schema)])
        return hashlib.sha256(query.encode()).hexdigest()[:32]

    def _kept(self, contacts: ContactRange) -> pa.Table | None:
        if self._pieces is None:
            return None
        try:
            return self._pieces.read(contacts, self._traffic)
        except StorageError as error:
            _warn(str(error))
            self._pieces = None
            return None


def _warn_unkept(reason: str) -> None:
    get_log().warning("planned rows not kept in columns", reason=reason)


def _warn(reason: str) -> None:
    get_log().warning("planned rows are read from the database, not in columns", reason=reason)
