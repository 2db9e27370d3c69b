"""States of ZIP codes, from a table of all 100,000 five-digit codes.

The table is `zip_ranges.csv` beside this module, made by scripts/build_zip_table.py.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.frames import Small
from almanac.rules.states import USPS_STATES

MALFORMED = -1  # no ZIP code, whatever a spreadsheet did to it
NOWHERE = -2  # well-formed, but of no state

_ZERO, _NINE, _HYPHEN = b"09-"


def state_codes_of(zips: pa.Array | pa.ChunkedArray) -> Small:
    """Return the index into USPS_STATES of each trimmed ZIP text, MALFORMED or NOWHERE.

    A null is MALFORMED. Only ASCII digits count.
    """
    if isinstance(zips, pa.ChunkedArray):
        zips = zips.combine_chunks()
    codes = _codes(zips)
    odd = np.flatnonzero(codes == MALFORMED)
    if len(odd):
        codes[odd] = _codes(_mended(pc.fill_null(zips.take(pa.array(odd)).cast(pa.string()), "")))
    return codes


def _codes(zips: pa.Array) -> Small:
    """Return the codes of `12345` and `12345-6789`."""
    texts = pc.fill_null(zips.cast(pa.large_binary()), b"")
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset :][: len(texts) + 1]
    lengths = np.diff(offsets)
    codes = np.full(len(texts), MALFORMED, np.int8)
    rows = np.flatnonzero((lengths == 5) | (lengths == 10))
    if len(rows) == 0:
        return codes
    octets = np.frombuffer(texts.buffers()[2], np.uint8)
    first = offsets[rows]
    formed = np.ones(len(rows), np.bool_)
    numbers = np.zeros(len(rows), np.int32)
    for place in range(5):
        digits = octets[first + place]
        formed &= (digits >= _ZERO) & (digits <= _NINE)
        numbers = numbers * 10 + digits - _ZERO
    long = np.flatnonzero(lengths[rows] == 10)
    formed[long] &= octets[first[long] + 5] == _HYPHEN
    for place in range(6, 10):
        digits = octets[first[long] + place]
        formed[long] &= (digits >= _ZERO) & (digits <= _NINE)
    codes[rows[formed]] = zip_table()[numbers[formed]]
    return codes


def _mended(zips: pa.Array) -> pa.Array:
    """Return ZIP texts with the zeros that a spreadsheet took, and without its `.0`."""
    texts = pc.replace_substring_regex(zips, r"\.0$", "")
    short = pc.match_substring_regex(texts, "^[0-9]{3,5}$")
    hyphened = pc.match_substring_regex(texts, "^[0-9]{3,4}-[0-9]{4}$")
    nine = pc.match_substring_regex(texts, "^[0-9]{7,9}$")
    whole = pc.utf8_slice_codeunits(pc.utf8_lpad(texts, 9, "0"), 0, 5)
    texts = pc.if_else(short, pc.utf8_lpad(texts, 5, "0"), texts)
    texts = pc.if_else(hyphened, pc.utf8_lpad(texts, 10, "0"), texts)
    return pc.if_else(nine, whole, texts)


@cache
def zip_table() -> Small:
    """Return the index into USPS_STATES of each of the 100,000 ZIP codes, NOWHERE for no state."""
    index = {state: number for number, state in enumerate(USPS_STATES)}
    table = np.full(100_000, NOWHERE, np.int8)
    text = resources.files("almanac.rules").joinpath("zip_ranges.csv").read_text("ascii")
    for row in csv.DictReader(text.splitlines()):
        table[int(row["first"]) : int(row["last"]) + 1] = index[row["state"]]
    table.flags.writeable = False
    return table
