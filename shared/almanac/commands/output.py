"""What commands print on standard output: text, or one JSON object."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter
from rich.console import Console

from almanac.plurals import plural
from almanac.report.row_file import Output, RowFormat, write_rows
from almanac.report.table import Cell
from almanac.report.text import console_for, paragraph

M = TypeVar("M", bound=BaseModel)

_OBJECT = TypeAdapter(dict[str, object])


def print_result(found: M, as_json: bool, print_text: Callable[[Console, M], None]) -> None:
    """Print a result as text, or as one JSON object."""
    if as_json:
        print(found.model_dump_json())
    else:
        print_text(console_for(sys.stdout), found)


def print_rows(
    output: Output,
    format_: RowFormat,
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    head: Mapping[str, object],
) -> None:
    """Write rows as `write_rows`, and say so if they go to a file."""
    count = write_rows(output.file, format_, columns, rows, head)
    if output.file is not None:
        paragraph(console_for(sys.stdout), f"{plural(count, 'row')}: {output.file}", indent=0)


def print_json(**values: object) -> None:
    """Print the values as one JSON object."""
    print(_OBJECT.dump_json(values).decode())
