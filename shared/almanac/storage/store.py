"""The interface of an object store, with the semantics of Google Cloud Storage.

Every object has a generation, an integer that grows with each write of the name, also across
a deletion; 0 means "does not exist". A write or deletion names the generation that it expects
and fails with PreconditionFailed if the object is at another one. A reader gets one whole
generation or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from almanac.errors import (
    Corrupt,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    RequestError,
    TransientError,
)
from almanac.storage.checksums import BlockSums, Checksum, crc32c_of

T = TypeVar("T")

_NAME_BYTES = 1024
_PART_BYTES = 250
LOST_ANSWERS = 3  # attempts at a change of which a read-back shows that none took effect
TRANSFERS = 3  # of data that arrive damaged, before that is believed


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object without its data: size in bytes, CRC32C in base64."""

    name: str
    generation: int
    size: int
    crc32c: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object whose data agree with its size and CRC32C."""

    name: str
    data: bytes
    generation: int
    size: int
    crc32c: str


class ObjectStore(Protocol):
    """Objects by name. Every method raises RequestError for a name that check_name refuses.

    What is read is verified, and read again if it arrives damaged. Corrupt means that the object
    itself is damaged where it is stored; if a sound one arrives damaged each time, TransientError.
    """

    def read(self, name: str) -> StoredObject:
        """Return the object, verified; raise NotFound, Corrupt."""
        ...

    def stat(self, name: str) -> ObjectInfo | None:
        """Return the object without its data, None if there is none."""
        ...

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        """Write the whole object: put-if-absent with 0, compare-and-swap with a generation.

        None overwrites any generation, and is never right for an object with several writers.
        Raises PreconditionFailed, OutcomeUnknown (the answer was lost).
        """
        ...

    def put_file(
        self, name: str, path: Path, *, move: bool = False, sums: BlockSums | None = None
    ) -> ObjectInfo:
        """Put a file's content if the object is absent, streaming.

        sums: those of the file, if the caller has them or needs them too.

        With move the store may take the file away on success (such a store never raises
        OutcomeUnknown); otherwise the file stays as it is.
        Raises PreconditionFailed, OutcomeUnknown.
        """
        ...

    def fetch_file(self, name: str, path: Path, generation: int | None = None) -> ObjectInfo:
        """Copy the object into a new file at path, streaming and verified.

        With a generation, only that one. After any error there is no file at path.
        Raises NotFound, PreconditionFailed (another generation), Corrupt.
        """
        ...

    def open_local(self, name: str) -> Path | None:
        """Return a file with the object's verified data, to be read and never written.

        None if the store keeps no files. Raises NotFound, Corrupt.
        """
        ...

    def read_range(self, name: str, generation: int, start: int, length: int) -> bytes:
        """Return bytes [start, start + length) of one generation, fewer only at the object's end.

        The length is verified, the content is not: a range has no checksum. Raises NotFound,
        PreconditionFailed (the object is at another generation).
        """
        ...

    def delete(self, name: str, if_generation: int | None) -> None:
        """Delete the object; raise NotFound, PreconditionFailed, OutcomeUnknown."""
        ...

    def subfolders(self, prefix: str) -> list[str]:
        """Return the names directly below prefix that have objects below them, sorted.

        prefix ends with a slash or is empty; the names are without slashes.
        """
        ...

    def list(self, prefix: str, *, deep: bool = True) -> Iterator[ObjectInfo]:
        """Yield the objects whose names begin with prefix, sorted; not deep: of no folder below."""
        ...


def check_name(name: str) -> str:
    """Return the name if it stays within the store's root and out of hidden folders."""
    _check_parts(name, name.split("/"))
    return name


def check_prefix(prefix: str) -> str:
    """Return the prefix of a listing if it is empty or the beginning of a valid name."""
    *parts, beginning = prefix.split("/")
    _check_parts(prefix, parts + ([beginning] if beginning else []))
    return prefix


def check_folder(prefix: str) -> str:
    """Return the prefix of a folder if it ends with a slash, or is empty for the root."""
    if prefix and not prefix.endswith("/"):
        raise RequestError(f"object name {prefix!r}: a folder ends with a slash")
    return check_prefix(prefix)


def _check_parts(name: str, parts: list[str]) -> None:
    shown = repr(name) if len(name) <= 80 else repr(name[:80]) + "..."
    try:
        too_long = len(name.encode()) > _NAME_BYTES
        too_long = too_long or any(len(part.encode()) > _PART_BYTES for part in parts)
    except UnicodeEncodeError:
        raise RequestError(f"object name {shown}: not text that can be encoded") from None
    if too_long:
        raise RequestError(
            f"object name {shown}: longer than {_NAME_BYTES} bytes, "
            f"or a part of it than {_PART_BYTES}"
        )
    if not name.isprintable() or "\\" in name:
        raise RequestError(f"object name {shown}: holds a control character or a backslash")
    for part in parts:
        if not part:
            raise RequestError(f"object name {shown}: an empty part")
        if part.startswith("."):
            raise RequestError(f"object name {shown}: a part that begins with a dot")


