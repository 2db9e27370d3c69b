"""The archive: a ZIP file whose bytes follow from what is put in, with a manifest of checksums.

Members are stored, not compressed, in the order in which they are written and with one fixed time:
compressed bytes would depend on the library that compresses them.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self

from pydantic import ValidationError

from almanac import __version__
from almanac.errors import Corrupt, InputError
from almanac.evidence.model import ArchiveManifest, ArchiveMember, DatabaseState, MadeArchive
from almanac.json_text import indented_json
from almanac.validation_text import first_problem_text

FORMAT = 1
MANIFEST = "manifest.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a ZIP file can hold
_UNIX, _READABLE = 3, 0o100644 << 16  # the same on every system
_CHUNK = 1 << 20  # bytes


class ArchiveWriter:
    """Writes members one after the other, the manifest last."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
        self._members: list[ArchiveMember] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a member of any size. Raises OSError, and what the chunks raise."""
        digest, size = hashlib.sha256(), 0
        with self._zip.open(_entry(name), "w", force_zip64=True) as member:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                member.write(chunk)
        self._members.append(ArchiveMember(name=name, size=size, sha256=digest.hexdigest()))

    def finish(self, about: str, database: DatabaseState, made_at: str | None) -> ArchiveManifest:
        """Write the manifest; the end of the archive follows when the writer is closed."""
        manifest = ArchiveManifest(
            format=FORMAT,
            almanac=__version__,
            about=about,
            database=database,
            made_at=made_at,
            members=self._members,
        )
        text = indented_json(manifest.model_dump(mode="json"))
        self._zip.writestr(_entry(MANIFEST), text)
        return manifest


def check_archive(path: Path) -> MadeArchive:
    """Return what an archive holds, all of whose members have the checksums of its manifest.

    Raises InputError for a file that is no such archive, Corrupt for one that has changed.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                manifest = _manifest(archive, path)
                _check_names(archive, manifest, path)
                for member in manifest.members:
                    _check_member(archive, member, path)
                _check_between(archive, path)
        except zipfile.BadZipFile as error:
            raise Corrupt(f"{path}: is no whole ZIP file: {error}") from None
        except (OSError, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
            raise Corrupt(f"{path}: has changed, and cannot be read: {error}") from None
    return MadeArchive(file=str(path), sha256=sha256_of(path), manifest=manifest)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_STORED
    entry.create_system, entry.external_attr = _UNIX, _READABLE
    return entry


def _manifest(archive: zipfile.ZipFile, path: Path) -> ArchiveManifest:
    try:
        text = archive.read(MANIFEST)
    except KeyError:
        raise InputError(
            f"{path}: has no {MANIFEST}; expected an archive of almanac evidence"
        ) from None
    try:
        manifest = ArchiveManifest.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"{path}: {MANIFEST}: {first_problem_text(error)}") from None
    if manifest.format != FORMAT:
        raise InputError(f"{path}: has the format {manifest.format}; expected {FORMAT}")
    return manifest


def _check_names(archive: zipfile.ZipFile, manifest: ArchiveManifest, path: Path) -> None:
    """Raise Corrupt unless the archive has the members of its manifest, in their order."""
    found = archive.namelist()
    named = [*(member.name for member in manifest.members), MANIFEST]
    if found != named:
        raise Corrupt(f"{path}: holds {', '.join(found)}; its manifest names {', '.join(named)}")


def _check_member(archive: zipfile.ZipFile, member: ArchiveMember, path: Path) -> None:
    digest = hashlib.sha256()
    for chunk in _content(archive, member.name):
        digest.update(chunk)
    if digest.hexdigest() != member.sha256:
        raise Corrupt(
            f"{path}: {member.name} has the SHA-256 {digest.hexdigest()}; "
            f"its manifest names {member.sha256}"
        )


def _check_between(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise Corrupt unless the bytes around the members are those that a writer writes."""
    with path.open("rb") as original:
        comparison = _Comparison(original)
        with zipfile.ZipFile(comparison, "w", zipfile.ZIP_STORED) as again:
            for name in archive.namelist():
                if name == MANIFEST:
                    again.writestr(_entry(name), archive.read(name))
                    continue
                with again.open(_entry(name), "w", force_zip64=True) as member:
                    for chunk in _content(archive, name):
                        member.write(chunk)
        size = original.seek(0, io.SEEK_END)
    differing = min(comparison.differing, default=min(size, comparison.tell()))
    if differing < max(size, comparison.tell()):
        raise Corrupt(
            f"{path}: from byte {differing:,} on it is not what almanac evidence writes; what it "
            "holds has the checksums of its manifest"
        )


class _Comparison(io.RawIOBase):
    """A file to write to, which only compares what is written with a file that is there."""

    def __init__(self, original: BinaryIO) -> None:
        self._original, self._at = original, 0
        self.differing: set[int] = set()  # where a write differs, unless it was written over

    def write(self, data: Any) -> int:
        self._original.seek(self._at)
        if self._original.read(len(data)) == bytes(data):
            self.differing.discard(self._at)
        else:
            self.differing.add(self._at)
        self._at += len(data)
        return len(data)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("seek from elsewhere than the start")
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at


def _content(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with archive.open(name) as file:
        while chunk := file.read(_CHUNK):
            yield chunk
