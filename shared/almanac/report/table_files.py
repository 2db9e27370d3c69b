"""The tables of the report page as a workbook, and its days as a calendar: files of their own."""

from __future__ import annotations

from pathlib import Path

from almanac.errors import InputError
from almanac.outputs import check_out, write_text
from almanac.report.calendar_file import calendar_text
from almanac.report.page_data import PageData
from almanac.report.tables import tables_of
from almanac.report.workbook import Sheet, write_workbook

WORKBOOK, CALENDAR = "--xlsx", "--ics"


def check_files(xlsx: Path | None, ics: Path | None) -> None:
    """Raise InputError if one of the files cannot be written, or its name ends in another way."""
    for out, option in ((xlsx, WORKBOOK), (ics, CALENDAR)):
        if out is None:
            continue
        check_out(out, option)
        suffix = f".{option.strip('-')}"
        if out.suffix.lower() != suffix:
            raise InputError(f"{option}: {out}: expected a name that ends in {suffix}")


def write_files(data: PageData, xlsx: Path | None, ics: Path | None) -> None:
    """Write the files that are asked for, each whole or not at all. Raises OSError."""
    if xlsx is not None:
        sheets = [
            Sheet(name, [column.label for column in table.columns], table.rows)
            for name, table in tables_of(data).items()
        ]
        write_workbook(xlsx, WORKBOOK, sheets)
    if ics is not None:
        text = calendar_text(data)
        write_text(ics, CALENDAR, lambda file: file.write(text))
