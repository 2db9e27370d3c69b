"""Organizations in a store with everything that plans them, in this process: real handlers over a
store in memory and a bus that delivers when it is told to."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import itertools
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import apsw

from almanac.database.opening import open_database
from almanac.errors import TransientError
from almanac.messaging.bus import Delivery
from almanac.messaging.envelope import delivery_of
from almanac.messaging.messages import CampaignChange, Message, RunRequest, to_json
from almanac.messaging.topics import Topics
from almanac.organizations.snapshots import RangedSnapshots
from almanac.runs.handlers import HANDLERS
from almanac.runs.results import RunResult, result_of
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.publish import NewVersion, publish
from almanac.storage.versions import Current, current
from tests.support.perils import FAULTS, Death, Fault, PerilousBus, PerilousStore, Perils

NOW = dt.datetime(2027, 3, 1, 9, 0, tzinfo=dt.UTC)  # before the send time in Chicago
TOPICS = Topics()
TOPIC_OF = {
    "orchestrator": TOPICS.run_requests,
    "shard": TOPICS.shard_tasks,
    "merge": TOPICS.shard_results,
    "campaign_change": TOPICS.campaign_changes,
    "intake_events": TOPICS.intake,
}


def event_of(delivery: Delivery) -> Any:
    """The CloudEvent of a Pub/Sub push, as a function gets it."""
    message = {
        "messageId": delivery.message_id,
        "publishTime": delivery.publish_time.isoformat(),
        "data": base64.b64encode(delivery.data).decode(),
        "attributes": dict(delivery.attributes),
    }
    return _Event({"message": message})


class _Event(dict[str, Any]):
    """Attributes of a CloudEvent by key, and its data."""

    def __init__(self, data: Any) -> None:
        super().__init__(id="event")
        self.data = data


class Cloud:
    """A store, a bus and the functions that take messages; time stands still unless it is moved.

    after_death: how long the message of a process that died waits for its next delivery.
    disorder: where given, deliveries are put off and repeated at random.
    """

    after_death = dt.timedelta(minutes=5)
    disorder: random.Random | None = None

    def __init__(
        self,
        folder: Path,
        *,
        shard_contacts: int = 12,
        like: Cloud | None = None,
        threads: Executor | None = None,
    ) -> None:
        """like: a cloud to begin as, with what it has in its store and its time.

        threads: where messages are dealt with at once, instead of one after the other.
        """
        self.folder = folder
        self.now: dt.datetime = like.now if like else NOW
        self.perils = Perils()
        self.store = PerilousStore(self.perils)
        if like:
            self.store.begin_as(like.store)
        self.bus = PerilousBus(
            self.perils,
            clock=lambda: self.now,
            max_attempts=5000 if threads else 200,
            pause=lambda attempt: time.sleep(0.005 if threads else 0),
        )
        self.snapshots = RangedSnapshots(self.store)
        # no holder of a lease twice, also among clouds of which one begins as the other
        self.holders: Iterator[int] = like.holders if like else itertools.count(1)
        self.services = Services(
            store=self.store,
            bus=self.bus,
            snapshots=self.snapshots,
            workspace=folder,
            shard_contacts=shard_contacts,
            clock=lambda: self.now,
            new_holder=lambda: f"holder-{next(self.holders)}",
        )
        self.seen: list[tuple[str, Delivery]] = []  # every delivery, with its function
        for function in HANDLERS:
            handler = functools.partial(self._deliver, function)
            self.bus.subscribe(TOPIC_OF[function], handler, executor=threads)

    def handle(self, function: str, delivery: Delivery) -> None:
        """Hand a message to a function as the cloud does: as an event."""
        self.seen.append((function, delivery))
        HANDLERS[function](self.services, delivery_of(event_of(delivery), delivery.topic))

    def _deliver(self, function: str, delivery: Delivery) -> None:
        if self.disorder and self.disorder.random() < 0.4:
            raise TransientError("it comes later")
        try:
            self.handle(function, delivery)
        except Death as death:
            self.perils.revive()
            self.now += self.after_death
            raise TransientError("its process died") from death
        if self.disorder and self.disorder.random() < 0.3:
            raise TransientError("it comes again")

    def only(self, *functions: str) -> None:
        """From now on messages to any other function are lost."""
        for function, topic in TOPIC_OF.items():
            handler = functools.partial(self._deliver, function)
            self.bus.subscribe(topic, handler if function in functions else lambda _: None)

    def everything(self) -> None:
        """From now on no message is lost."""
        self.only(*HANDLERS)

    def push(self, org: str, database: Path, run_id: str = "push") -> Current:
        """Publish a copy of the file as the organization's next version."""
        copy = self.folder / f"pushed-{org}.sqlite3"
        shutil.copy(database, copy)
        return publish(
            self.store,
            org,
            copy,
            NewVersion(
                run_id=run_id,
                parent=current(self.store, org),
                as_of=self.now.date(),
                now=self.now,
            ),
        )

    def configure(self, org: str, text: str) -> None:
        self.store.write(layout.config(org), text.encode(), None)

    def ask(self, org: str | None = None, **fields: Any) -> None:
        """Send a RunRequest."""
        self.send(TOPICS.run_requests, RunRequest(org_id=org, **fields))

    def change(self, org: str, event: str, instance: int, **changes: str | None) -> None:
        """Send a CampaignChange."""
        self.send(
            TOPICS.campaign_changes,
            CampaignChange(
                event_id=event, org_id=org, campaign_instance_id=instance, changes=changes
            ),
        )

    def send(self, topic: str, message: Message | bytes, **attributes: str) -> None:
        data = message if isinstance(message, bytes) else to_json(message)
        self.bus.publish(topic, [data], attributes)

    def run(self) -> None:
        """Deliver until nothing is left to deliver."""
        self.bus.run_until_idle()

    def result(self, org: str, run_id: str) -> RunResult:
        found = result_of(self.store, org, run_id)
        assert found is not None, f"run {run_id} of {org} has not ended"
        return found

    def version(self, org: str) -> Current:
        there = current(self.store, org)
        assert there is not None
        return there[0]

    def names(self, prefix: str = "") -> list[str]:
        """The names of the objects below a prefix."""
        return [info.name for info in self.store.list(prefix)]

    def overwrite(self, name: str, data: bytes) -> None:
        """Put other content under a name, whatever is there."""
        self.store.write(name, data, None)

    def pull(self, org: str) -> Path:
        """The database in force, in a new file."""
        version = self.version(org)
        path = self.folder / f"{org}-{version.version}-{version.run_id}.sqlite3"
        path.unlink(missing_ok=True)
        self.store.fetch_file(version.path, path)
        return path

    def rejections(self) -> list[Mapping[str, Any]]:
        return [
            json.loads(self.store.read(info.name).data) for info in self.store.list("rejected/")
        ]

    def close(self) -> None:
        self.snapshots.close()