def verified(info: ObjectInfo, data: bytes) -> StoredObject:
    """Return the object if the data read are the data written; else raise Corrupt."""
    check_content(info, len(data), crc32c_of(data) if len(data) == info.size else "")
    return StoredObject(info.name, data, info.generation, info.size, info.crc32c)


def check_content(info: ObjectInfo, size: int, crc32c: str) -> None:
    """Raise Corrupt unless size and checksum of what was read are those of the object."""
    if size != info.size:
        raise Corrupt(f"{info.name}: {size} bytes were read where {info.size} were written")
    if crc32c != info.crc32c:
        raise Corrupt(
            f"{info.name}: checksum {crc32c} of the data read is not {info.crc32c}, "
            "that of the data written"
        )


def whole_transfer(
    name: str, transfer: Callable[[], T], is_sound: Callable[[], bool] = lambda: True
) -> T:
    """Return the result of transfer, which raises Corrupt if its data arrive damaged.

    It is then called again, up to TRANSFERS times in all. is_sound: whether what is stored agrees
    with its own checksum. Raises TransientError if it does, Corrupt if it does not.
    """
    for _ in range(TRANSFERS):
        try:
            return transfer()
        except Corrupt as error:
            damaged = error
    if not is_sound():
        raise damaged
    raise TransientError(
        f"{name}: was damaged on its way {TRANSFERS} times; what is stored is sound; try again"
    ) from damaged


def write_once(store: ObjectStore, name: str, data: bytes) -> ObjectInfo:
    """Write an object that is never overwritten; the same content there already is success.

    A lost answer is resolved by reading back. Raises PreconditionFailed if the name holds
    other content, TransientError if nothing was written, OutcomeUnknown if reading back gets no
    answer either.
    """

    def content() -> Checksum:
        checksum = Checksum()
        checksum.update(data)
        return checksum

    return put_once(store.stat, name, lambda: store.write(name, data, if_generation=0), content)


def put_file_once(store: ObjectStore, name: str, path: Path, *, move: bool = False) -> ObjectInfo:
    """Put a file as an object that is never overwritten; results and errors as of write_once."""
    sums = BlockSums(path)
    put = partial(store.put_file, name, path, move=move, sums=sums)
    return put_once(store.stat, name, put, lambda: sums.whole)


def put_once(
    stat: Callable[[str], ObjectInfo | None],
    name: str,
    put: Callable[[], ObjectInfo],
    content: Callable[[], Checksum],
) -> ObjectInfo:
    """Put an object as write_once does; put: makes the request, content: returns what it holds."""
    for _ in range(LOST_ANSWERS):
        try:
            return put()
        except OutcomeUnknown as error:
            lost = error
            with reading_back(lost):
                there = stat(name)
            if there is None:
                continue  # nothing was written
        except PreconditionFailed:
            there = _found(stat, name)
        return _same(there, content())
    raise lost.as_not_written() from lost


@contextmanager
def reading_back(lost: OutcomeUnknown | None) -> Iterator[None]:
    """Raise the lost outcome, if there is one, if the read that would show it gets no answer."""
    try:
        yield
    except TransientError as error:
        if lost is None:
            raise
        raise lost from error


def _found(stat: Callable[[str], ObjectInfo | None], name: str) -> ObjectInfo:
    there = stat(name)
    if there is None:
        raise PreconditionFailed(f"{name}: existed and has been deleted meanwhile")
    return there


def _same(there: ObjectInfo, content: Checksum) -> ObjectInfo:
    if (there.size, there.crc32c) == (content.size, content.crc32c):
        return there
    raise PreconditionFailed(
        f"{there.name}: exists with other content ({there.size} bytes, {there.crc32c}; "
        f"not {content.size} bytes, {content.crc32c})"
    )


def stat_expecting(store: ObjectStore, name: str, content: tuple[int, str]) -> ObjectInfo | None:
    """Return the object without its data, None if there is none.

    If its size and checksum are not the expected content, ask once more: no checksum covers the
    answer, and what it says may end a run.
    """
    there = store.stat(name)
    if there is not None and (there.size, there.crc32c) != content:
        there = store.stat(name)
    return there


def read_or_none(store: ObjectStore, name: str) -> StoredObject | None:
    """Return the object, verified; None if there is none."""
    try:
        return store.read(name)
    except NotFound:
        return None
