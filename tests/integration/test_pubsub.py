"""Messages over Google's Pub/Sub emulator, to functions that run as they do in the cloud."""

from __future__ import annotations

import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from almanac.errors import ConfigError, RequestError, TransientError
from almanac.messaging.pubsub import PubSubBus
from almanac.messaging.subscriptions import SUBSCRIPTIONS
from almanac.messaging.topics import Topics
from almanac_emulation.functions import function_service
from almanac_emulation.processes import Service
from almanac_emulation.pubsub import PubSubEmulator
from tests.support.emulators import living_in_group, needs_pubsub_emulator, wait_until

pytestmark = needs_pubsub_emulator

PROJECT = "almanac-test"

# A function that writes down what it gets, and does what the message says.
STUB = """
import json, os, pathlib, time
import functions_framework
from almanac.messaging.envelope import delivery_of

SEEN = pathlib.Path(os.environ["SEEN"])
RELEASE = pathlib.Path(os.environ["RELEASE"])

@functions_framework.cloud_event
def orchestrator(event):
    got = delivery_of(event, "some-topic")
    data = got.data.decode()
    with SEEN.open("a") as seen:
        line = {"data": data, "id": got.message_id, "at": got.publish_time.isoformat()}
        seen.write(json.dumps({**line, "attributes": dict(got.attributes)}) + "\\n")
    if not data.startswith(("fail", "block")):
        return
    times = sum(json.loads(line)["data"] == data for line in SEEN.read_text().splitlines())
    if data == "fail always" or (data == "fail twice" and times < 3):
        raise RuntimeError(data)
    if data == "block at first" and times == 1:
        while not RELEASE.exists():
            time.sleep(0.05)
"""


class Stub:
    """The function's process, and what it has seen."""

    def __init__(self, folder: Path) -> None:
        self._seen = folder / "seen"
        self._seen.touch()
        source = folder / "functions" / "orchestrator"
        source.mkdir(parents=True)
        (source / "main.py").write_text(STUB)
        self.service = function_service(
            "orchestrator",
            source / "main.py",
            folder / "log",
            folder / "tmp",
            {"SEEN": str(self._seen), "RELEASE": str(folder / "release")},
        )

    def all_seen(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._seen.read_text().splitlines()]

    def seen(self, data: str) -> list[dict[str, Any]]:
        return [line for line in self.all_seen() if line["data"] == data]

    def wait(self, data: str, times: int = 1) -> list[dict[str, Any]]:
        wait_until(lambda: len(self.seen(data)) >= times, f"{data} {times} times")
        return self.seen(data)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PubSubEmulator]:
    with PubSubEmulator(PROJECT, tmp_path_factory.mktemp("pubsub") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def bus(emulator: PubSubEmulator) -> Iterator[PubSubBus]:
    with emulator.publisher() as client:
        yield PubSubBus(PROJECT, client=client)


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stub]:
    running = Stub(tmp_path_factory.mktemp("stub"))
    running.service.start()
    try:
        running.service.wait_until_ready()
        yield running
    finally:
        running.service.stop()


_numbers = itertools.count(1)


@pytest.fixture
def topics(emulator: PubSubEmulator, stub: Stub) -> Topics:
    """Topics of the test's own; run requests are pushed to the stub, five times at most."""
    topics = Topics(f"test{next(_numbers)}-")
    subscription = SUBSCRIPTIONS["orchestrator"]
    emulator.create_dead_letters(topics)
    emulator.create_topic(topics.run_requests)
    emulator.create_push(subscription, topics, stub.service.url, max_delivery_attempts=5)
    return topics


def test_a_published_message_reaches_the_function(
    bus: PubSubBus, topics: Topics, stub: Stub
) -> None:
    bus.publish(topics.run_requests, [b"hello"], {"request_id": "first", "kind": "a"})
    (got,) = stub.wait("hello")
    assert got["id"] == "first"
    assert got["attributes"] == {"request_id": "first", "kind": "a"}


def test_more_messages_than_fit_one_request_are_confirmed_and_all_arrive(
    bus: PubSubBus, topics: Topics, stub: Stub
) -> None:
    names = {f"many {number}" for number in range(1200)}
    bus.publish(topics.run_requests, [name.encode() for name in sorted(names)])
    wait_until(lambda: names <= {each["data"] for each in stub.all_seen()}, "all of them")


