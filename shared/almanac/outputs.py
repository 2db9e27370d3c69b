"""Files that a command writes for whoever calls it: there whole, or as they were."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO, TypeVar

from almanac.errors import InputError

T = TypeVar("T")

_DATABASE = b"SQLite format 3\x00"


def check_out(out: Path, option: str) -> None:
    """Raises InputError where no file of this name can be, or is to take a database's place.

    option: what it was given by.
    """
    check_folder(out, option)
    check_no_database(out, option)


def check_folder(out: Path, option: str) -> None:
    """Raises InputError where no file of this name can be."""
    if out.is_dir() or not out.absolute().parent.is_dir():
        what = "is a folder" if out.is_dir() else "there is no folder to put it in"
        raise InputError(f"{option}: {out}: {what}; expected the name of a file")


def check_no_database(out: Path, option: str) -> None:
    """Raises InputError for a database, which somebody has named where an output goes."""
    if not out.is_file():
        return
    try:
        with out.open("rb") as file:
            start = file.read(len(_DATABASE))
    except OSError:  # cannot be read, but perhaps replaced
        return
    if start == _DATABASE:
        raise InputError(f"{option}: {out}: is an SQLite database; expected another name")


@contextmanager
def neighbour(path: Path) -> Iterator[Path]:
    """An empty file in the same folder; gone in the end unless it was renamed. Raises OSError."""
    partial = path.absolute().with_name(f".{path.name}.{os.urandom(4).hex()}.partial")
    partial.touch(exist_ok=False)
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def partial_of(out: Path, option: str) -> Iterator[Path]:
    """A neighbour of the file to write.

    Raises InputError where there can be none; option: what `out` was given by.
    """
    with ExitStack() as stack:
        try:
            partial = stack.enter_context(neighbour(out))
        except OSError as error:
            raise InputError(f"{option}: {out}: cannot be written: {error.strerror}") from None
        yield partial


def write_text(out: Path, option: str, write: Callable[[TextIO], T]) -> T:
    """Write a text file whole or not at all, and return what `write` returns.

    Raises as `partial_of`, and OSError.
    """
    with partial_of(out, option) as partial:
        with partial.open("w", encoding="utf-8", newline="") as file:
            result = write(file)
        partial.replace(out)
        return result
