"""The HTTP server of the Cloud Storage emulator, which applies the injected faults."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from almanac.storage.checksums import CHUNK
from almanac_emulation.cloud_storage.buckets import HttpError
from almanac_emulation.cloud_storage.faults import Fault, Faults, Request, RequestLog
from almanac_emulation.cloud_storage.requests import Body, Call, Reply, Route, error_reply, routed


class Server(ThreadingHTTPServer):
    """An HTTP server with a thread per connection; the routes carry out the requests."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], routes: list[Route], faults: Faults, log: RequestLog
    ) -> None:
        self.routes = routes
        self.faults = faults
        self.log = log
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # not when a client has closed the connection
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Stop listening, and close all open connections."""
        self.server_close()
        for connection in list(self._open):
            _hang_up(connection)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_GET  # noqa: N815

    def _serve(self) -> None:
        self._fault: Fault | None = None
        body = Body(self.rfile, int(self.headers.get("content-length") or 0))
        call: Call | None = None
        try:
            call = routed(self.server.routes, self.command, self.path, self.headers, body)
            call.meet = self._meet
            if call.operation not in ("upload", "chunk"):  # their name is in the body
                self._meet(call)
            reply = call.act(call)
            if self._fault and self._fault.afterwards:
                self._fault.afterwards()
        except HttpError as error:
            reply = error_reply(error, "text" if call and call.operation == "media" else "json")
        while body.read(CHUNK):  # else the client could not read the answer
            pass
        try:
            self._send(reply, self._log(reply, call, body))
        finally:
            if reply.file:
                reply.file.close()

    def _meet(self, call: Call) -> None:
        """Take the fault that matches the request, and apply what precedes the request."""
        fault = self._fault = self.server.faults.take(call.operation, call.name)
        if fault is None:
            return
        if fault.meanwhile:
            fault.meanwhile()
        if fault.status:
            raise HttpError(fault.status, "An injected fault.")
        if call.method in ("POST", "PUT"):
            call.alter = _altering(fault)
            call.keeps = fault.keeps

    def _log(self, reply: Reply, call: Call | None, body: Body) -> int:
        """Log the request before it is answered; return the length that the answer states."""
        length = reply.length if reply.file else len(reply.text)
        if self._fault and self._fault.shortened_to is not None:
            length = min(length, self._fault.shortened_to)
        lost = self._fault is not None and self._fault.answer_lost
        self.server.log.add(
            Request(
                method=self.command,
                operation=call.operation if call else "other",
                bucket=call.bucket if call else "",
                name=call.name if call else self.path,
                range=self.headers.get("range") or self.headers.get("content-range") or "",
                status=0 if lost else reply.status,
                received=body.length,
                sent=0 if lost else length,
            )
        )
        return length

    def _send(self, reply: Reply, length: int) -> None:
        """Send the answer, or the part of it that the fault permits."""
        fault = self._fault or Fault("other")
        if fault.answer_lost:
            return self._break()
        self.send_response(reply.status)
        for key, value in reply.headers.items():
            self.send_header(key, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return None
        if reply.file is None:
            self.wfile.write(reply.text[:length])
            return None
        left = length if fault.breaks_after is None else min(length, fault.breaks_after)
        alter = _altering(fault)
        reply.file.seek(reply.start)
        while left and (chunk := reply.file.read(min(CHUNK, left))):
            self.wfile.write(alter(chunk))
            left -= len(chunk)
        if fault.breaks_after is not None:
            self.wfile.flush()
            self._break()
        return None

    def _break(self) -> None:
        """Close the connection without flushing its buffer."""
        self.close_connection = True
        _hang_up(self.connection)


def _altering(fault: Fault) -> Callable[[bytes], bytes]:
    if fault.altered:
        return lambda data: bytes([data[0] ^ 1]) + data[1:] if data else data
    return bytes


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # the client has closed it already
        connection.shutdown(socket.SHUT_RDWR)
