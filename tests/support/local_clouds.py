"""A cloud that runs on this machine, with real functions and emulators, and organizations in it.

Starting it takes some seconds, so the tests of a module share one, and each has organizations of
its own.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from almanac.config import Config
from almanac.messaging.messages import CampaignChange, Message, RunRequest, to_json
from almanac.organizations.transfer import push
from almanac.runs.local import run_file
from almanac.runs.rejections import Rejection
from almanac.runs.results import RunResult
from almanac.runs.run_options import RunOptions
from almanac.runs.run_plan import RunPlan, read_plan
from almanac.storage import layout
from almanac.storage.store import ObjectStore
from almanac.storage.versions import Current, current, manifest_of
from almanac_emulation.cloud_storage.faults import Fault, Operation
from almanac_emulation.functions import OPEN as SOURCES
from almanac_emulation.local_cloud import LocalCloud
from tests.support.emulators import FUNCTIONS, wait_until

# Requests say that they were made at this time. It lies ahead, so that nothing of a run is ever
# old enough to be collected.
NOW = dt.datetime(2044, 3, 1, 9, 0, tzinfo=dt.UTC)  # before the send time in Chicago
DAY = NOW.date()
DAILY = f"{DAY}-daily"

_PATIENCE = 60.0  # seconds
_numbers = itertools.count(1)


class Running:
    """The cloud, and what has been sent to it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.store: ObjectStore = cloud.store
        self.topics = cloud.topics

    def send(self, topic: str, *messages: Message | bytes, **attributes: str) -> str:
        """Publish; gives the id by which the functions know the message.

        Messages that are sent together share it, like deliveries of the same one.
        """
        sent = attributes.setdefault("request_id", f"test-{next(_numbers)}")
        data = [each if isinstance(each, bytes) else to_json(each) for each in messages]
        self.cloud.bus.publish(topic, data, attributes)
        return sent

    def deliveries(self, function: str, sent: str) -> list[str]:
        """What came of each delivery of a message: done, again, failed or rejected."""
        return [
            line["outcome"]
            for line in self.cloud.log_lines(function)
            if line.get("message") == "delivery" and line.get("message_id") == sent
        ]

    def wait_for_deliveries(self, function: str, sent: str, times: int = 1) -> None:
        """Return once so many messages with this id need not come again."""

        def count() -> int:
            return sum(each == "done" for each in self.deliveries(function, sent))

        wait_until(lambda: count() >= times, f"{sent} done {times} times", _PATIENCE)

    def rejection(self, sent: str) -> Rejection | None:
        """What is recorded of a message that could never succeed."""
        for info in self.store.list("rejected/"):
            if info.name.endswith(f"/{sent}.json"):
                return Rejection.model_validate_json(self.store.read(info.name).data)
        return None

    def status(self, path: str) -> tuple[int, dict[str, Any]]:
        """What the function `status` answers."""
        url = f"{self.cloud.urls['status']}/{path}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@contextmanager
def running_cloud(
    folder: Path, functions: Sequence[str] = tuple(SOURCES), **environment: str
) -> Iterator[Running]:
    """A cloud whose functions have these settings, until the context is left."""
    with LocalCloud(folder, FUNCTIONS, functions=functions, environment=environment) as cloud:
        yield Running(cloud)


