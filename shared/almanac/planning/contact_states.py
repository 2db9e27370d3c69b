"""The states of contacts, by the column and by the ZIP code (semantics: Contacts)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.frames import Codes, Small
from almanac.planning.texts import codes
from almanac.rules.states import STATE_NAMES, USPS_STATES
from almanac.rules.zip import state_codes_of

UNKNOWN = -1


def states_of(table: pa.Table) -> Codes:
    """Return the state codes of all rows of `contacts`, UNKNOWN for unknown."""
    return state_of(*state_codes(table))


def state_codes(table: pa.Table) -> tuple[Codes, Codes]:
    """Return the state codes by the column and by the ZIP code, below 0 for unknown.

    The two columns are texts, or codes of texts: then each text is judged once.
    """
    return _codes(table["state"], _by_name), _codes(table["zip_code"], state_codes_of)


def state_of(by_column: Codes, by_zip: Codes) -> Codes:
    """Return the state of the column, else of the ZIP code; unknown ones are below 0 in both."""
    return np.where(by_column >= 0, by_column, np.maximum(by_zip, UNKNOWN)).astype(np.int32)


def _codes(column: pa.ChunkedArray, codes_of: Callable[[pa.Array], Codes | Small]) -> Codes:
    """Return the codes of a column's texts without white space around them."""
    if not pa.types.is_dictionary(column.type):
        texts = pc.utf8_trim_whitespace(column.combine_chunks())
        return codes_of(texts).astype(np.int32)
    array = column.unify_dictionaries().combine_chunks()
    of_text = codes_of(pc.utf8_trim_whitespace(array.dictionary)).astype(np.int32)
    found: Codes = of_text[array.indices.to_numpy(zero_copy_only=False)]
    return found


def _by_name(texts: pa.Array) -> Codes:
    named = list(STATE_NAMES)
    known = codes(pc.utf8_upper(texts), [*USPS_STATES, *named])
    of_name = [list(USPS_STATES).index(STATE_NAMES[name]) for name in named]
    return np.array([*range(len(USPS_STATES)), *of_name, UNKNOWN], np.int32)[known]
