"""States and time zones of ZIP codes, from a table of all 100,000 five-digit codes.

The table is `zip_ranges.csv` beside this module, made by scripts/build_zip_table.py.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.frames import Codes, Small
from almanac.rules.states import USPS_STATES

MALFORMED = -1  # no ZIP code, whatever a spreadsheet did to it
NOWHERE = -2  # well-formed, but of no state

_ZERO, _NINE, _HYPHEN = b"09-"


class ZipTable(NamedTuple):
    """What is known of each of the 100,000 ZIP codes."""

    states: Small  # index into USPS_STATES, NOWHERE for no state
    zones: Small  # index into zone_names, -1 for an unknown zone
    zone_names: tuple[str, ...]  # IANA


def state_codes_of(zips: pa.Array | pa.ChunkedArray) -> Small:
    """Return the index into USPS_STATES of each trimmed ZIP text, MALFORMED or NOWHERE.

    A null is MALFORMED. Only ASCII digits count.
    """
    numbers = zip_numbers(zips)
    return np.where(numbers >= 0, zip_table().states[numbers], np.int8(MALFORMED))


def zip_numbers(zips: pa.Array | pa.ChunkedArray) -> Codes:
    """Return the five digits of each trimmed ZIP text as a number, or MALFORMED."""
    if isinstance(zips, pa.ChunkedArray):
        zips = zips.combine_chunks()
    numbers = _numbers(zips)
    odd = np.flatnonzero(numbers == MALFORMED)
    if len(odd):
        texts = pc.fill_null(zips.take(pa.array(odd)).cast(pa.string()), "")
        numbers[odd] = _numbers(_mended(texts))
    return numbers


def _numbers(zips: pa.Array) -> Codes:
    """Return the numbers of `12345` and `12345-6789`."""
    texts = pc.fill_null(zips.cast(pa.large_binary()), b"")
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset :][: len(texts) + 1]
    lengths = np.diff(offsets)
    found = np.full(len(texts), MALFORMED, np.int32)
    rows = np.flatnonzero((lengths == 5) | (lengths == 10))
    if len(rows) == 0:
        return found
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
    found[rows[formed]] = numbers[formed]
    return found


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
def zip_table() -> ZipTable:
    """Return the table of ZIP codes."""
    index = {state: number for number, state in enumerate(USPS_STATES)}
    zone_index = {"": -1}
    states, zones = np.full(100_000, NOWHERE, np.int8), np.full(100_000, -1, np.int8)
    text = resources.files("almanac.rules").joinpath("zip_ranges.csv").read_text("ascii")
    for row in csv.DictReader(text.splitlines()):
        run = slice(int(row["first"]), int(row["last"]) + 1)
        states[run] = index[row["state"]]
        zones[run] = zone_index.setdefault(row["zone"], len(zone_index) - 1)
    states.flags.writeable = zones.flags.writeable = False
    return ZipTable(states, zones, tuple(zone_index)[1:])


@cache
def zones_of_state(state: str) -> tuple[str, ...]:
    """Return the zones of a USPS state, the one with most ZIP codes first; none of the military.

    In each state that is the zone in which most people live.
    """
    table = zip_table()
    found = table.zones[table.states == USPS_STATES.index(state)]
    counts = np.bincount(found[found >= 0], minlength=len(table.zone_names))
    # at equal numbers, by name: Chuuk, which has the clock of Guam, before Pohnpei
    order = sorted((-count, name) for name, count in zip(table.zone_names, counts, strict=True))
    return tuple(name for count, name in order if count)