def met_faults(
    folder: Path,
    like: Cloud,
    fault: Fault,
    begin: Callable[[Cloud], None],
    where: Callable[[str], bool] = lambda change: True,
    every: int = 1,
) -> Iterator[tuple[Cloud, str]]:
    """For each change of the world that follows from what begin asks for: a cloud, begun as
    another, in which everything is done and that change met the fault; and its name."""
    changes: list[str] = []
    passed = 0
    for at in itertools.count(-1):  # at -1 nothing happens
        if at >= max(0, len(changes)):
            return
        if at >= 0 and not where(changes[at]):
            continue
        passed += at >= 0
        if at >= 0 and passed % every != every * FAULTS.index(fault) // len(FAULTS):
            continue
        cloud = Cloud(folder, shard_contacts=like.services.shard_contacts, like=like)
        begin(cloud)
        cloud.perils.expect(at, fault)
        cloud.run()
        if at < 0:
            changes = cloud.perils.changes
        else:
            assert cloud.perils.at is None, "the fault was not met"
            yield cloud, changes[at]
        cloud.close()


def query(path: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of a query on a database file."""
    connection: apsw.Connection = open_database(path, writable=False)
    try:
        return list(connection.execute(sql, values))
    finally:
        connection.close()


# What a plan says, and nothing of when, by which run and in which order it was written.
_WITHOUT = {
    "email_schedules": {"id", "scheduler_run_id", "batch_id", "created_at", "updated_at"},
    "contact_campaigns": {"id", "created_at", "updated_at"},
    "contact_issues": {"first_seen"},
}


def plan_in(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The plan in a database file: rows of the tables that a run writes, in one order."""
    return {table: _rows(path, table, without) for table, without in _WITHOUT.items()}


def all_rows(path: Path, table: str) -> list[tuple[Any, ...]]:
    """The rows of a table with all their columns, as they are stored."""
    return _rows(path, table, set())


def _rows(path: Path, table: str, without: set[str]) -> list[tuple[Any, ...]]:
    known = [name for (name,) in query(path, "SELECT name FROM pragma_table_info(?)", table)]
    columns = sorted(set(known) - without)  # databases differ in the order of columns
    found = query(path, f"SELECT {', '.join(columns)} FROM {table}") if columns else []
    return sorted(found, key=repr)
