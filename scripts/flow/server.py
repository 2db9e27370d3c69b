"""The folder of the page on the loopback, until Ctrl-C."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scripts.flow.model import FlowError


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


def open_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of the folder. Raises FlowError if the port is in use."""
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not below 65536"
        raise FlowError(
            f"--port {port}: cannot listen there ({reason}); --port 0 takes a free one"
        ) from None
