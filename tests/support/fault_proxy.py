"""A proxy in front of the Cloud Storage emulator that does a fault to the n-th request.

The client does not know of it: it is what STORAGE_EMULATOR_HOST names. What the emulator does to
requests by their operation (its own faults), this does by their number, and on the wire.
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
import urllib.parse
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


@dataclass(frozen=True)
class WireFault:
    """What is done to a request; one without anything passes.

    - acts: the request reaches the server; else status (None: a reset) is all that the client gets;
    - status: this status is the answer, whatever the server's is;
    - lost: the connection is closed without an answer;
    - meanwhile: another writer acts, after the server and before the client gets an answer;
    - wait: so many seconds pass before the answer;
    - cut_upload, cut_answer: the connection ends in the middle of the body;
    - flip_upload, flip_answer: one bit of the content is another one.
    """

    acts: bool = True
    status: int | None = None
    lost: bool = False
    meanwhile: bool = False
    wait: float = 0.0
    cut_upload: bool = False
    cut_answer: bool = False
    flip_upload: bool = False
    flip_answer: bool = False

    def concerns(self, request: Passed) -> bool:
        """Whether the request has what the fault damages."""
        if self.cut_upload or self.flip_upload:
            return request.sent > 0
        if self.flip_answer and "/o?" in request.path and request.method == "GET":
            return False  # a listing has no checksum: nothing shows that a name is another one
        if self.cut_answer or self.flip_answer:
            return request.received > 0
        return True


@dataclass(frozen=True)
class Passed:
    """A request that came by, and the bytes of its body and of its answer's."""

    method: str
    path: str
    sent: int
    received: int


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class FaultProxy:
    """The proxy, in threads of this process; a context manager that starts and stops it.

    meanwhile: how another writer acts. passed: the requests since `begin`, in order.
    """

    def __init__(self, server: str) -> None:
        self.server = server
        self.passed: list[Passed] = []
        self.meanwhile: Callable[[], object] = list
        self._fault, self._numbers = WireFault(), range(0)
        self._count = 0
        self._lock = threading.Lock()
        self._listening = _Server(self)

    @property
    def url(self) -> str:
        """The value of STORAGE_EMULATOR_HOST."""
        return f"http://127.0.0.1:{self._listening.server_address[1]}"

    def begin(self, fault: WireFault | None = None, at: int = 1, times: int = 1) -> None:
        """Count from 1 again; the request number `at` and those behind it get the fault."""
        with self._lock:
            self._fault = fault or WireFault()
            self._numbers = range(at, at + times) if fault else range(0)
            self._count = 0
            self.passed = []

    def take(self) -> WireFault:
        """What is to be done to the next request."""
        with self._lock:
            self._count += 1
            return self._fault if self._count in self._numbers else WireFault()

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown()
        self._listening.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that was broken off: that is what it is here for."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    _upstream: http.client.HTTPConnection | None = None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        proxy = self.server.proxy
        fault = proxy.take()
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length // 2 if fault.cut_upload else length)
        if fault.cut_upload or (not fault.acts and fault.status is None):
            return self._break()
        if not fault.acts:
            return self._refuse(fault.status or 503)
        answer = self._forward(_flipped(body, _end_of_content(body)) if fault.flip_upload else body)
        proxy.passed.append(Passed(self.command, self.path, length, len(answer.body)))
        if fault.meanwhile:
            proxy.meanwhile()
        if fault.wait:
            time.sleep(fault.wait)
        if fault.lost:
            return self._break()
        if fault.status is not None:
            return self._refuse(fault.status)
        return self._answer(answer, fault)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815

    def finish(self) -> None:
        if self._upstream:
            self._upstream.close()
        with suppress(OSError):
            super().finish()

    def _forward(self, body: bytes) -> _Answer:
        """Have the server carry out the request; links in its answer lead here again."""
        proxy = self.server.proxy
        if self._upstream is None:
            self._upstream = http.client.HTTPConnection(
                urllib.parse.urlsplit(proxy.server).netloc, timeout=30
            )
        kept = {key: value for key, value in self.headers.items() if key.lower() not in _HOP_BY_HOP}
        self._upstream.request(self.command, self.path, body or None, kept)
        found = self._upstream.getresponse()
        data = found.read()
        headers = [
            (key, value.replace(proxy.server, proxy.url))
            for key, value in found.getheaders()
            if key.lower() not in {*_HOP_BY_HOP, "date", "server"}
        ]
        if "json" in (found.getheader("content-type") or ""):
            data = data.replace(proxy.server.encode(), proxy.url.encode())
        return _Answer(found.status, headers, data)

    def _answer(self, answer: _Answer, fault: WireFault) -> None:
        self.send_response(answer.status)
        for key, value in answer.headers:
            self.send_header(key, value)
        if answer.status != http.HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if fault.cut_answer:
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.wfile.flush()
            return self._break()
        body = _flipped(answer.body, len(answer.body) // 2) if fault.flip_answer else answer.body
        self.wfile.write(body)
        return None

    def _refuse(self, status: int) -> None:
        text = b'{"error": {"code": %d, "message": "An injected fault."}}' % status
        self._answer(_Answer(status, [("Content-Type", "application/json")], text), WireFault())

    def _break(self) -> None:
        """Close the connection at once, without what has not been sent."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.connection.shutdown(socket.SHUT_RDWR)


def _end_of_content(body: bytes) -> int:
    """Where the last byte of the content is: of a multipart body, before its last line."""
    end = body.rfind(b"\r\n--")
    return end - 1 if end > 0 else len(body) - 1


def _flipped(body: bytes, at: int) -> bytes:
    """The body with one bit changed in the byte at a place."""
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] if body else body
