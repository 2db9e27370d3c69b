"""Copies that the Cloud Storage emulator makes itself, from one object to another (`rewriteTo`).

As between Google's regions one answer covers a part of a large object, and gives a token with
which the client has to ask again.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from almanac.storage.checksums import CHUNK
from almanac_emulation.cloud_storage.buckets import Buckets, HttpError, Stored, Upload, Wanted
from almanac_emulation.cloud_storage.requests import Call, Reply, document_of, json_reply

ROUTE = (
    "/storage/v1/b/(?P<source_bucket>[^/]+)/o/(?P<source>[^/]+)"
    "/rewriteTo/b/(?P<bucket>[^/]+)/o/(?P<name>[^/]+)"
)
AT_ONCE = 1 << 20  # bytes of an object that need no second request


class Rewrites:
    """The copies in progress. document makes the object resource that answers a finished one."""

    def __init__(self, buckets: Buckets, document: Callable[[Stored], dict[str, Any]]) -> None:
        self._buckets = buckets
        self._document = document
        self._lock = threading.Lock()
        self._begun: dict[str, Stored] = {}  # by token

    def post(self, call: Call) -> Reply:
        """Copy an object, or answer that the first part of it is copied."""
        call.allow("ifGenerationMatch", "sourceGeneration", "rewriteToken")
        metadata = document_of(call.body.read(), {"name", "contentType"})
        wanted = Wanted(generation=call.number("sourceGeneration"))
        stored, file = self._buckets.open(
            unquote(call.groups["source_bucket"]), unquote(call.groups["source"]), wanted
        )
        with file:
            upload = Upload(
                bucket=call.bucket,
                name=call.name,
                content_type=metadata.get("contentType") or stored.content_type,
                custom={},
                crc32c=None,
                wanted=call.wanted,
                path=self._buckets.new_file(),
            )
            self._buckets.check(upload)
            if (token := self._unfinished(call, stored)) is not None:
                return json_reply(_answer(stored, AT_ONCE, rewriteToken=token))
            while chunk := file.read(CHUNK):
                upload.take(chunk)
        resource = self._document(self._buckets.commit(upload))
        return json_reply(_answer(stored, stored.size, resource=resource))

    def _unfinished(self, call: Call, stored: Stored) -> str | None:
        """Return the token to go on with; None if this request finishes the copy."""
        given = call.query.get("rewriteToken")
        with self._lock:
            if given is not None:
                if self._begun.get(given) != stored:
                    raise HttpError(400, "Invalid rewrite token.")
                return None
            if stored.size <= AT_ONCE:
                return None
            token = secrets.token_urlsafe(16)
            self._begun[token] = stored
            return token


def _answer(stored: Stored, rewritten: int, **rest: Any) -> dict[str, Any]:
    return {
        "kind": "storage#rewriteResponse",
        "totalBytesRewritten": str(rewritten),
        "objectSize": str(stored.size),
        "done": "resource" in rest,
        **rest,
    }
