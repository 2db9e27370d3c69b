"""Planned rows in columns: what PLANNED reads of a database, kept in pieces by ranges of contacts.

A run's shards read them where the rows of a contact have not changed since, and the others from the
database. See docs/decisions/0075-planned-rows-in-columns.md.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import IO, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, model_validator

from almanac.contact_ranges import EVERYONE, ContactRange
from almanac.database.selects import PLANNED_SCHEMA
from almanac.database.sources import Traffic
from almanac.errors import Corrupt
from almanac.frames import Ids, Mask
from almanac.names import MIN_ID

PIECE_ROWS = 32_768  # at most, unless one contact has more
_ASCENDING = ("id", "contact_id")  # mostly
_REPLACEMENT = "\ufffd"  # readers of a database differ in how many they put for invalid bytes


class Piece(NamedTuple):
    """The rows of the contacts after the piece before, up to `last`. In JSON an array.

    size: in bytes; crc32: of them.
    """

    last: int
    size: int
    crc32: int


class PieceList(BaseModel):
    """Pieces of adjoining contacts. query: a digest of what read the rows; unkept: contacts whose
    rows could not be kept as they are."""

    model_config = ConfigDict(frozen=True)

    query: str
    rows: int
    unkept: list[int]
    pieces: list[Piece] = Field(min_length=1)


class PieceIndex(PieceList):
    """What pieces there are of all contacts."""

    @model_validator(mode="after")
    def _of_everyone(self) -> PieceIndex:
        lasts = [MIN_ID - 1, *(piece.last for piece in self.pieces)]
        if lasts[-1] != EVERYONE.last or any(one >= next_ for one, next_ in pairwise(lasts)):
            raise ValueError("its pieces are not of all contacts")
        return self

    def ranges(self) -> list[ContactRange]:
        """Return the contacts of each piece."""
        firsts = [EVERYONE.first, *(piece.last + 1 for piece in self.pieces)]
        pairs = zip(firsts, self.pieces, strict=False)
        return [ContactRange(first, piece.last) for first, piece in pairs]


class Fetch(Protocol):
    """Reads bytes [start, start + size) of the pieces, again if `check` raises Corrupt for them."""

    def __call__(self, start: int, size: int, check: Callable[[bytes], None]) -> bytes: ...


@dataclass(frozen=True)
class FileFetch:
    """Fetches from a file that begins with the pieces."""

    path: Path

    def __call__(self, start: int, size: int, check: Callable[[bytes], None]) -> bytes:
        """See `Fetch`. Raises Corrupt also if the file cannot be read."""
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                data = file.read(size)
        except OSError as error:
            raise Corrupt(f"{self.path}: cannot be read: {error.strerror}") from error
        check(data)
        return data


@dataclass(frozen=True)
class PlannedPieces:
    """Pieces that can be read. changed: the contacts whose rows in the database are others now."""

    index: PieceIndex
    fetch: Fetch
    changed: Ids = field(default_factory=lambda: np.empty(0, np.int64))

    def not_kept(self, contacts: ContactRange) -> Ids:
        """Return those of the contacts whose rows are in the database only, ascending."""
        first = np.searchsorted(self._not_kept, contacts.first)
        return self._not_kept[first : np.searchsorted(self._not_kept, contacts.last, "right")]

    def check(self) -> None:
        """Raise Corrupt unless all pieces are those that were written."""
        start = 0
        for piece in self.index.pieces:
            self.fetch(start, piece.size, partial(_check, [piece]))
            start += piece.size

    def read(self, contacts: ContactRange, traffic: Traffic) -> pa.Table:
        """Return the kept rows of the contacts, in PLANNED_SCHEMA; raise Corrupt."""
        lasts = [piece.last for piece in self.index.pieces]
        start = int(np.searchsorted(lasts, contacts.first))
        stop = int(np.searchsorted(lasts, contacts.last)) + 1
        pieces = self.index.pieces[start:stop]
        before = sum(piece.size for piece in self.index.pieces[:start])
        size = sum(piece.size for piece in pieces)
        data = self.fetch(before, size, partial(_check, pieces))
        traffic.requests += 1
        traffic.bytes += len(data)
        rows = pa.concat_tables(
            [_decoded(part) for part in _cut(pieces, data)]
        ).unify_dictionaries()
        ids = rows.column("contact_id").to_numpy()
        first = np.searchsorted(ids, contacts.first)
        return rows.slice(first, np.searchsorted(ids, contacts.last, "right") - first)

    @cached_property
    def _not_kept(self) -> Ids:
        return np.union1d(self.changed, np.array(self.index.unkept, np.int64))


def _cut(pieces: Sequence[Piece], data: bytes) -> Iterator[bytes]:
    ends = accumulate((piece.size for piece in pieces), initial=0)
    return (data[one:end] for one, end in pairwise(ends))


def _check(pieces: Sequence[Piece], data: bytes) -> None:
    if [zlib.crc32(part) for part in _cut(pieces, data)] != [piece.crc32 for piece in pieces]:
        raise Corrupt("the planned rows read are not those written")


class PieceWriter:
    """Writes rows as pieces, range by range of the contacts."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._pieces: list[Piece] = []
        self._unkept: list[int] = []
        self._rows = 0

    def add(self, rows: pa.Table, contacts: ContactRange) -> None:
        """Write all rows of the contacts, which are those after the range before."""
        if (odd := _odd(rows)).any():
            ids = pc.unique(rows.column("contact_id").filter(pa.array(odd)))
            self._unkept += ids.to_pylist()
            rows = rows.filter(pc.invert(pc.is_in(rows.column("contact_id"), ids)))
        for last, part in _parts(rows, contacts):
            data = _encoded(part)
            self._out.write(data)
            self._pieces.append(Piece(last, len(data), zlib.crc32(data)))
        self._rows += rows.num_rows

    def list(self, query: str) -> PieceList:
        """Return what was written."""
        return PieceList(query=query, rows=self._rows, unkept=self._unkept, pieces=self._pieces)


