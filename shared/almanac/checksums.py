"""Checksums of rows that do not depend on how the rows were cut into shards.

A row's checksum mixes its columns; a table's is the sum of its rows' modulo 2^64. So shards are
added in any order, and a row that is added or removed is added or subtracted.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from almanac.octets import octets_of, words_of

Hashes = npt.NDArray[np.uint64]  # unsigned 64-bit

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_ODD = np.uint64(0x100000001B3)
_BLOCK = 16_384  # rows that are mixed together: their words fit into the processor's cache
HEAD = 32  # words of a text that are mixed one by one
_WHOLE = np.uint64(8)  # bytes of a word
_LONGEST = 1 << 31  # bytes, more than SQLite lets a text have
_KEPT = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)  # of a word, by its bytes


def splitmix64(z: Hashes) -> Hashes:
    """Return Sebastiano Vigna's splitmix64 of each number, modulo 2^64."""
    with np.errstate(over="ignore"):
        z = z + _GAMMA
        shifted = z >> np.uint64(30)
        z ^= shifted
        z *= _MIX_1
        z ^= np.right_shift(z, np.uint64(27), out=shifted)
        z *= _MIX_2
        z ^= np.right_shift(z, np.uint64(31), out=shifted)
        return z


def row_checksums(size: int, *columns: npt.NDArray[np.generic] | Hashes) -> Hashes:
    """Return one number for each row, from columns of integers or of `text_checksums`."""
    mixed = np.zeros(size, np.uint64)
    for start in range(0, size, _BLOCK):
        block = mixed[start : start + _BLOCK]
        for column in columns:
            part = column[start : start + _BLOCK].astype(np.int64, copy=False)
            block[:] = splitmix64(block ^ part.view(np.uint64))
    return mixed


def table_checksum(rows: Hashes) -> int:
    """Return the sum of the rows' checksums, modulo 2^64."""
    return int(np.add.reduce(rows, dtype=np.uint64)) if len(rows) else 0


def text_checksums(texts: pa.Array | pa.ChunkedArray) -> Hashes:
    """Return one number for each text (no nulls): a polynomial of its bytes modulo 2^64."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if isinstance(texts, pa.DictionaryArray):
        codes = texts.indices.to_numpy(zero_copy_only=False)
        return text_checksums(texts.dictionary)[codes] if len(codes) else np.zeros(0, np.uint64)
    octets, starts, lengths = octets_of(texts)
    if len(octets) == 0:
        return np.zeros(len(lengths), np.uint64)
    place = np.arange(len(octets)) - np.repeat(starts, lengths)
    with np.errstate(over="ignore"):
        powers = np.cumprod(np.full(int(lengths.max()), _ODD), dtype=np.uint64)
        terms = (octets.astype(np.uint64) + np.uint64(1)) * powers[place]
        filled = lengths > 0  # reduceat cannot add up nothing
        sums = np.zeros(len(lengths), np.uint64)
        sums[filled] = np.add.reduceat(terms, starts[filled])
    return sums


def mixed_checksums(table: pa.Table) -> Hashes:
    """Return one number for each row of a table of texts and integers without nulls.

    An integer is one word, in 64-bit two's complement. A text is cut into words of 8 bytes,
    little-endian, the last filled up with zeros; the bytes behind the first HEAD words are one
    more, their `text_checksums`. With w the word k of column c and b the bytes of the text in it (8
    for an integer, 0 for the last of a long text), the number is

        splitmix64(sum over all words of splitmix64(w XOR salt(c, k, b)))

    so that no word waits for another. Of a dictionary each text is mixed once.
    """
    table = table.unify_dictionaries()
    of_codes = {
        number: _text_sums(column.chunk(0).dictionary, number)
        for number, column in enumerate(table.columns)
        if pa.types.is_dictionary(column.type) and column.num_chunks
    }
    batches = table.to_batches(max_chunksize=_BLOCK)
    blocks = [_block_checksums(batch, of_codes) for batch in batches]
    return np.concatenate([np.zeros(0, np.uint64), *blocks])


def _block_checksums(batch: pa.RecordBatch, of_codes: Mapping[int, Hashes]) -> Hashes:
    """Return the number for each row; of_codes: the sums of a column's texts, by its number."""
    sums = np.zeros(batch.num_rows, np.uint64)
    for number, column in enumerate(batch.columns):
        if pa.types.is_integer(column.type):
            words = column.to_numpy().astype(np.int64, copy=False).view(np.uint64)
            sums += splitmix64(words ^ _salt(number, 0, _WHOLE))
        elif number in of_codes:
            sums += of_codes[number][column.indices.to_numpy()]
        else:
            sums += _text_sums(column, number)
    return splitmix64(sums)


def _text_sums(texts: pa.Array, number: int) -> Hashes:
    """Return what the words of each text in the column of this number add up to."""
    octets, starts, lengths = octets_of(texts)
    words, sums = words_of(octets), np.zeros(len(texts), np.uint64)
    longest = int(lengths.max(initial=0))
    shortest = int(lengths.min(initial=longest))
    for place in range(min(-(-longest // 8), HEAD)):
        at = 8 * place
        rows = np.flatnonzero(lengths > at) if shortest <= at else slice(None)
        size: Hashes | np.uint64 = _WHOLE
        word = words[starts[rows] + at]
        if shortest < at + 8:
            size = np.minimum(lengths[rows] - at, 8).astype(np.uint64)
            word &= _KEPT[size]
        sums[rows] += splitmix64(word ^ _salt(number, place, size))
    rows = np.flatnonzero(lengths > 8 * HEAD)
    if len(rows):
        long = texts.take(pa.array(rows)).cast(pa.large_binary())
        rest = pc.binary_slice(long, 8 * HEAD, _LONGEST)  # without an end it fails for two texts
        sums[rows] += splitmix64(text_checksums(rest) ^ _salt(number, HEAD, np.uint64(0)))
    return sums


def _salt(column: int, place: int, size: Hashes | np.uint64) -> Hashes | np.uint64:
    """Return (16 * (64 * place + column) + size) * _GAMMA, modulo 2^64."""
    with np.errstate(over="ignore"):
        return (np.uint64(16 * (64 * place + column)) + size) * _GAMMA


def hexadecimal(total: int) -> str:
    """Return a table's checksum as a text of 16 digits."""
    return f"{total % (1 << 64):016x}"


def contacts_text(total: int) -> str:
    """Return a checksum of contacts by `mixed_checksums` as a text, with its version.

    Those of another version, or without a prefix, had other columns or mixed them otherwise: they
    cannot be compared with these.
    """
    return f"v4-{hexadecimal(total)}"
