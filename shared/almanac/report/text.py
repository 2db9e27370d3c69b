"""Plain tables and paragraphs for a terminal or a pipe."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDEST = 100
INDENT = 2
LONG = 500  # rows of a table; a longer one has a line for each row, however wide it is


def console_for(stream: TextIO) -> Console:
    """Return a console that prints text unchanged: no markup, no highlighting, at most WIDEST wide.

    In a pipe it is 80 columns wide (or COLUMNS) and has no colours.
    """
    console = Console(file=stream, markup=False, highlight=False, emoji=False)
    if console.width > WIDEST:
        console.width = WIDEST
    return console


def shown(text: object) -> str:
    """Return a text of a database on one line and without the control characters of a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def heading(console: Console, text: str) -> None:
    """Print an empty line and a heading."""
    console.print()
    console.print(Text(shown(text), style="bold"))


def paragraph(console: Console, text: str, indent: int = INDENT, style: str = "") -> None:
    """Print text that is wrapped and indented as a whole; a long path stays whole, to be copied."""
    width = max(20, console.width - indent)
    wrapped = textwrap.wrap(shown(text), width, break_on_hyphens=False, break_long_words=False)
    for line in wrapped:
        console.print(Text(" " * indent + line, style=style), soft_wrap=True)


def table(
    console: Console,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    indent: int = INDENT,
    *,
    whole_lines: bool = False,
) -> None:
    """Print rows under a header, which is left out if all column names are empty.

    A column whose name begins with `>` holds numbers: right-aligned and never wrapped. One whose
    name begins with `!` is never wrapped. In a table of more than LONG rows none is, nor with
    `whole_lines`: each row has a line, however wide it is.
    """
    cells = [tuple(map(_cell, row)) for row in rows]
    if cells and (whole_lines or len(cells) > LONG):
        _long_table(console, columns, cells, indent)
        return
    result = Table(
        box=None,
        show_edge=False,
        show_header=any(name.strip("<>!") for name in columns),
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="dim",
    )
    for name in columns:
        result.add_column(
            name.lstrip(">!"),
            justify="right" if name.startswith(">") else "left",
            no_wrap=name.startswith((">", "!")),
            overflow="fold",
        )
    for row in cells:
        result.add_row(*map(Text, row))
    for line in console.render_lines(Padding(result, (0, 0, 0, indent)), pad=False):
        text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
        text.rstrip()
        console.print(text, soft_wrap=True)


def _long_table(
    console: Console, columns: Sequence[str], cells: list[tuple[str, ...]], indent: int
) -> None:
    """Print a table of thousands of rows, which takes rich milliseconds a row."""
    names = [name.lstrip(">!") for name in columns]
    widths = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        parts = []
        for name, width, cell in zip(columns, widths, row, strict=True):
            blanks = " " * (width - cell_len(cell))
            parts.append(blanks + cell if name.startswith(">") else cell + blanks)
        return (" " * indent + "  ".join(parts)).rstrip()

    if any(names):
        console.print(Text(line(names), style="dim"), soft_wrap=True)
    for row in cells:
        console.file.write(line(row) + "\n")


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else shown(value)


def listed(items: Sequence[str], most: int) -> str:
    """Return the items joined by commas: the first `most`, and how many more there are."""
    some = ", ".join(items[:most])
    return some if len(items) <= most else f"{some} and {len(items) - most:,} more"
