"""The buckets of the Cloud Storage emulator: objects as files in a folder, and their generations.

The precondition of a write is checked under the lock that the write itself holds: of many writers
that expect the same generation exactly one succeeds. The file of an object never changes, so a
file that is open keeps the content of its generation.
"""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from almanac.storage.checksums import Checksum


class HttpError(Exception):
    """An answer other than a success: the HTTP status, and a message with the reason."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def not_implemented(what: str) -> HttpError:
    """Return the 501 for what Google implements and the emulator does not."""
    return HttpError(501, f"The emulator does not implement {what}.")


@dataclass(frozen=True, slots=True)
class Stored:
    """One generation of an object; size in bytes, crc32c in base64."""

    bucket: str
    name: str
    generation: int
    size: int
    crc32c: str
    content_type: str
    custom: dict[str, str]
    created: float  # seconds since 1970
    path: Path


@dataclass(frozen=True, slots=True)
class Wanted:
    """The generation that a request names: generation= and ifGenerationMatch=."""

    generation: int | None = None
    match: int | None = None

    def check(self, existing: Stored | None) -> None:
        """Raise 412 unless the object's generation is that of ifGenerationMatch."""
        if self.match is not None and self.match != (existing.generation if existing else 0):
            raise HttpError(412, "At least one of the pre-conditions you specified did not hold.")


@dataclass(slots=True)
class Upload:
    """An upload in progress: metadata, precondition, and the bytes received so far."""

    bucket: str
    name: str
    content_type: str
    custom: dict[str, str]
    crc32c: str | None
    wanted: Wanted
    path: Path
    announced: int | None = None  # bytes of the whole content
    checksum: Checksum = field(default_factory=Checksum)
    stored: Stored | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, chunk: bytes) -> None:
        """Append a chunk to the content."""
        with self.path.open("ab") as file:
            file.write(chunk)
        self.checksum.update(chunk)


class Buckets:
    """All buckets; the files of their objects are in folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._buckets: dict[str, dict[str, Stored]] = {}
        self._files = itertools.count()
        self._generation = time.time_ns() // 1000  # microseconds and monotonic, as Google's

    def create(self, bucket: str) -> None:
        """Create a bucket; raise 409 if it exists."""
        with self._lock:
            if bucket in self._buckets:
                raise HttpError(409, "Your previous request to create the named bucket succeeded.")
            self._buckets[bucket] = {}

    def check_bucket(self, bucket: str) -> None:
        """Raise 404 if the bucket does not exist."""
        with self._lock:
            self._objects(bucket)

    def new_file(self) -> Path:
        """Return an unused path for the content of an upload."""
        return self.folder / f"{next(self._files):08d}"

    def look(self, bucket: str, name: str, wanted: Wanted) -> Stored:
        """Return the object; raise 404 (also for another generation than generation=) or 412."""
        with self._lock:
            return self._look(bucket, name, wanted)

    def open(self, bucket: str, name: str, wanted: Wanted) -> tuple[Stored, IO[bytes]]:
        """Return the object and its content, which stays readable when the object is replaced."""
        with self._lock:
            stored = self._look(bucket, name, wanted)
            return stored, stored.path.open("rb")

    def check(self, upload: Upload) -> None:
        """Raise 412 if the precondition of the upload does not hold now."""
        with self._lock:
            upload.wanted.check(self._objects(upload.bucket).get(upload.name))

    def commit(self, upload: Upload) -> Stored:
        """Store the upload as its object's next generation; raise 400 (wrong checksum) or 412."""
        found = upload.checksum.crc32c
        if upload.crc32c is not None and upload.crc32c != found:
            raise HttpError(
                400,
                f'Provided CRC32C "{upload.crc32c}" doesn\'t match calculated CRC32C "{found}".',
            )
        upload.path.touch()
        with self._lock:
            objects = self._objects(upload.bucket)
            before = objects.get(upload.name)
            upload.wanted.check(before)
            self._generation += 1
            upload.stored = objects[upload.name] = Stored(
                bucket=upload.bucket,
                name=upload.name,
                generation=self._generation,
                size=upload.checksum.size,
                crc32c=found,
                content_type=upload.content_type,
                custom=upload.custom,
                created=time.time(),
                path=upload.path,
            )
        if before:
            before.path.unlink()
        return upload.stored

    def delete(self, bucket: str, name: str, wanted: Wanted) -> None:
        """Delete the object; raise 404 or 412."""
        with self._lock:
            stored = self._look(bucket, name, wanted)
            del self._objects(bucket)[name]
        stored.path.unlink()

    def list(
        self, bucket: str, prefix: str, delimiter: str, after: str, limit: int
    ) -> tuple[list[Stored], list[str], str | None]:
        """Return one page in the order of names: objects, common prefixes, and the next token.

        after is the last name or prefix of the page before.
        """
        with self._lock:
            objects = dict(self._objects(bucket))
        items: list[Stored] = []
        prefixes: list[str] = []
        last = None
        for name in sorted(each for each in objects if each.startswith(prefix)):
            head, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            entry = prefix + head + found if found else name
            if entry <= after or entry == last:
                continue
            if len(items) + len(prefixes) == limit:
                return items, prefixes, last
            last = entry
            if found:
                prefixes.append(entry)
            else:
                items.append(objects[name])
        return items, prefixes, None

    def _objects(self, bucket: str) -> dict[str, Stored]:
        try:
            return self._buckets[bucket]
        except KeyError:
            raise HttpError(404, "The specified bucket does not exist.") from None

    def _look(self, bucket: str, name: str, wanted: Wanted) -> Stored:
        existing = self._objects(bucket).get(name)
        if existing is None or wanted.generation not in (None, existing.generation):
            raise HttpError(404, f"No such object: {bucket}/{name}")
        wanted.check(existing)
        return existing
