"""The script examples/send.py within a test's process."""

from __future__ import annotations

import importlib.util
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.cli_calls import almanac

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "send.py"


def send_example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the script; it calls `almanac` within this process."""
    spec = importlib.util.spec_from_file_location("send", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def here(arguments: list[str], text: str | None = None) -> str:
        stdin = io.TextIOWrapper(io.BytesIO((text or "").encode()))
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdin", stdin)
            given = almanac(*arguments)
        assert given.code == 0, given
        return given.out

    monkeypatch.setattr(module, "almanac", here)
    return module


class Recorder(ThreadingHTTPServer):
    """An HTTP server that keeps what is posted, and answers all of it in the same way."""

    daemon_threads = True

    def __init__(self, code: int, answer: object, headers: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Keeper)
        self.code, self.answer, self.headers = code, json.dumps(answer).encode(), headers
        self.posted: list[tuple[str, dict[str, str], str]] = []  # path, headers, body

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.posted]


class _Keeper(BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.posted.append((self.path, dict(self.headers), body))
        self.send_response(self.server.code)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@contextmanager
def recorder(code: int, answer: object, **headers: str) -> Iterator[Recorder]:
    """A server of `Recorder`, with underscores in names of headers as hyphens."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    server = Recorder(code, answer, given)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
