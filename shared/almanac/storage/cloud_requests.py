"""The requests to a Cloud Storage bucket: each with its precondition, its retries, its checksum."""

from __future__ import annotations

import io
import threading
from typing import IO, TYPE_CHECKING

from almanac.client_errors import is_passing
from almanac.errors import Corrupt, NotFound, OutcomeUnknown, PreconditionFailed
from almanac.storage.checksums import Checksum
from almanac.storage.cloud_client import new_client
from almanac.storage.cloud_errors import carried_out, described, translated
from almanac.storage.cloud_parts import (
    PART,
    RANGE,
    Downloaded,
    RangeWriter,
    fetch_ranges,
)
from almanac.storage.cloud_rewrite import content_type
from almanac.storage.patience import Patience
from almanac.storage.store import ObjectInfo, check_content, check_name, whole_transfer

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Client  # type: ignore[import-untyped]
    from requests import Response

_CHUNK = 32 << 20
_ONE_REQUEST = 8 << 20  # bytes: the library sends no more in one request
_REMEMBERED = 10_000  # generations whose size is known


class BucketRequests:
    """What CloudStore is made of; parameters and attributes as there."""

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        client: Client | None = None,
        *,
        timeout: float = 30.0,
        patience: float = 60.0,
        first_pause: float = 0.5,
        range_bytes: int = RANGE,
        part_bytes: int = PART,
    ) -> None:
        self.bucket_name = bucket
        self.prefix = f"{check_name(prefix)}/" if prefix else ""
        self.requests = 0
        self.bytes_read = 0
        self._counting = threading.Lock()
        self._longest = timeout
        self.patience = Patience(patience, is_passing, first_pause=first_pause)
        self._range_bytes, self._part_bytes = range_bytes, part_bytes
        self._client = client or new_client()
        self._client._http.hooks["response"].append(self._answered)
        self._bucket = self._client.bucket(bucket)
        self._sizes: dict[tuple[str, int], int] = {}

    def upload(
        self,
        name: str,
        file: IO[bytes] | io.RawIOBase,
        checksum: Checksum,
        if_generation: int | None,
        *,
        chunk_bytes: int = _CHUNK,
    ) -> ObjectInfo:
        """Write an object from an open file; errors as of ObjectStore.write.

        chunk_bytes: so much of a large one is in memory.
        """
        in_parts = checksum.size > _ONE_REQUEST

        def attempt() -> Blob:
            file.seek(0)
            blob = self._blob(name)
            blob.crc32c = checksum.crc32c  # Cloud Storage refuses other content
            blob.chunk_size = chunk_bytes
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

    def compose(self, name: str, parts: list[ObjectInfo], checksum: Checksum) -> ObjectInfo:
        """Put objects together as one that does not exist, and delete them; see PartStore."""
        blob = self._blob(name)
        blob.content_type = content_type(name)

        def attempt() -> None:
            blob.compose(
                [self._blob(each.name) for each in parts],
                if_generation_match=0,
                if_source_generation_match=[each.generation for each in parts],
                # So they are gone for good, with neither archived versions nor soft deletion.
                delete_source_objects=True,
                timeout=self._timeout,
                retry=None,
            )

        try:
            carried_out(self.bucket_name, name, self.patience, attempt)
        except NotFound as error:
            raise PreconditionFailed(f"{name}: its parts are there no more") from error
        return self._stored(name, blob, checksum.size, checksum.crc32c)

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

    def _media(self, name: str) -> tuple[Blob, bytes]:
        """Return the whole content, of one answer with its generation and checksum."""
        received = Downloaded()
        return self._download(name, received), received.content

    def _range(self, name: str, generation: int, start: int, length: int) -> bytes:
        received = Downloaded()
        self._download_range(name, generation, start, length, received)
        return received.content

    def _fetched(self, info: ObjectInfo, file: IO[bytes], stop: threading.Event) -> None:
        """Write one generation into an empty file; raise Corrupt if it arrives damaged."""
        file.truncate(info.size)

        def fetch(start: int, length: int) -> Checksum:
            def transfer() -> Checksum:
                place = RangeWriter(file, start)
                self._download_range(info.name, info.generation, start, length, place)
                return place.checksum

            return whole_transfer(info.name, transfer)

        checksum = fetch_ranges(info.size, fetch, stop, length=self._range_bytes)
        check_content(info, checksum.size, checksum.crc32c)

    def _download_range(
        self, name: str, generation: int, start: int, length: int, to: Downloaded
    ) -> None:
        # if_generation_match, not generation=: that also finds a generation that was replaced.
        end = start + length - 1
        self._download(name, to, start=start, end=end, if_generation_match=generation)
        if to.size != length:
            raise Corrupt(f"{name}: {to.size} bytes were received where {length} were requested")

    def _download(self, name: str, to: Downloaded, **wanted: int) -> Blob:
        """Hand over the content as stored, in one piece; a request that breaks off is retried."""
        blob = self._blob(name)
        with translated(self.bucket_name, name, self.patience):
            blob.download_to_file(
                to,
                raw_download=True,
                single_shot_download=True,  # the library's own streaming handles 8 KiB at a time
                checksum=None,  # ours is checked
                timeout=self._timeout,
                retry=self.patience,
                **wanted,
            )
        with self._counting:
            self.bytes_read += to.size
        return blob

    def _stored(self, name: str, blob: Blob, size: int, crc32c: str) -> ObjectInfo:
        try:
            info = self._info(name, blob)
            check_content(info, size, crc32c)
        except Corrupt as error:  # of the answer; what is stored may be what was sent
            raise OutcomeUnknown(name, "the answer to its upload was damaged") from error
        return info

    def _answered(self, response: Response, *_args: object, **_options: object) -> None:
        with self._counting:
            self.requests += 1
        if not response.ok:
            _ = response.content  # else it keeps its connection: the library does not read it
