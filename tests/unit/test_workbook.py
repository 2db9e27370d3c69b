"""Tables as workbooks: texts stay texts, numbers numbers, and days days."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac.report import workbook
from almanac.report.table import Row
from almanac.report.workbook import Sheet, write_workbook
from tests.support.workbooks import sheets_of


def written(path: Path, *rows: Row, columns: tuple[str, ...] = ("a", "b")) -> Path:
    assert write_workbook(path, "--out", [Sheet("rows", columns, rows)]) == len(rows)
    return path


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("=1+1", "=1+1"),
        ("{=1+1}", "{=1+1}"),
        ("@SUM(A1)", "@SUM(A1)"),
        ("https://example.com", "https://example.com"),
        ("00123", "00123"),
        (
            "lone \ud800, bell \x07",
            "lone \N{REPLACEMENT CHARACTER}, bell \N{REPLACEMENT CHARACTER}",
        ),
        ("two\nlines <&>", "two\nlines <&>"),
        ("2026-11-24", 46350),
        ("2026-02-30", "2026-02-30"),
        ("1850-01-01", "1850-01-01"),
        (-7, -7),
        (19.5, 19.5),
        (12345678901234567890, "12345678901234567890"),
        (float("nan"), "nan"),
    ],
)
def test_a_cell_is_what_it_was(tmp_path: Path, cell: str | float, expected: str | float) -> None:
    cells = sheets_of(written(tmp_path / "rows.xlsx", (cell, None)))["rows"]
    assert cells == {(1, "A"): "a", (1, "B"): "b", (2, "A"): expected}


def test_rows_that_a_sheet_cannot_hold_go_on_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 2)
    path = written(tmp_path / "rows.xlsx", *((n,) for n in range(5)), columns=("n",))
    numbers = {
        name: [cell for (row, _), cell in cells.items() if row > 1]
        for name, cells in sheets_of(path).items()
    }
    assert numbers == {"rows": [0, 1], "rows 2": [2, 3], "rows 3": [4]}


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    first, second = (written(tmp_path / name, ("x", 1)) for name in ("1.xlsx", "2.xlsx"))
    assert first.read_bytes() == second.read_bytes()


def test_rows_that_fail_leave_the_file_that_was_there(tmp_path: Path) -> None:
    def rows() -> Iterator[Row]:
        yield ("x", 1)
        raise OSError("the disk is gone")

    path = tmp_path / "rows.xlsx"
    path.write_text("earlier")
    with pytest.raises(OSError, match="the disk is gone"):
        write_workbook(path, "--out", [Sheet("rows", ("a", "b"), rows())])
    assert [each.name for each in tmp_path.iterdir()] == ["rows.xlsx"]
    assert path.read_text() == "earlier"
