"""The part of the JSON API of Cloud Storage that the emulator implements, except for uploads.

Parameters, headers and metadata that are not implemented are answered with 501, never ignored.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from io import BufferedIOBase
from typing import IO, Any, Literal
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from almanac_emulation.cloud_storage.buckets import (
    Buckets,
    HttpError,
    Stored,
    Wanted,
    not_implemented,
)
from almanac_emulation.cloud_storage.faults import Operation

_HARMLESS = {"alt": "json", "projection": "noAcl", "prettyPrint": "false"}  # and their values
_CONDITIONS = {"generation", "ifGenerationMatch"}
_CONDITIONAL_HEADERS = (
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "content-encoding",
    "transfer-encoding",
    "x-http-method-override",
)
_PAGE = 1000  # entries of a listing


class Body:
    """The content of a request, which is never read past its length."""

    def __init__(self, file: BufferedIOBase, length: int) -> None:
        self._file = file
        self.length = length
        self.left = length

    def read(self, size: int | None = None) -> bytes:
        """Return at most size bytes, by default all that are left; b"" at the end."""
        wanted = self.left if size is None else min(size, self.left)
        data = self._file.read(wanted)
        if len(data) < wanted:
            raise ConnectionError("the client went away")
        self.left -= wanted
        return data

    def readline(self) -> bytes:
        """Return a line of at most 64 KiB."""
        data = self._file.readline(min(1 << 16, self.left))
        self.left -= len(data)
        return data


@dataclass(slots=True)
class Call:
    """A request with its route; name is empty if the request concerns no object."""

    method: str
    operation: Operation
    act: Callable[[Call], Reply]
    query: dict[str, str]
    headers: Message[str, str]
    body: Body
    bucket: str = ""
    name: str = ""
    groups: dict[str, str] = field(default_factory=dict)  # parts of the path, as in the route
    # called once the name is known, to apply the fault that a test has injected
    meet: Callable[[Call], None] = lambda call: None
    alter: Callable[[bytes], bytes] = bytes  # the fault in the received content
    keeps: int | None = None

    @property
    def wanted(self) -> Wanted:
        """Return generation= and ifGenerationMatch= of the query."""
        return Wanted(self.number("generation"), self.number("ifGenerationMatch"))

    def number(self, key: str) -> int | None:
        """Return a number of the query; raise 400 for anything else."""
        text = self.query.get(key)
        if text is not None and not re.fullmatch(r"[0-9]{1,19}", text):
            raise HttpError(400, f"Invalid value '{text}' for {key}.")
        return None if text is None else int(text)

    def allow(self, *parameters: str) -> None:
        """Raise 501 for any other parameter, or for a header that would change the result."""
        for key, value in self.query.items():
            if key not in _HARMLESS and key not in parameters:
                raise not_implemented(f"the parameter {key}")
            if key not in parameters and value != _HARMLESS[key]:
                raise not_implemented(f"{key}={value}")
        for key in self.headers:
            if key.lower() in _CONDITIONAL_HEADERS or re.match("(?i)x-goog-(if|enc|copy)", key):
                raise not_implemented(f"the header {key}")


@dataclass(slots=True)
class Reply:
    """An answer: a text, or length bytes of an open file, from the offset start."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: bytes = b""
    file: IO[bytes] | None = None
    start: int = 0
    length: int = 0


