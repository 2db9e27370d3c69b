"""Atomic writing of files, and the errors of the file system."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from almanac.errors import StorageError
from almanac.outputs import is_full


@contextmanager
def arriving(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets the name path at the end and is deleted after an error."""
    partial = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        with partial.open("xb") as file:
            yield file
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_making_folders(source: Path, target: Path) -> None:
    """Rename source to target, whose folders may be missing or be deleted meanwhile."""
    for _ in range(100):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
            return
        except FileNotFoundError:
            if not source.exists():
                raise
    raise FileNotFoundError(f"{target.parent} keeps being deleted")


def remove_empty_folders(folder: Path, root: Path) -> None:
    """Remove the folder and its parents below root as far as they are empty."""
    with suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent


@contextmanager
def storage_errors(root: Path, name: str) -> Iterator[None]:
    """Turn errors of the file system into StorageError, which names the object."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise StorageError(f"{name}: no room left in the store's folder {root}") from error
        raise StorageError(f"{name}: {error}") from error
