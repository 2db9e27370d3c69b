"""From ZIP codes to states."""

from __future__ import annotations

import csv
from importlib import resources

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.rules.states import USPS_STATES
from almanac.rules.zip import MALFORMED, NOWHERE, state_codes_of, zip_table

WELL_KNOWN = """
    AL 35203  AK 99501  AZ 85001  AR 72201  CA 90210  CO 80202  CT 06103  DE 19901  FL 33101
    GA 30301  HI 96813  ID 83702  IL 60601  IN 46204  IA 50309  KS 66603  KY 40202  LA 70112
    ME 04101  MD 21201  MA 02108  MI 48226  MN 55401  MS 39201  MO 63101  MT 59601  NE 68102
    NV 89101  NH 03301  NJ 07102  NM 87501  NY 10001  NC 27601  ND 58501  OH 43215  OK 73102
    OR 97201  PA 19103  RI 02903  SC 29201  SD 57501  TN 37201  TX 77001  UT 84101  VT 05602
    VA 23219  WA 98101  WV 25301  WI 53202  WY 82001  DC 20001  AS 96799  GU 96910  MP 96950
    PR 00601  VI 00801  FM 96941  MH 96960  PW 96940  AA 34001  AE 09001  AP 96601
    NY 00501  NY 06390  NY 12207  CA 94105  TX 79901  TX 73301  TX 88595  DC 20500  DC 56901
    VA 20598  MD 20588  VA 20101  MA 05501  MA 01001  AE 09905  AE 09999  WY 83414  TX 73960
    AP 96266  HI 96701  CA 96161  AK 99950  WA 99401  PR 00987  GA 39901  ID 83888  NJ 08989
""".split()
PAIRS = list(zip(WELL_KNOWN[1::2], WELL_KNOWN[::2], strict=True))


def codes(*zips: str | None) -> list[int]:
    return [int(code) for code in state_codes_of(pa.array(zips, pa.string()))]


@pytest.mark.parametrize(("zip_code", "state"), PAIRS)
def test_a_well_known_zip_code_is_in_its_state(zip_code: str, state: str) -> None:
    assert USPS_STATES[codes(zip_code)[0]] == state


def test_the_well_known_ones_reach_every_state() -> None:
    assert {state for _, state in PAIRS} == set(USPS_STATES)


def test_the_four_digits_behind_change_nothing() -> None:
    assert codes("90210-1234", "00501-0001") == codes("90210", "00501")


@pytest.mark.parametrize("zip_code", ["00000", "00001", "00499", "00000-0000", "21300", "98700"])
def test_a_zip_code_of_no_state_is_said_to_be_of_none(zip_code: str) -> None:
    assert codes(zip_code) == [NOWHERE]


@pytest.mark.parametrize(
    "text",
    [
        None, "", "1", "21", "902100", "9021O", "90210-", "90210-123", "90210-12345", "21-1234",
        "9021012345", "90210.5", ".0", "90210 1234", "90210+1234", "90210-12a4", "-9021", "9021.",
        " 90210", "٩٠٢١٠", "K1A 0B1",
        "90210\n", "9021é", "90\x00210",
    ],
)  # fmt: skip
def test_a_text_that_is_no_zip_code_is_said_to_be_none(text: str | None) -> None:
    assert codes(text) == [MALFORMED]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("2138", "02138"),
        ("501", "00501"),
        ("90210.0", "90210"),
        ("2138.0", "02138"),
        ("2138-1234", "02138"),
        ("501-0001", "00501"),
        ("902101234", "90210"),
        ("21381234", "02138"),
        ("5010001", "00501"),
    ],
)
def test_a_zip_code_gets_the_zeros_back_that_a_spreadsheet_took(text: str, whole: str) -> None:
    assert codes(text) == codes(whole)
    assert codes(text)[0] >= 0


def test_no_texts_make_no_codes() -> None:
    assert codes() == []
    assert codes(None, None) == [MALFORMED, MALFORMED]


def test_slices_chunks_and_kinds_of_text_make_no_difference() -> None:
    zips = ["10001", None, "90210-0001", "x", "00000", "63101"]
    expected = codes(*zips)
    whole = pa.array(zips)
    assert state_codes_of(whole.slice(2)).tolist() == expected[2:]
    assert state_codes_of(whole.slice(1, 3)).tolist() == expected[1:4]
    assert state_codes_of(pa.array(zips, pa.large_string())).tolist() == expected
    assert state_codes_of(whole.dictionary_encode()).tolist() == expected
    chunks = pa.chunked_array([whole.slice(0, 2), whole.slice(2)])
    assert state_codes_of(chunks).tolist() == expected
    assert state_codes_of(pa.chunked_array([], pa.string())).tolist() == []


@given(st.lists(st.none() | st.from_regex(r"[0-9]{5}(-[0-9]{4})?", fullmatch=True) | st.text()))
def test_the_vector_says_what_the_table_says_of_each(zips: list[str | None]) -> None:
    table = zip_table().states

    def one(text: str | None) -> int:
        if text is None:
            return MALFORMED
        head, hyphen, tail = text.partition("-")
        wanted = [(head, 5), (tail, 4)] if hyphen else [(head, 5)]
        for part, length in wanted:
            if len(part) != length or not (part.isascii() and part.isdigit()):
                return MALFORMED
        return int(table[int(head)])

    assert codes(*zips) == [one(text) for text in zips]


def test_the_ranges_are_sorted_apart_and_of_known_states() -> None:
    path = resources.files("almanac.rules").joinpath("zip_ranges.csv")
    text = path.read_text("ascii")
    ranges = list(csv.DictReader(text.splitlines()))
    ends = [int(row[end]) for row in ranges for end in ("first", "last")]
    assert all(int(row["first"]) <= int(row["last"]) for row in ranges)
    assert all(last < first for last, first in zip(ends[1::2], ends[2::2], strict=False))
    assert {row["state"] for row in ranges} == set(USPS_STATES)
    assert len(text) < 50_000


def test_most_zip_codes_are_of_a_state_and_the_table_is_whole() -> None:
    table = zip_table().states
    assert table.shape == (100_000,)
    assert np.all(table >= NOWHERE)
    assert np.count_nonzero(table >= 0) > 90_000