class Reads:
    """The requests that read, list and delete; uploads are in uploads.py."""

    def __init__(self, buckets: Buckets, url: Callable[[], str]) -> None:
        self._buckets = buckets
        self._url = url

    def create_bucket(self, call: Call) -> Reply:
        call.allow("project")
        document = document_of(call.body.read(), {"name"})
        self._buckets.create(document["name"])
        return json_reply({"kind": "storage#bucket", "name": document["name"]})

    def bucket(self, call: Call) -> Reply:
        call.allow()
        self._buckets.check_bucket(call.bucket)
        return json_reply({"kind": "storage#bucket", "name": call.bucket})

    def list(self, call: Call) -> Reply:
        call.allow("prefix", "delimiter", "pageToken", "maxResults", "fields")
        limit = call.query.get("maxResults", str(_PAGE))
        if not re.fullmatch("[1-9][0-9]{0,8}", limit):
            raise HttpError(400, f"Invalid value '{limit}' for maxResults.")
        items, prefixes, token = self._buckets.list(
            call.bucket,
            call.query.get("prefix", ""),
            call.query.get("delimiter", ""),
            call.query.get("pageToken", ""),
            min(int(limit), _PAGE),
        )
        document: dict[str, Any] = {"kind": "storage#objects"}
        if token is not None:
            document["nextPageToken"] = token
        if prefixes:
            document["prefixes"] = prefixes
        if items:
            document["items"] = [self.document(each) for each in items]
        if fields := call.query.get("fields"):
            document = _selected(document, fields)
        return json_reply(document)

    def metadata(self, call: Call) -> Reply:
        call.allow(*_CONDITIONS)
        return json_reply(self.document(self._buckets.look(call.bucket, call.name, call.wanted)))

    def media(self, call: Call) -> Reply:
        call.allow("alt", *_CONDITIONS)
        if call.query.get("alt") != "media":
            raise not_implemented("a download without alt=media")
        stored, file = self._buckets.open(call.bucket, call.name, call.wanted)
        try:
            wanted = _range(call.headers.get("range"), stored.size)
        except BaseException:
            file.close()
            raise
        start, length = wanted or (0, stored.size)
        headers = {
            "Content-Type": stored.content_type,
            "ETag": f'"{stored.generation}"',
            "X-Goog-Generation": str(stored.generation),
            "X-Goog-Metageneration": "1",
            "X-Goog-Hash": f"crc32c={stored.crc32c}",
            "X-Goog-Stored-Content-Length": str(stored.size),
            "X-Goog-Stored-Content-Encoding": "identity",
            "X-Goog-Storage-Class": "STANDARD",
        }
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{stored.size}"
        return Reply(206 if wanted else 200, headers, b"", file, start, length)

    def delete(self, call: Call) -> Reply:
        call.allow(*_CONDITIONS)
        self._buckets.delete(call.bucket, call.name, call.wanted)
        return Reply(204)

    def document(self, stored: Stored) -> dict[str, Any]:
        """Return the object resource."""
        created = dt.datetime.fromtimestamp(stored.created, dt.UTC)
        time = created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        path = f"storage/v1/b/{stored.bucket}/o/{quote(stored.name, safe='')}"
        return {
            "kind": "storage#object",
            "id": f"{stored.bucket}/{stored.name}/{stored.generation}",
            "name": stored.name,
            "bucket": stored.bucket,
            "generation": str(stored.generation),
            "metageneration": "1",
            "contentType": stored.content_type,
            "storageClass": "STANDARD",
            "size": str(stored.size),
            "crc32c": stored.crc32c,
            "etag": str(stored.generation),
            "timeCreated": time,
            "updated": time,
            "selfLink": f"{self._url()}/{path}",
            "mediaLink": f"{self._url()}/download/{path}?generation={stored.generation}&alt=media",
            **({"metadata": stored.custom} if stored.custom else {}),
        }


Route = tuple[str, str, Operation, Callable[[Call], Reply]]


def routed(
    routes: list[Route], method: str, target: str, headers: Message[str, str], body: Body
) -> Call:
    """Return the call of a request; raise 501 for a path or method that is not implemented."""
    url = urlsplit(target)
    pairs = parse_qsl(url.query, keep_blank_values=True)
    query = dict(pairs)
    if len(query) < len(pairs):
        raise not_implemented("a parameter given twice")
    for wanted, pattern, operation, act in routes:
        found = re.fullmatch(pattern, url.path)
        if found and method == wanted:
            call = Call(method, operation, act, query, headers, body)
            call.groups = found.groupdict()
            call.bucket = unquote(call.groups.get("bucket", ""))
            call.name = unquote(call.groups.get("name", ""))
            return call
    raise not_implemented(f"{method} {url.path}")


def json_reply(document: dict[str, Any], status: int = 200) -> Reply:
    """Return an answer in JSON."""
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    return Reply(status, headers, json.dumps(document).encode())


def error_reply(error: HttpError, style: Literal["json", "text"]) -> Reply:
    """Return the answer to a request that failed, in the form of Google's."""
    if style == "text":
        return Reply(error.status, {"Content-Type": "text/html"}, error.message.encode())
    detail = {"message": error.message, "domain": "global", "reason": str(error.status)}
    document = {"code": error.status, "message": error.message, "errors": [detail]}
    return json_reply({"error": document}, error.status)


def document_of(data: bytes, keys: set[str]) -> dict[str, Any]:
    """Return the metadata in a request's body; raise 501 for a key that is not implemented."""
    try:
        document = json.loads(data or b"{}")
    except ValueError:
        raise HttpError(400, "Parse Error") from None
    if not isinstance(document, dict):
        raise HttpError(400, "Parse Error")
    for key in document.keys() - keys:
        raise not_implemented(f"the metadata {key}")
    return document


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return start and length of the Range header; raise 416 if the object has no byte of it."""
    if header is None:
        return None
    found = re.fullmatch(r"bytes=([0-9]*)-([0-9]*)", header)
    if not found or not any(found.groups()):
        raise not_implemented(f"the range {header}")
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= end:
        raise HttpError(416, "The requested range cannot be satisfied.")
    return start, end - start


def _selected(document: dict[str, Any], fields: str) -> dict[str, Any]:
    """Return the part of the document that fields= selects, such as a,items(b,c)."""
    chosen: dict[str, Any] = {}
    for field_, inner in re.findall(r"([^,()]+)(?:\(([^()]*)\))?", fields):
        if field_ not in document:
            continue
        value = document[field_]
        chosen[field_] = [_selected(each, inner) for each in value] if inner else value
    return chosen
