"""Checksums of contacts, compared with the definition in semantics: Checksums."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.checksums import contacts_text, joined_checksums, splitmix64, table_checksum

ROWS = st.lists(st.tuples(st.integers(-9, 1 << 40), st.text(max_size=20), st.text(max_size=3)))


def table(rows: list[tuple[int, str, str]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    types = (pa.int64(), pa.string(), pa.string())
    arrays = [pa.array(c, t) for c, t in zip(columns, types, strict=True)]
    return pa.Table.from_arrays(arrays, ["id", "email", "state"])


def mixed(value: int) -> int:
    return int(splitmix64(np.array([value % (1 << 64)], np.uint64))[0])


def by_definition(row: tuple[int, str, str]) -> int:
    octets = "\x1f".join(map(str, row)).encode()
    words = [int.from_bytes(octets[at : at + 8], "little") for at in range(0, len(octets), 8)]
    return mixed(len(octets) + sum(mixed(word ^ mixed(k)) for k, word in enumerate(words)))


@given(ROWS)
def test_a_row_has_the_checksum_of_the_definition(rows: list[tuple[int, str, str]]) -> None:
    assert joined_checksums(table(rows)).tolist() == [by_definition(row) for row in rows]


@given(st.lists(st.text(max_size=20)))
def test_a_column_by_itself_may_hold_nothing(texts: list[str]) -> None:
    column = pa.table({"email": pa.array(texts, pa.string())})
    words = [[text.encode()[at : at + 8] for at in range(0, 99, 8)] for text in texts]
    expected = [
        mixed(
            len(text.encode())
            + sum(mixed(int.from_bytes(w, "little") ^ mixed(k)) for k, w in enumerate(some) if w)
        )
        for text, some in zip(texts, words, strict=True)
    ]
    assert joined_checksums(column).tolist() == expected


@given(ROWS, st.integers(0, 5))
def test_shards_sum_to_the_whole(rows: list[tuple[int, str, str]], cut: int) -> None:
    whole = table(rows)
    parts = [table_checksum(joined_checksums(part)) for part in (whole[:cut], whole[cut:])]
    assert sum(parts) % (1 << 64) == table_checksum(joined_checksums(whole))


@pytest.mark.parametrize("other", [(1, "ab", "c"), (1, "a", "bcd"), (2, "a", "bc"), (1, "abc", "")])
def test_another_row_has_another_checksum(other: tuple[int, str, str]) -> None:
    first, second = joined_checksums(table([(1, "a", "bc"), other])).tolist()
    assert first != second


def test_the_text_names_its_version() -> None:
    assert contacts_text(255) == "v3-00000000000000ff"