class Hold:
    """Holds a request up until it is released."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._released = threading.Event()

    def __call__(self) -> None:
        self._reached.set()
        self._released.wait(_PATIENCE)

    def wait(self) -> None:
        """Return once the request has come."""
        assert self._reached.wait(_PATIENCE), "the request that is to be held never came"

    def release(self) -> None:
        self._released.set()


class Organization:
    """An organization of a running cloud, of which nobody else knows."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running = running
        self.store = running.store
        self.topics = running.topics
        self.org = f"org{next(_numbers)}"
        self.folder = folder

    def push(self, database: Path) -> Current:
        """Publish a copy of the file as the next version, as `almanac store push` does."""
        now = dt.datetime.now(dt.UTC)
        return push(self.store, self.org, database, expect=None, now=now, progress=lambda *_: None)

    def ask(self, times: int = 1, **fields: Any) -> str:
        """Send a RunRequest, or the same one several times."""
        request = RunRequest(org_id=self.org, **{"requested_at": NOW, **fields})
        return self.running.send(self.topics.run_requests, *[request] * times)

    def change(self, event: str, instance: int, **changes: str | None) -> str:
        """Send a CampaignChange of the tests' day."""
        message = CampaignChange(
            event_id=event, org_id=self.org, campaign_instance_id=instance, changes=changes
        )
        at = NOW.isoformat()
        return self.running.send(self.topics.campaign_changes, message, requested_at=at)

    def result(self, run_id: str = DAILY) -> RunResult:
        """How the run ended, once it has ended and given back the lease."""
        found = self.running.cloud.wait_for_result(self.org, run_id, _PATIENCE)
        wait_until(lambda: self.is_idle, f"the end of {run_id}", _PATIENCE)
        return found

    def committed(self, run_id: str = DAILY) -> RunResult:
        """The result of a run that must have committed."""
        result = self.result(run_id)
        assert (result.state, result.reason) == ("committed", None)
        return result

    @property
    def is_idle(self) -> bool:
        """Whether no run has the lease."""
        return self.store.stat(layout.lease(self.org)) is None

    def plan(self, run_id: str = DAILY) -> RunPlan:
        """The run's plan, once it is made."""
        wait_until(lambda: self.exists(layout.plan(self.org, run_id)), f"plan of {run_id}")
        return read_plan(self.store, self.org, run_id)

    def version(self) -> Current:
        there = current(self.store, self.org)
        assert there is not None
        return there[0]

    def history(self) -> list[str]:
        """The runs whose versions led to the one in force, without what was pushed."""
        found = []
        path: str | None = self.version().path
        while path:
            manifest = manifest_of(self.store, path.rpartition("/")[0])
            assert manifest is not None
            found.append(manifest.run_id)
            path = manifest.parent_path
        return [run_id for run_id in reversed(found) if not run_id.startswith("push-")]

    def runs(self) -> list[str]:
        return self.store.subfolders(layout.runs(self.org))

    def fragment(self, shard: int, run_id: str = DAILY) -> str:
        return layout.fragment(self.org, run_id, shard)

    def exists(self, name: str) -> bool:
        return self.store.stat(name) is not None

    def contents(self) -> list[tuple[str, int]]:
        """Name and generation of all objects of the organization."""
        found = self.store.list(layout.organization(self.org))
        return [(info.name, info.generation) for info in found]

    def pull(self) -> Path:
        """The database in force, in a new file."""
        path = self.folder / f"{self.org}-{next(_numbers)}.sqlite3"
        self.store.fetch_file(self.version().path, path)
        return path

    def wait_for(self, names: Sequence[str]) -> None:
        """Return once all these objects are there."""
        wait_until(lambda: all(map(self.exists, names)), ", ".join(names), _PATIENCE)

    @contextmanager
    def held(
        self,
        operation: Operation,
        name: str,
        when: Literal["before", "after"] = "before",
        status: int | None = None,
    ) -> Iterator[Hold]:
        """Hold the next such request before or after it is carried out; with status it never is."""
        hold = Hold()
        fault = Fault(operation, name, status=status)
        if when == "before":
            fault.meanwhile = hold
        else:
            fault.afterwards = hold
        self.running.cloud.storage.faults.add(fault)
        try:
            yield hold
        finally:
            hold.release()


def expected(database: Path, folder: Path, now: dt.datetime = NOW) -> Path:
    """A copy of the file, planned as the command line plans it."""
    path = folder / f"expected-{next(_numbers)}.sqlite3"
    path.write_bytes(database.read_bytes())
    run_file(path, Config(), RunOptions(now=now, workers=1))
    return path
