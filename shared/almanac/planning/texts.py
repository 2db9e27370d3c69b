"""Columns of texts as planning compares them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.frames import Codes, Mask


def encoded(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the table with codes in place of some columns' texts, of which many are the same."""
    for name in names:
        codes_of_texts = table[name].combine_chunks().dictionary_encode()
        table = table.set_column(table.schema.get_field_index(name), name, codes_of_texts)
    return table


def trimmed(table: pa.Table, name: str) -> pa.Array:
    """Return a column without white space around its texts; of codes each text is changed once."""
    return _changed(table[name].combine_chunks(), pc.utf8_trim_whitespace)


def lower(texts: pa.Array) -> pa.Array:
    """Return the texts in lower case; codes as `trimmed`."""
    return _changed(texts, _lower)


def upper(texts: pa.Array) -> pa.Array:
    """Return the texts in upper case; codes as `trimmed`."""
    return _changed(texts, pc.utf8_upper)


def _lower(texts: pa.Array) -> pa.Array:
    ascii_only = pc.all(pc.string_is_ascii(texts)).as_py() is not False
    return pc.ascii_lower(texts) if ascii_only else pc.utf8_lower(texts)


def _changed(texts: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    if not isinstance(texts, pa.DictionaryArray):
        return change(texts)
    return pa.DictionaryArray.from_arrays(texts.indices, change(texts.dictionary))


def filled(texts: pa.Array | pa.ChunkedArray) -> Mask:
    """Return which texts are not blank."""
    return nonempty(pc.utf8_trim_whitespace(texts))


def nonempty(texts: pa.Array | pa.ChunkedArray) -> Mask:
    """Return which texts have a character, if only a blank."""
    if isinstance(texts, pa.DictionaryArray):
        of_row: Mask = nonempty(texts.dictionary)[texts.indices.to_numpy()]
        return of_row
    return mask(pc.not_equal(texts, ""))


def mask(values: pa.Array | pa.ChunkedArray) -> Mask:
    """Return truth values as a mask; null is false."""
    return np.asarray(values.fill_null(False).to_numpy(zero_copy_only=False), np.bool_)


def codes(texts: pa.Array, known: list[str]) -> Codes:
    """Return the index of each text among the known ones, -1 for others."""
    if isinstance(texts, pa.DictionaryArray):
        of_row: Codes = codes(texts.dictionary, known)[texts.indices.to_numpy()]
        return of_row
    found = pc.index_in(texts, value_set=pa.array(known)).fill_null(-1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int32)
