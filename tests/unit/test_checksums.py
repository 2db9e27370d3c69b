"""Checksums of contacts, compared with the definition in semantics: Checksums."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.checksums import contacts_text, mixed_checksums, splitmix64, table_checksum

ROWS = st.lists(st.tuples(st.integers(-9, 1 << 40), st.text(max_size=20), st.text(max_size=3)))


def table(rows: list[tuple[int, str, str]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    types = (pa.int64(), pa.string(), pa.string())
    arrays = [pa.array(c, t) for c, t in zip(columns, types, strict=True)]
    return pa.Table.from_arrays(arrays, ["id", "email", "state"])


def mixed(value: int) -> int:
    return int(splitmix64(np.array([value % (1 << 64)], np.uint64))[0])


def salted(word: int, column: int, place: int, size: int) -> int:
    return mixed(word ^ (16 * (64 * place + column) + size) * 0x9E3779B97F4A7C15 % (1 << 64))


def polynomial(octets: bytes) -> int:
    return sum((octet + 1) * pow(0x100000001B3, i + 1, 1 << 64) for i, octet in enumerate(octets))


def text_sum(text: str, column: int) -> int:
    octets = text.encode()
    head, rest = octets[:256], octets[256:]
    words = [head[at : at + 8] for at in range(0, len(head), 8)]
    total = sum(
        salted(int.from_bytes(word, "little"), column, place, len(word))
        for place, word in enumerate(words)
    )
    return total + (salted(polynomial(rest) % (1 << 64), column, 32, 0) if rest else 0)


def by_definition(row: tuple[int, str, str]) -> int:
    number, *texts = row
    whole = salted(number % (1 << 64), 0, 0, 8)
    return mixed(whole + sum(text_sum(text, at) for at, text in enumerate(texts, 1)))


@given(ROWS)
def test_a_row_has_the_checksum_of_the_definition(rows: list[tuple[int, str, str]]) -> None:
    assert mixed_checksums(table(rows)).tolist() == [by_definition(row) for row in rows]


@pytest.mark.parametrize("length", [7, 8, 9, 255, 256, 257, 5000])
def test_long_texts_count_whole(length: int) -> None:
    text = "0123456789é" * 500
    rows = [(1, text[:length], "a"), (2, "", text[: length + 1]), (3, text, text[:length])]
    assert mixed_checksums(table(rows)).tolist() == [by_definition(row) for row in rows]


@given(st.lists(st.text(max_size=20)))
def test_a_column_by_itself_may_hold_nothing_and_its_texts_once(texts: list[str]) -> None:
    column = pa.array(texts, pa.string())
    expected = [mixed(text_sum(text, 0)) for text in texts]
    for each in (column, column.dictionary_encode()):
        assert mixed_checksums(pa.table({"email": each})).tolist() == expected


@given(ROWS, st.integers(0, 5))
def test_shards_sum_to_the_whole(rows: list[tuple[int, str, str]], cut: int) -> None:
    whole = table(rows)
    parts = [table_checksum(mixed_checksums(part)) for part in (whole[:cut], whole[cut:])]
    assert sum(parts) % (1 << 64) == table_checksum(mixed_checksums(whole))


@pytest.mark.parametrize("other", [(1, "ab", "c"), (1, "a", "bcd"), (2, "a", "bc"), (1, "abc", "")])
def test_another_row_has_another_checksum(other: tuple[int, str, str]) -> None:
    first, second = mixed_checksums(table([(1, "a", "bc"), other])).tolist()
    assert first != second


def test_the_text_names_its_version() -> None:
    assert contacts_text(255) == "v4-00000000000000ff"
