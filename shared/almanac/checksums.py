"""Checksums of rows that do not depend on how the rows were cut into shards.

A row's checksum mixes its columns; a table's is the sum of its rows' modulo 2^64, so that shards
add theirs up in any order, and a row that goes or comes is subtracted or added.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]  # unsigned 64-bit

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_ODD = np.uint64(0x100000001B3)


def splitmix64(z: Hashes) -> Hashes:
    """Sebastiano Vigna's splitmix64 of each number, modulo 2^64."""
    with np.errstate(over="ignore"):
        z = z + _GAMMA
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        return z ^ (z >> np.uint64(31))


def row_checksums(size: int, *columns: npt.NDArray[np.generic] | Hashes) -> Hashes:
    """One number for each row, from columns of integers or of `text_checksums`."""
    mixed = np.zeros(size, np.uint64)
    for column in columns:
        mixed = splitmix64(mixed ^ column.astype(np.int64, copy=False).view(np.uint64))
    return mixed


def table_checksum(rows: Hashes) -> int:
    """The sum of rows, modulo 2^64."""
    return int(np.add.reduce(rows, dtype=np.uint64)) if len(rows) else 0


def text_checksums(texts: pa.Array | pa.ChunkedArray) -> Hashes:
    """One number for each text (no nulls): a polynomial of its bytes modulo 2^64."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if isinstance(texts, pa.DictionaryArray):
        codes = texts.indices.to_numpy(zero_copy_only=False)
        return text_checksums(texts.dictionary)[codes] if len(codes) else np.zeros(0, np.uint64)
    texts = texts.cast(pa.large_binary())
    offsets = np.frombuffer(texts.buffers()[1], np.int64, len(texts) + 1 + texts.offset)
    offsets = offsets[texts.offset :]
    data = texts.buffers()[2]
    octets = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    octets = octets[offsets[0] : offsets[-1]]
    lengths = np.diff(offsets)
    if len(octets) == 0:
        return np.zeros(len(lengths), np.uint64)
    place = np.arange(len(octets)) - np.repeat(offsets[:-1] - offsets[0], lengths)
    with np.errstate(over="ignore"):
        powers = np.cumprod(np.full(int(lengths.max()), _ODD), dtype=np.uint64)
        terms = (octets.astype(np.uint64) + np.uint64(1)) * powers[place]
        filled = lengths > 0  # reduceat cannot add up nothing
        starts = (offsets[:-1] - offsets[0])[filled]
        sums = np.zeros(len(lengths), np.uint64)
        sums[filled] = np.add.reduceat(terms, starts)
    return sums


def hexadecimal(total: int) -> str:
    """A table's checksum as it is written down."""
    return f"{total % (1 << 64):016x}"
