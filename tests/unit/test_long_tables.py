"""A table of thousands of rows is printed as the same text, in a fraction of the time."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence

import pytest

from almanac.report import text
from almanac.report.text import console_for, table

COLUMNS = (">id", "name", "!from", "")
ROWS = [
    ("7", "spring news", "2027-03-01", 1234567),
    ("10,000", "Zoë 日本語", None, 0),
    ("", "a\tb\x1b[1m", "-", ""),
    (3, "", "", "last"),
]


def printed(columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    stream = io.StringIO()
    table(console_for(stream), columns, rows)
    return stream.getvalue()


@pytest.mark.parametrize("columns", [COLUMNS, ("", ">", "", "")])
def test_a_long_table_that_fits_is_the_same_text(
    monkeypatch: pytest.MonkeyPatch, columns: tuple[str, ...]
) -> None:
    short = printed(columns, ROWS)
    monkeypatch.setattr(text, "LONG", 0)
    assert printed(columns, ROWS) == short


def test_a_long_table_has_a_line_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(n, "a long name " * 20) for n in range(text.LONG + 1)]
    lines = printed((">id", "name"), rows).splitlines()
    assert len(lines) == len(rows) + 1
    assert lines[1] == f"    0  {('a long name ' * 20).rstrip()}"


def test_ten_thousand_rows_take_a_moment() -> None:
    rows: list[tuple[object, ...]] = [(n, f"campaign {n}", "2027-03-01", n) for n in range(10_000)]
    began = time.process_time()
    printed(COLUMNS, rows)
    assert time.process_time() - began < 2
