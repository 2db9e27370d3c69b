"""Objects that the Cloud Storage emulator puts together from others of the bucket (`compose`)."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import IO, Any

from almanac.storage.checksums import CHUNK
from almanac_emulation.cloud_storage.buckets import (
    Buckets,
    HttpError,
    Stored,
    Upload,
    Wanted,
    not_implemented,
)
from almanac_emulation.cloud_storage.requests import Call, Reply, document_of, json_reply

ROUTE = "/storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>[^/]+)/compose"
_MOST = 32  # objects that one request puts together


class Composes:
    """Put objects together. document makes the object resource that answers the request."""

    def __init__(self, buckets: Buckets, document: Callable[[Stored], dict[str, Any]]) -> None:
        self._buckets = buckets
        self._document = document

    def post(self, call: Call) -> Reply:
        """Store what the sources hold, in their order; delete them if the request says so."""
        call.allow("ifGenerationMatch")
        request = document_of(
            call.body.read(), {"kind", "sourceObjects", "destination", "deleteSourceObjects"}
        )
        sources = request.get("sourceObjects") or []
        if not 1 <= len(sources) <= _MOST:
            raise HttpError(400, f"The number of source components must be 1 to {_MOST}.")
        destination = dict(request.get("destination") or {})
        if other := destination.keys() - {"name", "contentType"}:
            raise not_implemented(f"the metadata {', '.join(sorted(other))} of what is composed")
        upload = Upload(
            bucket=call.bucket,
            name=call.name,
            content_type=destination.get("contentType") or "application/octet-stream",
            custom={},
            crc32c=None,
            wanted=call.wanted,
            path=self._buckets.new_file(),
        )
        self._buckets.check(upload)
        with ExitStack() as opened:
            parts = [self._open(call.bucket, each, opened) for each in sources]
            with upload.path.open("wb") as file:
                for stored, content in parts:
                    shutil.copyfileobj(content, file, CHUNK)
                    crc = int.from_bytes(base64.b64decode(stored.crc32c), "big")
                    upload.checksum.append(crc, stored.size)
        try:
            composed = self._buckets.commit(upload)
        except HttpError:
            upload.path.unlink(missing_ok=True)
            raise
        if request.get("deleteSourceObjects"):
            for stored, _ in parts:
                with suppress(HttpError):  # another request deletes it too
                    self._buckets.delete(call.bucket, stored.name, Wanted(stored.generation))
        return json_reply(self._document(composed))

    def _open(
        self, bucket: str, source: dict[str, Any], opened: ExitStack
    ) -> tuple[Stored, IO[bytes]]:
        """Return a source and its content; raise 404, or 412 for another generation."""
        if other := source.keys() - {"name", "generation", "objectPreconditions"}:
            raise not_implemented(f"{', '.join(sorted(other))} of a source")
        conditions = source.get("objectPreconditions") or {}
        if other := conditions.keys() - {"ifGenerationMatch"}:
            raise not_implemented(f"{', '.join(sorted(other))} of a source")
        generation, match = source.get("generation"), conditions.get("ifGenerationMatch")
        wanted = Wanted(
            None if generation is None else int(generation), None if match is None else int(match)
        )
        stored, content = self._buckets.open(bucket, source["name"], wanted)
        return stored, opened.enter_context(content)
