"""Checksums of rows that do not depend on how the rows were cut into shards.

A row's checksum mixes its columns; a table's is the sum of its rows' modulo 2^64. So shards are
added in any order, and a row that is added or removed is added or subtracted.
"""

from __future__ import annotations

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
_BLOCK = 16_384  # texts that are mixed together: their words fit into the processor's cache
# what counts of a text's last word, by the bytes that it has modulo 8
_LAST_WORD = np.array([(1 << 64) - 1, *((1 << 8 * size) - 1 for size in range(1, 8))], np.uint64)


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
    for column in columns:
        mixed = splitmix64(mixed ^ column.astype(np.int64, copy=False).view(np.uint64))
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


def joined_checksums(table: pa.Table) -> Hashes:
    """Return one number for each row: of the texts of its columns, joined by the character 31.

    The columns have no nulls. The text is cut into words of 8 bytes, little-endian, the last
    filled up with zeros. With w_k the k-th word, counted from 0, the number is

        splitmix64(bytes + sum over k of splitmix64(w_k XOR splitmix64(k)))

    so that no word waits for the one before it, however long a text is.
    """
    if table.num_rows == 0:
        return np.zeros(0, np.uint64)
    text = pa.large_string()
    columns = [column.combine_chunks().cast(text) for column in table.itercolumns()]
    joined = pc.binary_join_element_wise(*columns, pa.scalar("\x1f", text))
    blocks = [_word_checksums(joined[at : at + _BLOCK]) for at in range(0, len(joined), _BLOCK)]
    return np.concatenate(blocks)


def _word_checksums(texts: pa.Array) -> Hashes:
    octets, starts, lengths = octets_of(texts)
    words = words_of(octets)
    counts = -(-lengths // 8)
    firsts = np.cumsum(counts) - counts
    order = np.arange(int(counts.sum()))
    word = words[8 * order + np.repeat(starts - 8 * firsts, counts)]
    filled = counts > 0
    word[(firsts + counts)[filled] - 1] &= _LAST_WORD[lengths[filled] % 8]
    salts = splitmix64(np.arange(int(counts.max()), dtype=np.uint64))
    word ^= salts[order - np.repeat(firsts, counts)]
    sums = np.zeros(len(counts), np.uint64)
    if len(word):
        sums[filled] = np.add.reduceat(splitmix64(word), firsts[filled])
    with np.errstate(over="ignore"):
        return splitmix64(lengths.astype(np.uint64) + sums)


def hexadecimal(total: int) -> str:
    """Return a table's checksum as a text of 16 digits."""
    return f"{total % (1 << 64):016x}"


def contacts_text(total: int) -> str:
    """Return a checksum of contacts by `joined_checksums` as a text, with its version.

    Checksums of version 1, without a prefix, mixed the columns one by one, and those of version 2
    had fewer columns: they cannot be compared with these.
    """
    return f"v3-{hexadecimal(total)}"
