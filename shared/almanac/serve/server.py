"""Listen, and answer until Ctrl-C."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from almanac.errors import AlmanacError, InputError
from almanac.serve.app import create_app
from almanac.serve.contact_page import warm_up
from almanac.serve.guard import Guard
from almanac.serve.site import Site

EVERYWHERE = ("0.0.0.0", "::")  # all addresses of the machine: none to open


SWITCH_SECONDS = 0.0002


class QuietHandler(WSGIRequestHandler):
    """Logs no requests: their addresses may hold a token, or what a person looked for."""

    server_version = "almanac"
    sys_version = ""

    def log(self, *_: Any) -> None:
        """Write nothing."""


def serve(site: Site, guard: Guard, port: int, listening: Callable[[str], None]) -> None:
    """Answer requests until Ctrl-C; `listening` gets the address to open. The caller stops the
    site's jobs.

    Raises AlmanacError if the port cannot be had, and what a first read of the database raises.
    """
    site.about()
    server = _server(site, guard, port)
    warm_up(site)
    interval = sys.getswitchinterval()
    # A page runs hundreds of queries, and after each it waits so long for the interpreter if
    # background work has it.
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        listening(_address(guard, server.port))
        server.serve_forever()
    finally:
        server.server_close()
        sys.setswitchinterval(interval)


def _server(site: Site, guard: Guard, port: int) -> BaseWSGIServer:
    sock = _bound(guard.host, port)
    app = create_app(site, guard)
    host, number = sock.getsockname()[:2]
    try:
        return make_server(
            host, number, app, threaded=True, request_handler=QuietHandler, fd=sock.fileno()
        )
    finally:
        sock.close()  # the server has a copy


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the address."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise InputError(
            f"--host: {host!r} is no address of this machine: {error.strerror}"
        ) from error
    sock = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there it would share the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen()
    except OSError as error:
        sock.close()
        raise _refused(host, port, error) from error
    return sock


def _refused(host: str, port: int, error: OSError) -> AlmanacError:
    match error.errno:
        case errno.EADDRINUSE:
            return AlmanacError(
                f"port {port} of {host} is taken, perhaps by another almanac serve; choose "
                "another with --port, or --port 0 for any that is free"
            )
        case errno.EACCES:
            return AlmanacError(f"port {port} of {host} may not be used; choose one above 1023")
        case errno.EADDRNOTAVAIL:
            return AlmanacError(f"--host: {host} is no address of this machine")
        case _:
            return AlmanacError(f"{host}, port {port}: {error.strerror}")


def _address(guard: Guard, port: int) -> str:
    host = socket.gethostname() if guard.host in EVERYWHERE else guard.host
    host = f"[{host}]" if ":" in host else host
    token = f"?token={guard.token}" if guard.token else ""
    return f"http://{host}:{port}/{token}"
