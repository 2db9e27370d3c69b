"""Almanac's whole cloud on one machine, with the real functions and real messages.

Cloud Storage is the strict emulator, Pub/Sub is Google's emulator with push subscriptions, and
each function runs under functions-framework in its own process, as in Cloud Run. A process that
dies is restarted.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from almanac.errors import AlmanacError
from almanac.messaging.pubsub import PubSubBus
from almanac.messaging.subscriptions import SUBSCRIPTIONS
from almanac.messaging.topics import Topics
from almanac.runs.results import RunResult, result_of
from almanac.storage.cloud import CloudStore
from almanac_emulation.cloud_storage.emulator import StorageEmulator
from almanac_emulation.functions import OPEN, function_service, source_of
from almanac_emulation.processes import Service
from almanac_emulation.pubsub import PubSubEmulator
from almanac_emulation.requirements import require_everything

PROJECT = "almanac-local"
BUCKET = "almanac-local"
_POLL_SECONDS = 0.05


class LocalCloud:
    """A context manager that starts everything, and leaves no process behind.

    folder: for logs/<process>.log and the functions' temporary files. sources: the folder that
    holds a folder for each function. environment: added to that of the functions
    (ALMANAC_LEASE_SECONDS, ...). max_delivery_attempts: replaces the number in the table, after
    which a message becomes a dead letter. python: the functions' interpreter, by default the
    current one.

    store and bus use the emulators, regardless of the environment of this process.
    """

    store: CloudStore
    bus: PubSubBus

    def __init__(
        self,
        folder: Path,
        sources: Path,
        *,
        functions: Iterable[str] = OPEN,
        environment: Mapping[str, str] | None = None,
        max_delivery_attempts: int | None = None,
        topics: Topics | None = None,
        python: Path | None = None,
    ) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.topics = topics or Topics()
        self.storage = StorageEmulator()
        self.services: dict[str, Service] = {}
        self._sources = sources
        self._functions = tuple(functions)
        self._environment = dict(environment or {})
        self._max_delivery_attempts = max_delivery_attempts
        self._python = python
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        require_everything()
        sources = {name: source_of(name, self._sources) for name in self._functions}
        self.logs.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / "tmp"
        self._stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        self._stack.enter_context(self.storage)
        self.storage.create_bucket(BUCKET)
        self.pubsub = PubSubEmulator(PROJECT, self.logs / "pubsub.log")
        self._start_service(self.pubsub.service)
        for name, source in sources.items():
            self.services[name] = function_service(
                name,
                source,
                self.logs / f"{name}.log",
                temporary / name,
                {**self.settings(), **self._environment},
                self._python,
            )
            self._start_service(self.services[name])
        # create the clients while the processes start
        storage_client = self.storage.client()
        self._stack.callback(storage_client.close)
        self.store = CloudStore(BUCKET, client=storage_client)
        publisher = self._stack.enter_context(self.pubsub.publisher())
        self.bus = PubSubBus(PROJECT, client=publisher)
        self.pubsub.service.wait_until_ready()
        for service in self.services.values():
            service.wait_until_ready()
        self._subscribe()

    def _start_service(self, service: Service) -> None:
        self._stack.callback(service.stop)
        service.start()

    def settings(self) -> dict[str, str]:
        """Return the environment in which the functions and `almanac` use this cloud."""
        return {
            "ALMANAC_STORE": f"gs://{BUCKET}",
            "ALMANAC_PROJECT": PROJECT,
            "ALMANAC_TOPIC_PREFIX": self.topics.prefix,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "STORAGE_EMULATOR_HOST": self.storage.url,
            "PUBSUB_EMULATOR_HOST": self.pubsub.host,
        }

    def _subscribe(self) -> None:
        self.pubsub.create_dead_letters(self.topics)
        for function, subscription in SUBSCRIPTIONS.items():
            self.pubsub.create_topic(subscription.topic_name(self.topics))
            if function in self.services:
                url = self.services[function].url
                self.pubsub.create_push(subscription, self.topics, url, self._max_delivery_attempts)

    @property
    def urls(self) -> dict[str, str]:
        """Return the URL of each function."""
        return {name: service.url for name, service in self.services.items()}

    @property
    def pids(self) -> dict[str, int | None]:
        """Return the process of each function, which is also its process group."""
        return {name: service.pid for name, service in self.services.items()}

    def kill(self, function: str) -> None:
        """Kill a function's process as a power failure would; it is restarted."""
        self.services[function].kill()

    def wait_until_ready(self, function: str) -> None:
        """Wait until the function answers, after a kill."""
        self.services[function].wait_until_ready()

    def wait_for_result(self, org: str, run_id: str, seconds: float = 60.0) -> RunResult:
        """Wait for the run's result; raise AlmanacError if it takes longer than seconds."""
        deadline = time.monotonic() + seconds
        while (result := result_of(self.store, org, run_id)) is None:
            if time.monotonic() > deadline:
                raise AlmanacError(
                    f"run {run_id} of organization {org}: no result after {seconds:g} seconds; "
                    f"the logs are in {self.logs}"
                )
            time.sleep(_POLL_SECONDS)
        return result

    def log_lines(self, function: str) -> list[dict[str, Any]]:
        """Return the structured lines of the function's log so far."""
        try:
            text = (self.logs / f"{function}.log").read_text(errors="replace")
        except FileNotFoundError:
            return []
        lines = []
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # a line of the server that the function runs in
            if isinstance(entry, dict):
                lines.append(entry)
        return lines

    def dead_letters(self) -> list[bytes]:
        """Remove the dead letters; return the data of each."""
        return self.pubsub.dead_letters(self.topics)
