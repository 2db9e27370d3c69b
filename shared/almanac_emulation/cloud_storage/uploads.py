"""Uploads to the Cloud Storage emulator: in one request (media, multipart) or resumable."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable
from email.message import Message
from typing import Any

from almanac.storage.checksums import CHUNK
from almanac_emulation.cloud_storage.buckets import (
    Buckets,
    HttpError,
    Stored,
    Upload,
    not_implemented,
)
from almanac_emulation.cloud_storage.requests import Call, Reply, document_of, json_reply

_METADATA = {"name", "contentType", "crc32c", "metadata"}
_GRAIN = 256 * 1024  # bytes: every chunk of a resumable upload but the last is a multiple


class Uploads:
    """The uploads in progress. document makes the object resource that answers a finished one."""

    def __init__(self, buckets: Buckets, document: Callable[[Stored], dict[str, Any]]) -> None:
        self._buckets = buckets
        self._document = document
        self._lock = threading.Lock()
        self._resumable: dict[str, Upload] = {}

    def post(self, call: Call) -> Reply:
        """Store an upload, or begin a resumable one."""
        kind = call.query.get("uploadType")
        if kind == "resumable":
            return self._begin(call)
        if kind == "multipart":
            call.allow("uploadType", "ifGenerationMatch")
            metadata, ending = _first_part(call)
            upload = self._upload(call, metadata)
            upload.take(call.alter(_without(call.body.read(), ending)))
        elif kind == "media":
            call.allow("uploadType", "ifGenerationMatch", "name")
            upload = self._upload(call, {"name": call.query.get("name")})
            while chunk := call.body.read(CHUNK):
                upload.take(call.alter(chunk))
        else:
            raise not_implemented(f"uploadType={kind}")
        return json_reply(self._document(self._commit(upload)))

    def put(self, call: Call) -> Reply:
        """Take a chunk of a resumable upload, or report how many bytes have arrived."""
        call.allow("uploadType", "upload_id")
        with self._lock:
            upload = self._resumable.get(call.query.get("upload_id", ""))
        if upload is None:
            raise HttpError(404, "No such upload.")
        call.name = upload.name
        call.meet(call)
        with upload.lock:
            if upload.stored:  # a retry, after the answer was lost
                return json_reply(self._document(upload.stored))
            first, total = _content_range(call)
            if total is not None and upload.announced not in (None, total):
                raise HttpError(400, f"The upload was announced with {upload.announced} bytes.")
            if first is not None:
                if total != first + call.body.length and call.body.length % _GRAIN:
                    raise HttpError(400, f"A chunk that is no multiple of {_GRAIN} bytes.")
                self._append(upload, call, first)
            if total != upload.checksum.size:
                return _so_far(upload)
            if stated := re.search("crc32c=([^,]+)", call.headers.get("x-goog-hash", "")):
                upload.crc32c = upload.crc32c or stated[1]
                if upload.crc32c != stated[1]:
                    raise HttpError(400, "Two CRC32C were provided that differ.")
            return json_reply(self._document(self._commit(upload)))

    def _begin(self, call: Call) -> Reply:
        call.allow("uploadType", "ifGenerationMatch")
        call.operation = "start"
        upload = self._upload(call, document_of(call.body.read(), _METADATA))
        if length := call.headers.get("x-upload-content-length"):
            upload.announced = int(length)
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._resumable[key] = upload
        host = call.headers.get("host", "")
        path = f"upload/storage/v1/b/{upload.bucket}/o?uploadType=resumable&upload_id={key}"
        return Reply(200, {"Location": f"http://{host}/{path}"})

    def _upload(self, call: Call, metadata: dict[str, Any]) -> Upload:
        name = metadata.get("name")
        if not isinstance(name, str) or not name:
            raise HttpError(400, "Required")
        call.name = name
        call.meet(call)
        upload = Upload(
            bucket=call.bucket,
            name=name,
            content_type=metadata.get("contentType") or "application/octet-stream",
            custom=metadata.get("metadata") or {},
            crc32c=metadata.get("crc32c"),
            wanted=call.wanted,
            path=self._buckets.new_file(),
        )
        self._buckets.check(upload)
        return upload

    def _commit(self, upload: Upload) -> Stored:
        try:
            return self._buckets.commit(upload)
        except HttpError:
            upload.path.unlink(missing_ok=True)
            with self._lock:
                self._resumable = {k: v for k, v in self._resumable.items() if v is not upload}
            raise

    @staticmethod
    def _append(upload: Upload, call: Call, first: int) -> None:
        """Append the chunk's bytes, except for those received before."""
        if first > upload.checksum.size:
            raise HttpError(400, f"The upload has {upload.checksum.size} bytes, not {first}.")
        call.body.read(upload.checksum.size - first)
        keeps = call.body.left if call.keeps is None else call.keeps
        while keeps and (chunk := call.body.read(min(CHUNK, keeps))):
            upload.take(call.alter(chunk))
            keeps -= len(chunk)


def _first_part(call: Call) -> tuple[dict[str, Any], bytes]:
    """Return the metadata of a multipart upload and the delimiter after its content.

    The content is what the body holds next.
    """
    message = Message()
    message["Content-Type"] = call.headers.get("content-type", "")
    boundary = message.get_param("boundary")
    if message.get_content_type() != "multipart/related" or not isinstance(boundary, str):
        raise HttpError(400, "Multipart uploads need multipart/related with a boundary.")
    line = b"--" + boundary.encode()
    if call.body.readline().strip() != line:
        raise HttpError(400, "Malformed multipart body.")
    _headers_of_part(call)
    text = b""
    while (read := call.body.readline()).strip() != line:
        if not read:
            raise HttpError(400, "Malformed multipart body.")
        text += read
    metadata = document_of(text, _METADATA)
    content_type = _headers_of_part(call)
    return {"contentType": content_type, **metadata}, b"\r\n" + line + b"--"


def _headers_of_part(call: Call) -> str | None:
    """Read the headers of a part; return its content type."""
    content_type = None
    while read := call.body.readline().strip():
        key, _, value = read.decode("latin-1").partition(":")
        if key.lower() == "content-type":
            content_type = value.strip()
    return content_type


def _without(data: bytes, ending: bytes) -> bytes:
    stripped = data.removesuffix(b"\r\n")
    if not stripped.endswith(ending):
        raise HttpError(400, "Malformed multipart body.")
    return stripped.removesuffix(ending)


def _content_range(call: Call) -> tuple[int | None, int | None]:
    """Return the offset of a chunk (None: no chunk), and the total bytes if known."""
    header = call.headers.get("content-range")
    if header is None:
        return 0, call.body.length
    found = re.fullmatch(r"bytes (?:\*|([0-9]+)-([0-9]+))/(?:\*|([0-9]+))", header)
    if not found:
        raise HttpError(400, f"Failed to parse Content-Range header {header}.")
    first, last, total = (None if each is None else int(each) for each in found.groups())
    length = 0 if first is None or last is None else last + 1 - first
    if length != call.body.length:
        raise HttpError(400, f"{header} is not what {call.body.length} bytes are.")
    return first, total


def _so_far(upload: Upload) -> Reply:
    size = upload.checksum.size
    return Reply(308, {"Range": f"bytes=0-{size - 1}"} if size else {})