def write_pieces(
    query: str,
    ranges: Sequence[ContactRange],
    read: Callable[[ContactRange], pa.Table],
    out: IO[bytes],
) -> PieceIndex:
    """Write the rows of all contacts as pieces, and return their index.

    ranges: in order, of which one at a time is in memory; the gaps between them are read too.
    """
    writer = PieceWriter(out)
    for contacts in _all_of(ranges):
        writer.add(read(contacts), contacts)
    return joined_index([writer.list(query)])


def joined_index(lists: Sequence[PieceList]) -> PieceIndex:
    """Return the index of pieces that follow one another; raise Corrupt if it is none of all."""
    try:
        (query,) = {each.query for each in lists}
        return PieceIndex(
            query=query,
            rows=sum(each.rows for each in lists),
            unkept=[contact for each in lists for contact in each.unkept],
            pieces=[piece for each in lists for piece in each.pieces],
        )
    except ValueError as error:
        raise Corrupt(f"planned rows in columns do not fit together: {error}") from error


def _all_of(ranges: Sequence[ContactRange]) -> Iterator[ContactRange]:
    """Yield ranges of all contacts, each of which ends where a given one does."""
    first = EVERYONE.first
    for each in ranges[:-1]:
        yield ContactRange(first, each.last)
        first = each.last + 1
    yield ContactRange(first, EVERYONE.last)


def _parts(rows: pa.Table, contacts: ContactRange) -> Iterator[tuple[int, pa.Table]]:
    """Yield the rows in parts of about the same size, each with its last contact."""
    ids = rows.column("contact_id").to_numpy()
    count = -(-len(ids) // PIECE_ROWS)
    firsts = np.unique(ids[[len(ids) * n // count for n in range(1, count)]])
    ends = [*np.searchsorted(ids, firsts).tolist(), len(ids)]
    start = 0
    for last, end in zip([*(firsts - 1).tolist(), contacts.last], ends, strict=True):
        if end > start or last == contacts.last:
            yield last, rows.slice(start, end - start)
        start = end


def _odd(rows: pa.Table) -> Mask:
    """Return which rows have a text that was not valid."""
    odd: Mask = np.zeros(rows.num_rows, np.bool_)
    for column in rows.columns:
        texts, codes = column, None
        if pa.types.is_dictionary(column.type):
            array = column.combine_chunks()
            texts, codes = array.dictionary, array.indices.to_numpy()
        if pa.types.is_string(texts.type):
            found = pc.match_substring(texts, _REPLACEMENT).to_numpy(zero_copy_only=False)
            if found.any():
                odd |= found if codes is None else found[codes]
    return odd


def _encoded(rows: pa.Table) -> bytes:
    import pyarrow.parquet as pq  # most readers of a database need it not

    out = io.BytesIO()
    pq.write_table(
        rows,
        out,
        compression="lz4",  # a quarter more bytes than zstd, in half the time
        use_dictionary=[name for name in rows.schema.names if name not in _ASCENDING],
        column_encoding=dict.fromkeys(_ASCENDING, "DELTA_BINARY_PACKED"),
        write_statistics=False,
    )
    return out.getvalue()


def _decoded(data: bytes) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        rows = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    except pa.ArrowException as error:
        raise Corrupt(f"planned rows in columns cannot be read: {error}") from error
    if rows.schema != PLANNED_SCHEMA:
        raise Corrupt("planned rows in columns have other columns than this release reads")
    return rows
