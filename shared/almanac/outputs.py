"""Files that a command writes: whole, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO, TypeVar

from almanac.errors import InputError

T = TypeVar("T")

_DATABASE = b"SQLite format 3\x00"


def check_out(out: Path, option: str) -> None:
    """Raise InputError if no file of this name can be written, or if it is a database.

    option: the option that named the file.
    """
    check_folder(out, option)
    check_no_database(out, option)


def is_full(error: BaseException | None) -> bool:
    """Return whether an error, or what caused it, is that of a full disk."""
    while error is not None:
        # by name: most commands never import apsw
        if type(error).__name__ == "FullError":
            return True
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False


def check_folder(out: Path, option: str) -> None:
    """Raise InputError if no file of this name can be written."""
    if out.is_dir():
        what = "is a folder"
    elif out.exists() and not out.is_file():
        what = "is not a regular file"  # a device or a pipe would be replaced by a file
    elif not out.absolute().parent.is_dir():
        what = "there is no folder to put it in"
    else:
        return
    raise InputError(f"{option}: {out}: {what}; expected the name of a file")


def check_no_database(out: Path, option: str) -> None:
    """Raise InputError for an existing database: an output must not replace it."""
    if is_database(out):
        raise InputError(f"{option}: {out}: is an SQLite database; expected another name")


def is_database(path: Path) -> bool:
    """Return whether it is a file that can be read and begins as an SQLite database does."""
    if not path.is_file():  # a pipe would lose its beginning
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_DATABASE)) == _DATABASE
    except OSError:
        return False


@contextmanager
def neighbour(path: Path) -> Iterator[Path]:
    """Yield an empty file in the same folder, removed unless it is renamed. Raises OSError."""
    partial = path.absolute().with_name(f".{path.name}.{os.urandom(4).hex()}.partial")
    partial.touch(exist_ok=False)
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def partial_of(out: Path, option: str) -> Iterator[Path]:
    """Yield a neighbour of the file to write.

    Raises InputError if it cannot be created; option: the option that named the file.
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


def write_out(out: Path | None, option: str, write: Callable[[TextIO], T]) -> T:
    """Write a text file whole or not at all, or without one to standard output.

    Standard output gets the text when `write` has returned, so that a slow reader keeps no database
    locked. Raises as `write_text`.
    """
    if out is not None:
        return write_text(out, option, write)
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as spool:
        result = write(spool)
        spool.seek(0)
        shutil.copyfileobj(spool, sys.stdout)
    return result
