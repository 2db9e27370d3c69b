"""An object store in a Cloud Storage bucket; safe between threads, processes and machines.

Every read is of one generation and verified by its CRC32C (a range of a generation has none), and
made again if it arrives damaged. Every write and deletion carries its precondition, and an upload
its CRC32C, so that a damaged one is refused, and sent again. Transient errors are retried with
growing pauses; so is a write, since its precondition lets it take effect only once.
Importing this module imports Google's library: almanac.storage.opening does so when it is needed.
See docs/decisions/0019-cloud-storage.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from almanac.errors import Corrupt, NotFound, PreconditionFailed, TransientError
from almanac.storage.beside import begun
from almanac.storage.checksums import BlockSums, Checksum
from almanac.storage.cloud_errors import carried_out, described, translated
from almanac.storage.cloud_parts import sent_in_parts
from almanac.storage.cloud_requests import BucketRequests
from almanac.storage.cloud_rewrite import rewrite
from almanac.storage.files import arriving
from almanac.storage.store import (
    ObjectInfo,
    StoredObject,
    check_folder,
    check_name,
    check_prefix,
    verified,
    whole_transfer,
)

_OVERTAKEN = 20  # times that an object may be replaced while it is fetched


class CloudStore(BucketRequests):
    """ObjectStore in a bucket, below prefix (without slashes around it).

    timeout: seconds for a connection and between two bytes of an answer. patience: seconds
    for which requests may fail in all (see Patience), the first pause being at most first_pause
    seconds. Besides the errors of ObjectStore every method raises ConfigError (no such bucket),
    StorageError (access denied), TransientError (no answer within that patience).
    requests and bytes_read count the answered requests and the bytes of content received,
    for reports. range_bytes: what is fetched of a file in one request, and a file that is larger
    than part_bytes is uploaded in parts.
    """

    def read(self, name: str) -> StoredObject:
        def transfer() -> StoredObject:
            # One request: data, generation and checksum are of one answer.
            blob, data = self._media(name)
            generation, crc32c = described(name, blob)
            return verified(ObjectInfo(name, generation, len(data), crc32c), data)

        # Cloud Storage refuses uploads without the right checksum: what it stores is sound
        return whole_transfer(name, transfer)

    def stat(self, name: str) -> ObjectInfo | None:
        def transfer() -> ObjectInfo:
            blob = self._blob(name)
            with translated(self.bucket_name, name, self.patience):
                blob.reload(timeout=self._timeout, retry=self.patience)
            return self._info(name, blob)

        try:
            return whole_transfer(name, transfer)
        except NotFound:
            return None

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        checksum = Checksum()
        checksum.update(data)
        return self.upload(name, BytesIO(data), checksum, if_generation)

    def put_file(
        self, name: str, path: Path, *, move: bool = False, sums: BlockSums | None = None
    ) -> ObjectInfo:
        with self.putting(name, path, sums or BlockSums(path)) as put:
            return put()

    @contextmanager
    def putting(self, name: str, path: Path, sums: BlockSums) -> Iterator[Callable[[], ObjectInfo]]:
        """See `TransfersBeside`: only large files are sent in the background."""
        check_name(name)
        with path.open("rb") as file:
            if sums.size <= self._part_bytes:
                yield lambda: self.upload(name, file, sums.whole, 0)
                return
            with sent_in_parts(self, name, file, sums, self._part_bytes) as put:
                yield put

    def fetch_file(self, name: str, path: Path, generation: int | None = None) -> ObjectInfo:
        return self._fetch(name, path, generation, threading.Event())

    @contextmanager
    def fetching(
        self, name: str, path: Path, generation: int | None = None
    ) -> Iterator[Callable[[], ObjectInfo]]:
        """See `TransfersBeside`."""
        with begun(lambda stop: self._fetch(name, path, generation, stop)) as arrived:
            yield arrived

    def _fetch(
        self, name: str, path: Path, generation: int | None, stop: threading.Event
    ) -> ObjectInfo:
        def transfer() -> ObjectInfo:
            for _ in range(_OVERTAKEN):
                info = self._existing(name, generation)
                try:
                    with arriving(path) as file:
                        self._fetched(info, file, stop)
                    return info
                except (PreconditionFailed, NotFound):
                    if generation is not None:
                        raise
            raise TransientError(f"{name}: is replaced faster than it can be read")

        return whole_transfer(name, transfer)

    def open_local(self, name: str) -> Path | None:
        check_name(name)
        return None

    def read_range(self, name: str, generation: int, start: int, length: int) -> bytes:
        size = self._sizes.get((name, generation))
        if size is None or start + length > size:  # once more: no checksum covers a stat's answer
            size = self._existing(name, generation).size
        wanted = max(0, min(length, size - start))
        if wanted == 0:  # Cloud Storage refuses a range without bytes
            self._existing(name, generation)
            return b""
        return whole_transfer(name, lambda: self._range(name, generation, start, wanted))

    def delete(self, name: str, if_generation: int | None) -> None:
        blob = self._blob(name)

        def attempt() -> None:
            blob.delete(if_generation_match=if_generation, timeout=self._timeout, retry=None)

        carried_out(self.bucket_name, name, self.patience, attempt)

    def copy_from(self, source: CloudStore, info: ObjectInfo, if_generation: int) -> ObjectInfo:
        """Copy the generation that info names from another bucket, without its bytes passing here.

        Raises NotFound (the source no longer has it), PreconditionFailed, OutcomeUnknown.
        """
        blob, original = self._blob(info.name), source._blob(info.name)
        rewrite(original, blob, info, if_generation, self.patience, self._longest)
        return self._stored(info.name, blob, info.size, info.crc32c)

    def subfolders(self, prefix: str) -> list[str]:
        check_folder(prefix)
        listing = self._listing(prefix, "prefixes,nextPageToken", delimiter="/")
        with translated(self.bucket_name, prefix, self.patience):
            for _ in listing:  # the prefixes are complete after the last page
                pass
        start = len(self.prefix) + len(prefix)
        return sorted(found[start:].removesuffix("/") for found in listing.prefixes)

    def list(self, prefix: str, *, deep: bool = True) -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        fields = "items(name,generation,size,crc32c),nextPageToken"
        with translated(self.bucket_name, prefix, self.patience):
            for blob in self._listing(prefix, fields, **({} if deep else {"delimiter": "/"})):
                if blob.name.endswith("/"):  # how the console represents an empty folder
                    continue
                try:
                    yield self._info(blob.name.removeprefix(self.prefix), blob)
                except Corrupt as error:
                    raise TransientError(str(error)) from error

    def close(self) -> None:
        """Close the client's connections; the store can still be used and opens new ones."""
        self._client.close()

    def _existing(self, name: str, generation: int | None) -> ObjectInfo:
        info = self.stat(name)
        if info is None:
            raise NotFound(f"{name}: no such object")
        if generation is not None and info.generation != generation:
            raise PreconditionFailed(
                f"{name}: is at generation {info.generation}, expected was {generation}"
            )
        return info

    def _listing(self, prefix: str, fields: str, **options: str) -> Any:
        return self._client.list_blobs(
            self._bucket,
            prefix=self.prefix + prefix,
            fields=fields,
            timeout=self._timeout,
            retry=self.patience,
            **options,
        )
