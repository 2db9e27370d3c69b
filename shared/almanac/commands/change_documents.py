"""What commands write of a change set: the change set itself, SQL or JSON, and how many rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from almanac.database.change_sets.documents import write_json, write_sql
from almanac.database.change_sets.rows import RowCounts, StoredTable
from almanac.errors import AlmanacError, InputError
from almanac.outputs import check_out, partial_of, write_out
from almanac.report.text import paragraph, table

FORMATS = ("changeset", "sql", "json")


def check_change_output(format_: str | None, out: Path | None, as_json: bool) -> str:
    """Return the format of the document, '' for none; raise InputError for what does not fit."""
    if format_ is not None and format_ not in FORMATS:
        raise InputError(f"--format: expected one of {', '.join(FORMATS)}, found {format_!r}")
    if out is not None:
        check_out(out, "--out")
        return format_ or FORMATS[0]
    if format_ == FORMATS[0]:
        raise InputError(f"--format {format_}: is no text; add --out FILE")
    if format_ and as_json:
        raise InputError("--json: prints the counts; with --format it takes --out FILE")
    return format_ or ""


def write_changes(
    out: Path | None,
    format_: str,
    changes: bytes,
    tables: Mapping[str, StoredTable],
    head: Mapping[str, object],
) -> None:
    """Write a change set whole or not at all, without a file to standard output."""
    try:
        if format_ == "sql":
            write_out(out, "--out", lambda file: write_sql(file, changes, tables))
        elif format_ == "json":
            write_out(out, "--out", lambda file: write_json(file, changes, tables, head))
        elif out is not None:
            with partial_of(out, "--out") as partial:
                partial.write_bytes(changes)
                partial.replace(out)
    except UnicodeDecodeError as error:
        raise AlmanacError(
            f"a text in the changes is not valid UTF-8 ({error.reason}): --format changeset has it "
            "as it is"
        ) from error


def counts_json(counts: Sequence[RowCounts]) -> list[dict[str, Any]]:
    """Return counts for --json."""
    return [vars(each) for each in counts]


def print_counts(console: Console, counts: Sequence[RowCounts]) -> None:
    """Print how many rows of which table are inserted, updated and deleted."""
    if not counts:
        paragraph(console, "No row differs.", indent=0)
        return
    rows = [(each.table, each.added, each.changed, each.deleted) for each in counts]
    table(console, ("table", ">inserted", ">updated", ">deleted"), rows, indent=0)
