"""Planned rows in columns as several processes write them: a file for each range of contacts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from almanac.contact_ranges import ContactRange
from almanac.database.planned_pieces import (
    FileFetch,
    PieceList,
    PieceWriter,
    PlannedPieces,
    joined_index,
)
from almanac.errors import Corrupt


def write_part(folder: Path, contacts: ContactRange, query: str, rows: pa.Table) -> None:
    """Write the rows of a range of contacts; query: what read them. Raises OSError."""
    with _pieces(folder, contacts).open("wb") as out:
        writer = PieceWriter(out)
        writer.add(rows, contacts)
    _list(folder, contacts).write_text(writer.list(query).model_dump_json())


def joined_parts(folder: Path, ranges: Sequence[ContactRange], out: Path) -> PlannedPieces:
    """Write the parts of adjoining ranges, which are all contacts, to one file.

    Raises Corrupt unless all are there, OSError.
    """
    try:
        lists = [PieceList.model_validate_json(_list(folder, each).read_text()) for each in ranges]
    except (FileNotFoundError, ValueError) as error:
        raise Corrupt("a part of the planned rows is missing") from error
    with out.open("wb") as file:
        for each in ranges:
            with _pieces(folder, each).open("rb") as part:
                shutil.copyfileobj(part, file)
    return PlannedPieces(joined_index(lists), FileFetch(out))


def _pieces(folder: Path, contacts: ContactRange) -> Path:
    return folder / f"{contacts.first}.pieces"


def _list(folder: Path, contacts: ContactRange) -> Path:
    return folder / f"{contacts.first}.json"
