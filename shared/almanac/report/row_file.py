"""Rows of any number as CSV, one JSON object or a workbook: written as they are read."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TextIO, assert_never

from almanac.errors import InputError
from almanac.json_text import json_text
from almanac.outputs import check_out, write_out
from almanac.report.table import Cell, harmless
from almanac.report.workbook import Sheet, write_workbook

RowFormat = Literal["csv", "json", "xlsx"]
_SUFFIXES: dict[str, RowFormat] = {".csv": "csv", ".json": "json", ".xlsx": "xlsx"}
SHEET = "rows"


class Output(NamedTuple):
    """Where rows go, and as what: as a table for people without a format."""

    format_: RowFormat | None
    file: Path | None  # None: standard output


def output_of(out: Path | None, as_csv: bool, as_json: bool) -> Output:
    """Return the output that --csv, --json and --out, by its name, ask for.

    Raises InputError for several, for a name of another kind, or one that cannot be written.
    """
    if as_csv and as_json:
        raise InputError("--json or --csv: expected one of them, found both")
    given: RowFormat | None = "csv" if as_csv else "json" if as_json else None
    if out is None:
        return Output(given, None)
    check_out(out, "--out")
    format_ = given or _SUFFIXES.get(out.suffix.lower())
    if format_ is None:
        kinds = " or ".join(_SUFFIXES)
        raise InputError(f"--out: {out}: expected a name that ends in {kinds}")
    return Output(format_, out)


def write_rows(
    out: Path | None,
    format_: RowFormat,
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    head: Mapping[str, object],
) -> int:
    """Write the rows to a file, or to standard output without one; return their number.

    head: what the JSON object has before its `rows`. Raises as `outputs.write_out`.
    """
    match format_:
        case "csv":
            return write_out(out, "--out", lambda file: _write_csv(file, columns, rows))
        case "json":
            return write_out(out, "--out", lambda file: _write_json(file, columns, rows, head))
        case "xlsx":
            assert out is not None, "only a file's name asks for a workbook"
            return write_workbook(out, "--out", [Sheet(SHEET, columns, rows)])
        case _:
            assert_never(format_)


def _write_csv(file: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    writer, count = csv.writer(file), 0
    writer.writerow(columns)
    for row in rows:
        writer.writerow(map(harmless, row))
        count += 1
    return count


def _write_json(
    file: TextIO,
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    head: Mapping[str, object],
) -> int:
    start = json_text(dict(head))[:-1]
    file.write(f'{start}{", " if head else ""}"rows": [')
    count = 0
    for row in rows:
        file.write(f"{', ' if count else ''}{json_text(dict(zip(columns, row, strict=True)))}")
        count += 1
    file.write("]}\n")
    return count
