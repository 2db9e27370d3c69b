"""What the functions really do to the store and to topics is what infra/iam.tf lets them do."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from almanac.intake.http import IntakeEndpoint
from almanac.messaging.bus import Delivery
from almanac.messaging.messages import ShardTask
from almanac.organizations.snapshots import RangedSnapshots
from almanac.report.tables import TABLES
from almanac.status.endpoint import status_response
from almanac.storage import layout
from tests.support import agencies
from tests.support.clouds import NOW, TOPICS, Cloud, query
from tests.support.intake_posts import Inlet, request
from tests.support.terraform import IAM, allows

ORG = "206"
MESSAGE = b'{"kind": "deliveries", "org_id": "206", "entries": [{"id": 1, "status": "sent"}]}'


@dataclass
class Log:
    """Who did what: (function, object or topic)."""

    function: str = "-"
    written: set[tuple[str, str]] = field(default_factory=set)
    read: set[tuple[str, str]] = field(default_factory=set)
    published: set[tuple[str, str]] = field(default_factory=set)


class WatchedStore:
    """An object store that notes what is done to it."""

    WRITING = frozenset({"write", "put_file", "delete"})
    READING = frozenset({"read", "stat", "fetch_file", "read_range", "open_local"})

    def __init__(self, store: Any, log: Log) -> None:
        self._store = store
        self._log = log

    def __getattr__(self, method: str) -> Any:
        do = getattr(self._store, method)

        def noted(name: str, *rest: Any, **options: Any) -> Any:
            if method in self.WRITING:
                self._log.written.add((self._log.function, name))
            elif method in self.READING:
                self._log.read.add((self._log.function, name))
            return do(name, *rest, **options)

        return noted


class WatchedBus:
    """A bus that notes what is published."""

    def __init__(self, bus: Any, log: Log) -> None:
        self._bus = bus
        self._log = log

    def publish(
        self, topic: str, messages: Sequence[bytes], attributes: Mapping[str, str] | None = None
    ) -> None:
        self._log.published.add((self._log.function, topic))
        self._bus.publish(topic, messages, attributes)


class WatchedCloud(Cloud):
    """A cloud whose functions are watched."""

    def watch(self) -> Log:
        log = self.log = Log()
        store: Any = WatchedStore(self.store, log)
        bus: Any = WatchedBus(self.bus, log)
        self.services = replace(
            self.services, store=store, bus=bus, snapshots=RangedSnapshots(store)
        )
        return log

    def handle(self, function: str, delivery: Delivery) -> None:
        self.log.function = function
        super().handle(function, delivery)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """What the functions did in runs of every kind, good and bad."""
    folder = tmp_path_factory.mktemp("cloud")
    database = agencies.build(folder / "agency.sqlite3", 3, 24, as_of=NOW.date(), config={})
    instance = first_instance(database)
    cloud = WatchedCloud(folder)
    log = cloud.watch()
    cloud.push(ORG, database)
    cloud.ask()  # everybody's day
    cloud.run()
    cloud.change(ORG, "e1", instance, active_end_date="2027-12-31")
    cloud.run()
    for topic in (
        TOPICS.run_requests,
        TOPICS.shard_tasks,
        TOPICS.shard_results,
        TOPICS.campaign_changes,
        TOPICS.intake,
    ):
        cloud.send(topic, b"no message")
    cloud.send(TOPICS.shard_tasks, _task("2027-01-01-daily"))
    cloud.send(TOPICS.intake, MESSAGE)
    cloud.run()

    cloud.now += dt.timedelta(days=1)  # a bad fragment
    cloud.only("orchestrator", "shard")
    cloud.ask(ORG)
    cloud.run()
    fragments = cloud.names(layout.fragments(ORG, "2027-03-02-daily"))
    cloud.overwrite(fragments[0], b"no fragment")
    cloud.everything()
    cloud.send(TOPICS.shard_results, b'{"org_id":"206","run_id":"2027-03-02-daily","shard":0}')
    cloud.run()

    cloud.now += dt.timedelta(days=1)  # another writer is first
    cloud.only("orchestrator", "shard")
    cloud.ask(ORG)
    cloud.run()
    cloud.push(ORG, cloud.pull(ORG), "push-again")
    cloud.everything()
    cloud.send(TOPICS.shard_results, b'{"org_id":"206","run_id":"2027-03-03-daily","shard":0}')
    cloud.run()

    cloud.now += dt.timedelta(days=1)  # a run dies, and another one buries it
    cloud.only("orchestrator")
    cloud.ask(ORG)
    cloud.run()
    cloud.now += dt.timedelta(days=1)
    cloud.everything()
    cloud.change(ORG, "e2", instance, active_end_date="2027-11-30")
    cloud.run()

    cloud.now += dt.timedelta(days=20)  # what is old goes
    cloud.configure(ORG, "no_such_key: 1")
    cloud.ask(ORG)
    cloud.run()
    cloud.configure(ORG, "")
    cloud.ask(ORG, reason="manual")
    cloud.run()
    yield log
    cloud.close()


def first_instance(database: Path) -> int:
    return int(query(database, "SELECT min(id) FROM campaign_instances")[0][0])


def _task(run_id: str) -> ShardTask:
    return ShardTask(org_id=ORG, run_id=run_id, shard=0, first_id=1, last_id=9)


# --- what iam.tf says -----------------------------------------------------------------------------


def writes() -> dict[str, tuple[list[str], str]]:
    """By grant the functions that have it, and its condition."""
    found = re.findall(
        r"^    (\w+) = \{\n +functions  = \[(.*?)\]\n +expression = \"(.*)\"\n", IAM, re.MULTILINE
    )
    return {what: (re.findall(r"\w+", who), expression) for what, who, expression in found}


INLETS = ("intake_events", "intake", "webhooks")


def inlets_may_read() -> str:
    """The condition under which an inlet reads an object."""
    (expression,) = re.findall(r'^  inlet_reads += "(.*)"\n', IAM, re.MULTILINE)
    assert re.search(r"^  inlet_writes += local.writes.inbox.expression$", IAM, re.MULTILINE)
    return str(expression)


def may_write(function: str, name: str) -> bool:
    if name.startswith("rejected/"):
        return True  # all functions that take messages may
    if function in INLETS:
        return allows(writes()["inbox"][1], name)
    return any(function in who and allows(condition, name) for who, condition in writes().values())


def publishers() -> set[tuple[str, str]]:
    found = re.search(r"publishers = \{\n(.*?)\n  \}", IAM, re.DOTALL)
    assert found
    rows = re.findall(r"(\w+) += \[(.*?)\]", found[1])
    return {(who, topic) for who, topics in rows for topic in re.findall(r'"(.*?)"', topics)}


# --- what happens ---------------------------------------------------------------------------------


def test_the_conditions_tell_objects_apart() -> None:
    _, runs = writes()["runs"]
    _, versions = writes()["versions"]
    day = "2027-03-01-daily"
    for name in (
        layout.plan(ORG, day),
        layout.fragment(ORG, day, 3),
        layout.lease(ORG),
        layout.change(ORG, "e1"),
    ):
        assert allows(runs, name)
        assert not allows(versions, name)
    database = f"{layout.version(ORG, 2, day)}/{layout.DATABASE}"
    for name in (layout.current(ORG), layout.summary(ORG), database):
        assert allows(versions, name)
        assert not allows(runs, name)
    for name in (layout.config(ORG), "elsewhere/lease.json", "rejected/2027-03-01/1.json"):
        assert not allows(runs, name)
        assert not allows(versions, name)


def test_functions_write_only_what_they_may(log: Log) -> None:
    assert {each for each in log.written if not may_write(*each)} == set()


def test_every_right_to_write_is_used(log: Log) -> None:
    for who, expression in writes().values():
        for function in who:
            names = [name for writer, name in log.written if writer == function]
            assert any(allows(expression, name) for name in names), (function, expression)
    assert {f for f, name in log.written if name.startswith("rejected/")} == {
        "orchestrator",
        "shard",
        "merge",
        "campaign_change",
        "intake_events",
    }


def test_functions_read_organizations_and_what_was_rejected_and_nothing_else(log: Log) -> None:
    folders = {name.partition("/")[0] for _, name in log.read}
    assert folders <= {"orgs", "rejected"}


def test_what_takes_events_creates_objects_of_the_inbox_and_reads_no_other_than_it_may(
    log: Log,
) -> None:
    inlet = Inlet()
    watched = Log("intake")
    store: Any = WatchedStore(inlet.store, watched)
    inlet.endpoint = IntakeEndpoint(store, lambda org, event: None)
    headers = {"content-type": "application/json"}
    mark = {"id": 1, "status": "sent"}
    assert inlet.ask(request(f"/orgs/{ORG}/deliveries", mark, headers)).code == 202
    written = {*watched.written, *(each for each in log.written if each[0] in INLETS)}
    assert {who for who, _ in written} == {"intake", "intake_events"}
    assert {each for each in written if not may_write(*each)} == set()
    read = {name for who, name in log.read | watched.read if who in INLETS}
    read = {name for name in read if not name.startswith("rejected/")}
    assert read
    assert {name for name in read if not allows(inlets_may_read(), name)} == set()
    for name in (inlet.objects()[0], layout.lease(ORG), f"{layout.version(ORG, 1, 'x')}/database"):
        assert not allows(inlets_may_read(), name)
        assert allows(writes()["inbox"][1], name) == ("/inbox/" in name)


def test_functions_publish_only_what_they_may(log: Log) -> None:
    assert log.published <= publishers()


def test_the_status_function_reads_only_documents(tmp_path: Path) -> None:
    found = re.search(
        r'resource "google_storage_bucket_iam_member" "status".*?expression  = "(.*?)"\n',
        IAM,
        re.DOTALL,
    )
    assert found
    database = agencies.build(tmp_path / "agency.sqlite3", 3, 24, as_of=NOW.date(), config={})
    cloud = Cloud(tmp_path)
    cloud.push(ORG, database)
    cloud.ask(ORG)
    cloud.run()
    log = Log("status")
    store: Any = WatchedStore(cloud.store, log)
    tables = [f"/orgs/{ORG}/{layout.REPORT_TABLES}/{table}.csv" for table in TABLES]
    for path in ("/", "/problems", "/poll", f"/orgs/{ORG}", f"/orgs/{ORG}/report", *tables):
        assert status_response(store, path, cloud.now).code == 200
    cloud.close()
    assert log.written == set()
    assert log.read
    assert {name for _, name in log.read if not allows(found[1], name)} == set()
    assert layout.summary(ORG) in {name for _, name in log.read}
    for name in (
        f"{layout.version(ORG, 2, 'x')}/{layout.DATABASE}",
        layout.fragment(ORG, "x", 1),
        f"{layout.version(ORG, 2, 'x')}/{layout.CHANGES}",
    ):
        assert not allows(found[1], name)
