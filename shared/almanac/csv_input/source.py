"""The file that an import reads: a file, a pipe or standard input."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from almanac.errors import InputError

STDIN = Path("-")
MAX_BYTES = 2 << 30

_CHUNK = 1 << 20

# what a file is that begins with these bytes
_NOT_TEXT = {
    b"PK\x03\x04": "a workbook or an archive; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "a workbook; save the sheet as CSV",
    b"\x1f\x8b": "compressed; unpack it first",
    b"BZh": "compressed; unpack it first",
    b"\xfd7zXZ\x00": "compressed; unpack it first",
    b"7z\xbc\xaf\x27\x1c": "compressed; unpack it first",
    b"(\xb5/\xfd": "compressed; unpack it first",
    b"%PDF": "a PDF document; expected CSV",
    b"PAR1": "a Parquet file; expected CSV",
    b"SQLite format 3\x00": "an SQLite database; expected CSV",
}


class InputFile(NamedTuple):
    """A file that can be read more than once, and what messages call it."""

    path: Path
    name: str


@contextmanager
def input_file(path: Path) -> Iterator[InputFile]:
    """Yield the file at the path, or a temporary copy of what can be read only once.

    path: `-` is standard input. Raise InputError for a file that cannot be read, is larger than
    MAX_BYTES, or is clearly not text.
    """
    name = "standard input" if path == STDIN else str(path)
    if path == STDIN or path.is_fifo():
        with tempfile.NamedTemporaryFile(prefix="almanac-", suffix=".csv") as copy:
            with nullcontext(sys.stdin.buffer) if path == STDIN else path.open("rb") as stream:
                left = MAX_BYTES + 1
                while data := stream.read(min(left, _CHUNK)):
                    copy.write(data)
                    left -= len(data)
            copy.flush()
            yield _checked(Path(copy.name), name)
    else:
        yield _checked(path, name)


def _checked(path: Path, name: str) -> InputFile:
    if path.is_dir():
        raise InputError(f"{name}: a folder; expected a CSV file")
    try:
        with path.open("rb") as stream:
            start = stream.read(max(map(len, _NOT_TEXT)))
        size = path.stat().st_size
    except FileNotFoundError:
        raise InputError(
            f"{name}: no such file; expected a CSV file, or - for standard input"
        ) from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})") from None
    for magic, what in _NOT_TEXT.items():
        if start.startswith(magic):
            raise InputError(f"{name}: {what}")
    if size > MAX_BYTES:
        raise InputError(f"{name}: more than {MAX_BYTES:,} bytes; split the file")
    return InputFile(path, name)