def test_large_messages_are_sent_in_several_requests(
    emulator: PubSubEmulator, bus: PubSubBus, topics: Topics
) -> None:
    limit = 10_000_000  # bytes of a request
    emulator.create_topic(topics.shard_tasks)
    bus.publish(topics.shard_tasks, [b"x" * (limit // 3)] * 4)


def test_a_message_that_pubsub_cannot_take_is_refused(bus: PubSubBus, topics: Topics) -> None:
    with pytest.raises(RequestError, match=r"topic .*run-requests: a message of 10000001 bytes"):
        bus.publish(topics.run_requests, [b"x" * 10_000_001])


def test_threads_publish_at_once(bus: PubSubBus, topics: Topics, stub: Stub) -> None:
    threads = [
        threading.Thread(target=bus.publish, args=(topics.run_requests, [f"thread {n}".encode()]))
        for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(16):
        stub.wait(f"thread {number}")


def test_a_missing_topic_is_named(bus: PubSubBus) -> None:
    with pytest.raises(ConfigError, match=f"topic nowhere: .*no such topic in project {PROJECT}"):
        bus.publish("nowhere", [b"{}"])


@pytest.mark.slow  # it starts another emulator
def test_an_emulator_killed_while_publishing_is_a_passing_error(tmp_path: Path) -> None:
    with PubSubEmulator(PROJECT, tmp_path / "log") as emulator, emulator.publisher() as client:
        emulator.create_topic("topic")
        bus = PubSubBus(PROJECT, client=client, deadline_seconds=3)
        began = threading.Event()

        def kill() -> None:
            began.wait(30)
            emulator.service.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(TransientError, match="topic topic: not published"):  # noqa: PT012
            while True:
                bus.publish("topic", [b"x" * 1000] * 2500)
                began.set()
        killer.join()


def test_the_emulator_is_found_by_the_variable_that_google_defines(
    emulator: PubSubEmulator, topics: Topics, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator.host)
    PubSubBus(PROJECT).publish(topics.run_requests, [b"by variable"])
    stub.wait("by variable")


def test_what_fails_is_delivered_again_with_the_same_id_and_time(
    bus: PubSubBus, topics: Topics, stub: Stub
) -> None:
    bus.publish(topics.run_requests, [b"fail twice"])
    got = stub.wait("fail twice", times=3)
    assert len({(each["id"], each["at"]) for each in got}) == 1


def test_what_always_fails_is_kept_as_a_dead_letter(
    emulator: PubSubEmulator, bus: PubSubBus, topics: Topics
) -> None:
    bus.publish(topics.run_requests, [b"fail always"])
    letters: list[bytes] = []

    def found() -> bool:
        letters.extend(emulator.dead_letters(topics))
        return bool(letters)

    wait_until(found, "a dead letter")
    assert letters == [b"fail always"]


@pytest.mark.slow
def test_a_message_whose_function_is_killed_comes_again(
    bus: PubSubBus, topics: Topics, stub: Stub
) -> None:
    bus.publish(topics.run_requests, [b"block at first"])
    stub.wait("block at first")
    before = stub.service.pid
    stub.service.kill()
    stub.wait("block at first", times=2)
    assert stub.service.pid not in (before, None)


def test_a_body_that_is_no_event_is_refused_and_harms_nobody(
    bus: PubSubBus, topics: Topics, stub: Stub
) -> None:
    for body in (b"garbage", b"[]", b"{}", b'{"message": 5}'):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            _post(stub.service, topics, body)
    bus.publish(topics.run_requests, [b"after garbage"])
    stub.wait("after garbage")


def _post(service: Service, topics: Topics, body: bytes) -> None:
    url = f"{service.url}/projects/{PROJECT}/topics/{topics.run_requests}"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()


def test_an_empty_message_arrives_as_no_data(bus: PubSubBus, topics: Topics, stub: Stub) -> None:
    bus.publish(topics.run_requests, [b""], {"request_id": "empty"})
    (got,) = [each for each in stub.wait("") if each["id"] == "empty"]
    assert got["data"] == ""


@pytest.mark.slow
def test_nothing_is_left_when_it_stops(tmp_path: Path) -> None:
    stub = Stub(tmp_path)
    stub.service.start()
    stub.service.wait_until_ready()
    group = stub.service.pid
    assert group is not None
    assert len(living_in_group(group)) > 1  # a server and its worker
    stub.service.stop()
    deadline = time.monotonic() + 10  # a killed worker may take a moment to go
    while living_in_group(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert living_in_group(group) == set()
