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
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from almanac.client_errors import is_passing
from almanac.errors import Corrupt, NotFound, OutcomeUnknown, PreconditionFailed, TransientError
from almanac.storage.checksums import Checksum, checksum_of_file
from almanac.storage.cloud_client import new_client
from almanac.storage.cloud_errors import carried_out, described, translated
from almanac.storage.cloud_rewrite import content_type, rewrite
from almanac.storage.files import arriving
from almanac.storage.patience import Patience
from almanac.storage.store import (
    ObjectInfo,
    StoredObject,
    check_content,
    check_folder,
    check_name,
    check_prefix,
    verified,
    whole_transfer,
)

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Client  # type: ignore[import-untyped]
    from requests import Response

_PART = 32 << 20  # bytes of a file that are in memory at once
_ONE_REQUEST = 8 << 20  # bytes: the library sends no more in one request
_OVERTAKEN = 20  # times that an object may be replaced while it is fetched
_REMEMBERED = 10_000  # generations whose size is known


class CloudStore:
    """ObjectStore in a bucket, below prefix (without slashes around it).

    timeout: seconds for a connection and between two bytes of an answer. patience: seconds
    for which requests may fail in all (see Patience), the first pause being at most first_pause
    seconds. Besides the errors of ObjectStore every method raises ConfigError (no such bucket),
    StorageError (access denied), TransientError (no answer within that patience).
    requests and bytes_read count the answered requests and the bytes of content received,
    for reports.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        client: Client | None = None,
        *,
        timeout: float = 30.0,
        patience: float = 60.0,
        first_pause: float = 0.5,
    ) -> None:
        self.bucket_name = bucket
        self.prefix = f"{check_name(prefix)}/" if prefix else ""
        self.requests = 0
        self.bytes_read = 0
        self._counting = threading.Lock()
        self._longest = timeout
        self.patience = Patience(patience, is_passing, first_pause=first_pause)
        self._client = client or new_client()
        self._client._http.hooks["response"].append(self._answered)
        self._bucket = self._client.bucket(bucket)
        self._sizes: dict[tuple[str, int], int] = {}

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
        return self._upload(name, BytesIO(data), checksum, if_generation)

    def put_file(self, name: str, path: Path, *, move: bool = False) -> ObjectInfo:
        check_name(name)
        checksum = checksum_of_file(path)
        with path.open("rb") as file:
            return self._upload(name, file, checksum, 0)

    def fetch_file(self, name: str, path: Path, generation: int | None = None) -> ObjectInfo:
        def transfer() -> ObjectInfo:
            for _ in range(_OVERTAKEN):
                info = self._existing(name, generation)
                try:
                    with arriving(path) as file:
                        checksum = self._copy(info, file)
                        check_content(info, checksum.size, checksum.crc32c)
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

    @property
    def _timeout(self) -> float:
        return self.patience.timeout(self._longest)

    def _blob(self, name: str) -> Blob:
        """Make a handle; it has state, so threads must not share it."""
        return self._bucket.blob(self.prefix + check_name(name))

    def _info(self, name: str, blob: Blob) -> ObjectInfo:
        generation, crc32c = described(name, blob)
        info = ObjectInfo(name, generation, blob.size or 0, crc32c)
        if len(self._sizes) >= _REMEMBERED:
            self._sizes.clear()
        self._sizes[name, info.generation] = info.size
        return info

    def _existing(self, name: str, generation: int | None) -> ObjectInfo:
        info = self.stat(name)
        if info is None:
            raise NotFound(f"{name}: no such object")
        if generation is not None and info.generation != generation:
            raise PreconditionFailed(
                f"{name}: is at generation {info.generation}, expected was {generation}"
            )
        return info

    def _media(self, name: str, **wanted: int) -> tuple[Blob, bytes]:
        """Return the content as stored, in one piece; a request that breaks off is retried."""
        blob = self._blob(name)
        with translated(self.bucket_name, name, self.patience):
            data: bytes = blob.download_as_bytes(
                raw_download=True,
                single_shot_download=True,
                checksum=None,  # ours is checked
                timeout=self._timeout,
                retry=self.patience,
                **wanted,
            )
        with self._counting:
            self.bytes_read += len(data)
        return blob, data

    def _range(self, name: str, generation: int, start: int, length: int) -> bytes:
        # if_generation_match, not generation=: that also finds a generation that was replaced.
        end = start + length - 1
        _, data = self._media(name, start=start, end=end, if_generation_match=generation)
        if len(data) != length:
            raise Corrupt(f"{name}: {len(data)} bytes were received where {length} were requested")
        return data

    def _copy(self, info: ObjectInfo, file: IO[bytes]) -> Checksum:
        # In parts: the library's own streaming handles 8 KiB at a time.
        checksum = Checksum()
        for start in range(0, info.size, _PART):
            length = min(_PART, info.size - start)
            data = self._range(info.name, info.generation, start, length)
            checksum.update(data)
            file.write(data)
            del data  # before the next part comes
        return checksum

    def _upload(
        self, name: str, file: IO[bytes], checksum: Checksum, if_generation: int | None
    ) -> ObjectInfo:
        in_parts = checksum.size > _ONE_REQUEST

        def attempt() -> Blob:
            file.seek(0)
            blob = self._blob(name)
            blob.crc32c = checksum.crc32c  # Cloud Storage refuses other content
            blob.chunk_size = _PART
            try:
                blob.upload_from_file(
                    file,
                    size=checksum.size,
                    content_type=content_type(name),
                    checksum=None,
                    if_generation_match=if_generation,
                    timeout=self._timeout,
                    # A part is retried within its upload, which knows what has arrived and is
                    # finished once. carried_out retries everything else.
                    retry=self.patience if in_parts else None,
                )
            except ValueError as error:  # the upload kept only some of the bytes of a part
                raise ConnectionError(f"{name}: an upload broke off: {error}") from error
            return blob

        blob = carried_out(self.bucket_name, name, self.patience, attempt)
        return self._stored(name, blob, checksum.size, checksum.crc32c)

    def _stored(self, name: str, blob: Blob, size: int, crc32c: str) -> ObjectInfo:
        try:
            info = self._info(name, blob)
            check_content(info, size, crc32c)
        except Corrupt as error:  # of the answer; what is stored may be what was sent
            raise OutcomeUnknown(name, "the answer to its upload was damaged") from error
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

    def _answered(self, response: Response, *_args: object, **_options: object) -> None:
        with self._counting:
            self.requests += 1
        if not response.ok:
            _ = response.content  # else it keeps its connection: the library does not read it
