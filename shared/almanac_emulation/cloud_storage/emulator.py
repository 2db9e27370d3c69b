"""A strict emulator of Cloud Storage: it behaves as Google does, or answers with 501.

It implements the preconditions on writes, deletions and reads, generations, checksums stated in
advance, ranges, pages and concurrent requests, all of which the tests of compare-and-swap need.
Objects are files in a folder and are streamed, so large ones need no memory. There are no
credentials, no versioning and no access lists. In a test's own process it runs in a thread;
`python -m almanac_emulation.cloud_storage.emulator --port N --bucket NAME` runs it alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from almanac_emulation.cloud_storage.buckets import Buckets
from almanac_emulation.cloud_storage.composes import ROUTE as COMPOSE
from almanac_emulation.cloud_storage.composes import Composes
from almanac_emulation.cloud_storage.faults import Faults, RequestLog
from almanac_emulation.cloud_storage.requests import Call, Reads, Reply, Route
from almanac_emulation.cloud_storage.rewrites import ROUTE as REWRITE
from almanac_emulation.cloud_storage.rewrites import Rewrites
from almanac_emulation.cloud_storage.server import Server
from almanac_emulation.cloud_storage.uploads import Uploads

_OBJECT = "/storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>[^/]+)"
_OBJECTS = "/storage/v1/b/(?P<bucket>[^/]+)/o"


class StorageEmulator:
    """The emulator in this process; a context manager that starts and stops it.

    folder: for the objects' files, a temporary one by default. faults: what the tests inject
    into the next requests; log: the requests so far.
    """

    def __init__(
        self, port: int = 0, *, host: str = "127.0.0.1", folder: Path | None = None
    ) -> None:
        self.faults = Faults()
        self.log = RequestLog()
        self._address = (host, port)
        self._given = folder
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The value of STORAGE_EMULATOR_HOST, such as http://127.0.0.1:43210."""
        host, port = self._running().server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Start to serve requests."""
        self._folder = self._given or Path(tempfile.mkdtemp(prefix="almanac-storage-"))
        self._folder.mkdir(parents=True, exist_ok=True)
        self._buckets = Buckets(self._folder)
        self._server = Server(self._address, self._routes(), self.faults, self.log)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close all connections and drop the objects; a given folder keeps its files."""
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join()
            self._server.close()
            self._server = self._thread = None
            if not self._given:
                shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self) -> None:
        """Wait until the emulator stops."""
        while self._thread and self._thread.is_alive():
            self._thread.join(1)

    def create_bucket(self, name: str) -> None:
        """Add an empty bucket."""
        self._running()
        self._buckets.create(name)

    def client(self) -> Any:
        """Return a google.cloud.storage.Client of the emulator; the environment does not matter."""
        from almanac.storage.cloud_client import new_client

        return new_client(
            project="emulated",
            client_options={"api_endpoint": self.url},
            use_auth_w_custom_endpoint=False,
        )

    def _running(self) -> Server:
        if self._server is None:
            raise RuntimeError("the emulator has not been started")
        return self._server

    def _routes(self) -> list[Route]:
        reads = Reads(self._buckets, lambda: self.url)
        uploads = Uploads(self._buckets, reads.document)
        rewrites = Rewrites(self._buckets, reads.document)
        composes = Composes(self._buckets, reads.document)
        return [
            ("GET", _OBJECT, "metadata", reads.metadata),
            ("GET", "/download" + _OBJECT, "media", reads.media),
            ("DELETE", _OBJECT, "delete", reads.delete),
            ("GET", _OBJECTS, "list", reads.list),
            ("POST", "/upload" + _OBJECTS, "upload", uploads.post),
            ("PUT", "/upload" + _OBJECTS, "chunk", uploads.put),
            ("POST", REWRITE, "rewrite", rewrites.post),
            ("POST", COMPOSE, "compose", composes.post),
            ("GET", "/storage/v1/b/(?P<bucket>[^/]+)", "other", reads.bucket),
            ("POST", "/storage/v1/b", "other", reads.create_bucket),
            ("GET", "/", "other", lambda call: Reply(text=b"Ok\n")),
            ("GET", "/emulator/requests", "other", self._requests),
        ]

    def _requests(self, call: Call) -> Reply:
        """Return the log as JSON lines: for measurements by another process."""
        lines = [json.dumps(dataclasses.asdict(each)) for each in self.log.of()]
        return Reply(text="\n".join(lines).encode())


def main() -> None:
    """Run the emulator until the process is terminated."""
    parser = argparse.ArgumentParser(description="A strict emulator of Cloud Storage.")
    parser.add_argument("--port", type=int, default=9023)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--folder", type=Path, help="where the objects' files go")
    parser.add_argument("--bucket", action="append", default=[], help="a bucket to create")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that the temporary folder is removed
    with StorageEmulator(arguments.port, host=arguments.host, folder=arguments.folder) as emulator:
        for bucket in arguments.bucket:
            emulator.create_bucket(bucket)
        print(emulator.url, flush=True)
        with suppress(KeyboardInterrupt):
            emulator.wait()


if __name__ == "__main__":
    main()
