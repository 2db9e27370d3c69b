"""Columns of a row that are read as one text: those whose values many rows have in common.

To hand over values one by one takes most of the time of reading. The text is a JSON array, which
keeps apart what a separator might not: no value, numbers and texts. There are far fewer different
texts than rows, and each is taken apart once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.database.columnar import CODES, coded
from almanac.database.sql import SEPARATED

MOST = 20_000  # different texts of a group; with more there is no gain
LAST_PART = 9999  # of years, months and days
_NUMBERS = (pa.int64(), pa.null())
_TEXTS = (pa.string(), *_NUMBERS)

# by column of a schema the SQL of the values that it is made of, as they are
Group = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Joined:
    """How rows of a schema are read with some of their columns joined.

    groups: each read as one text. others: the SQL of the other columns, as without joining.
    """

    schema: pa.Schema
    groups: Sequence[Group]
    others: Mapping[str, str]

    @property
    def select(self) -> dict[str, str]:
        """Return the SQL of what is read of a row; it fails for a blob."""
        texts = [f"json_array({', '.join(chain(*group.values()))})" for group in self.groups]
        return {**self.others, **dict(zip(self._names, texts, strict=True))}

    @property
    def read_schema(self) -> pa.Schema:
        """Return the schema of what is read."""
        others = [self.schema.field(name) for name in self.others]
        return pa.schema([*others, *((name, CODES) for name in self._names)])

    @property
    def _names(self) -> list[str]:
        return [f"group_{number}" for number in range(len(self.groups))]

    def apart(self, rows: pa.Table) -> pa.Table | None:
        """Return what was read in the schema; None if it would not be what each column's own SQL
        reads, which has rules for values of other types."""
        columns = {name: rows.column(name) for name in self.others}
        for name, group in zip(self._names, self.groups, strict=True):
            codes = rows.column(name).unify_dictionaries()
            if any(len(chunk.dictionary) > MOST for chunk in codes.chunks):
                return None
            texts, code_of = coded(codes)
            where = pa.array(code_of)
            for column, distinct in self._distinct(group, texts).items():
                if distinct is None:
                    return None
                columns[column] = _taken(distinct, where)
        return pa.table([columns[name] for name in self.schema.names], self.schema)

    def _distinct(self, group: Group, texts: list[str]) -> dict[str, pa.Array | None]:
        """Return the columns of a group, of the different texts."""
        # one flat list: nothing in it keeps the garbage collector busy
        flat = json.loads(f"[{','.join(text[1:-1] for text in texts)}]")
        width, start, found = sum(map(len, group.values())), 0, {}
        for name, values in group.items():
            parts = [flat[start + n :: width] for n in range(len(values))]
            found[name] = _column(parts, self.schema.field(name).type)
            start += len(values)
        return found


def _column(parts: Sequence[Sequence[object]], wanted: pa.DataType) -> pa.Array | None:
    """Return a column made of one or more values; None if their types need more care."""
    try:
        arrays = [pa.array(part) for part in parts]
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # numbers and texts
        return None
    if wanted in (pa.string(), CODES):
        if not all(array.type in _TEXTS for array in arrays):
            return None
        texts = [array.cast(pa.string()).fill_null("") for array in arrays]
        joined = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, SEPARATED)
        return joined.dictionary_encode() if wanted == CODES else joined
    if not all(array.type in _NUMBERS for array in arrays):
        return None
    numbers = arrays[0].cast(pa.int64()).fill_null(0).to_numpy()
    if wanted == pa.int32():
        numbers = np.where((numbers >= 0) & (numbers <= LAST_PART), numbers, 0)
    return pa.array(numbers).cast(wanted)


def _taken(distinct: pa.Array, where: pa.Array) -> pa.Array:
    """Return the value of each row from those of the different texts."""
    if isinstance(distinct, pa.DictionaryArray):
        return pa.DictionaryArray.from_arrays(distinct.indices.take(where), distinct.dictionary)
    return distinct.take(where)
