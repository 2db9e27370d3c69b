"""Columns of texts as planning compares them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.frames import Codes, Mask


def trimmed(table: pa.Table, name: str) -> pa.Array:
    """Return a column without white space around its texts."""
    return pc.utf8_trim_whitespace(table[name].combine_chunks())


def lower(texts: pa.Array) -> pa.Array:
    """Return the texts in lower case."""
    ascii_only = pc.all(pc.string_is_ascii(texts)).as_py() is not False
    return pc.ascii_lower(texts) if ascii_only else pc.utf8_lower(texts)


def filled(texts: pa.Array | pa.ChunkedArray) -> Mask:
    """Return which texts are not blank."""
    return nonempty(pc.utf8_trim_whitespace(texts))


def nonempty(texts: pa.Array | pa.ChunkedArray) -> Mask:
    """Return which texts have a character, if only a blank."""
    return mask(pc.not_equal(texts, ""))


def mask(values: pa.Array | pa.ChunkedArray) -> Mask:
    """Return truth values as a mask; null is false."""
    return np.asarray(values.fill_null(False).to_numpy(zero_copy_only=False), np.bool_)


def codes(texts: pa.Array, known: list[str]) -> Codes:
    """Return the index of each text among the known ones, -1 for others."""
    found = pc.index_in(texts, value_set=pa.array(known)).fill_null(-1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int32)
