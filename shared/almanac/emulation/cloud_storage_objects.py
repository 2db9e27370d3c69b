"""The buckets of the Cloud Storage emulator: objects as files of a folder, and their generations.

Whether a write may happen is checked under the lock that the write itself holds, so of many
writers that expect the same generation exactly one succeeds. A file is never changed once it is
an object's: an open one goes on showing its generation.
"""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from almanac.storage.checksums import Checksum


class Refused(Exception):
    """An answer that is not a success: HTTP status and the sentence that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def not_implemented(what: str) -> Refused:
    """501 for what Google knows and the emulator does not, so that nothing is passed over."""
    return Refused(501, f"The emulator does not implement {what}.")


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
    """What a request says of the generation it means: generation= and ifGenerationMatch=."""

    generation: int | None = None
    match: int | None = None

    def check(self, there: Stored | None) -> None:
        """Raise 412 unless the object is at the generation of ifGenerationMatch."""
        if self.match is not None and self.match != (there.generation if there else 0):
            raise Refused(412, "At least one of the pre-conditions you specified did not hold.")


@dataclass(slots=True)
class Upload:
    """Content that arrives for an object: metadata, expectation, and the bytes so far."""

    bucket: str
    name: str
    content_type: str
    custom: dict[str, str]
    crc32c: str | None
    wanted: Wanted
    path: Path
    announced: int | None = None  # bytes, of the whole
    checksum: Checksum = field(default_factory=Checksum)
    stored: Stored | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, chunk: bytes) -> None:
        """Append to the content."""
        with self.path.open("ab") as file:
            file.write(chunk)
        self.checksum.update(chunk)


class Buckets:
    """All buckets, with their objects' files below folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._buckets: dict[str, dict[str, Stored]] = {}
        self._files = itertools.count()
        self._generation = time.time_ns() // 1000  # as Google's: microseconds, and only growing

    def create(self, bucket: str) -> None:
        """409 if it exists."""
        with self._lock:
            if bucket in self._buckets:
                raise Refused(409, "Your previous request to create the named bucket succeeded.")
            self._buckets[bucket] = {}

    def check_bucket(self, bucket: str) -> None:
        """404 if there is no such bucket."""
        with self._lock:
            self._objects(bucket)

    def new_file(self) -> Path:
        """A path for the content of an upload."""
        return self.folder / f"{next(self._files):08d}"

    def look(self, bucket: str, name: str, wanted: Wanted) -> Stored:
        """The object; 404 (also if it is at another generation than generation=), 412."""
        with self._lock:
            return self._look(bucket, name, wanted)

    def open(self, bucket: str, name: str, wanted: Wanted) -> tuple[Stored, IO[bytes]]:
        """The object and its content, which stays readable whatever becomes of the object."""
        with self._lock:
            stored = self._look(bucket, name, wanted)
            return stored, stored.path.open("rb")

    def check(self, upload: Upload) -> None:
        """412 if the upload cannot succeed as things stand."""
        with self._lock:
            upload.wanted.check(self._objects(upload.bucket).get(upload.name))

    def commit(self, upload: Upload) -> Stored:
        """Make the upload its object's next generation; 400 for a wrong checksum, 412."""
        found = upload.checksum.crc32c
        if upload.crc32c is not None and upload.crc32c != found:
            raise Refused(
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
        """404, 412."""
        with self._lock:
            stored = self._look(bucket, name, wanted)
            del self._objects(bucket)[name]
        stored.path.unlink()

    def list(
        self, bucket: str, prefix: str, delimiter: str, after: str, limit: int
    ) -> tuple[list[Stored], list[str], str | None]:
        """One page, in the order of names: objects, common prefixes, and where the next begins.

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
            raise Refused(404, "The specified bucket does not exist.") from None

    def _look(self, bucket: str, name: str, wanted: Wanted) -> Stored:
        there = self._objects(bucket).get(name)
        if there is None or wanted.generation not in (None, there.generation):
            raise Refused(404, f"No such object: {bucket}/{name}")
        wanted.check(there)
        return there
