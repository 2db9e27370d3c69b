"""The reject report of an import: a CSV file of the rows that it did not take, with the reasons."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from almanac.csv_input.header import REJECT_COLUMNS
from almanac.csv_input.source import STDIN
from almanac.errors import AlmanacError, InputError
from almanac.outputs import check_out

ENCODING, ERRORS = "utf-8", "surrogateescape"  # bytes that are not text come back as they were


class RejectWriter:
    """Writes rejects to an open file, with the columns of the file that they come from.

    The columns of an earlier report are left out.
    """

    def __init__(self, out: TextIO, columns: Sequence[str]) -> None:
        self._kept = [at for at, column in enumerate(columns) if column not in REJECT_COLUMNS]
        self._width = len(columns)
        self._writer = csv.writer(out, lineterminator="\n")
        self._writer.writerow([*REJECT_COLUMNS, *(columns[at] for at in self._kept)])

    def write(self, line: int, why: str, cells: Sequence[str]) -> None:
        """Write one reject."""
        kept = [cells[at] for at in self._kept if at < len(cells)]
        self._writer.writerow([line, why, *kept, *cells[self._width :]])


@dataclass
class Rejects:
    """Rows that an import cannot use, each with the reason."""

    columns: Sequence[str]  # of the file that they come from
    rows: list[tuple[int, str, Sequence[str]]] = field(default_factory=list)

    def add(self, line: int, why: str, cells: Sequence[str]) -> None:
        """Add one."""
        self.rows.append((line, why, cells))

    def __len__(self) -> int:
        return len(self.rows)

    def write(self, path: Path) -> None:
        """Write the report; without rejects, write nothing. Raise AlmanacError if that fails."""
        if not self.rows:
            return
        try:
            with path.open("w", encoding=ENCODING, errors=ERRORS, newline="") as file:
                writer = RejectWriter(file, self.columns)
                for reject in self.rows:
                    writer.write(*reject)
        except OSError as error:
            raise AlmanacError(
                f"{path}: cannot be written ({error.strerror}); --rejects names another file"
            ) from error


def rejects_path(file: Path, chosen: Path | None) -> Path:
    """Return where the reject report goes: to the chosen path, else beside the file.

    Raise InputError for a path that cannot be written, is a database, or is the file itself.
    """
    if chosen is not None:
        check_out(chosen, "--rejects")
        if file != STDIN and chosen.resolve() == file.resolve():
            raise InputError(f"--rejects: {chosen}: is the file to read; expected another name")
        return chosen
    return Path("rejects.csv") if file == STDIN else file.with_name(f"{file.name}.rejects.csv")
