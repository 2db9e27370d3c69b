"""The functions themselves: what they answer, what they log, and that they survive."""

from __future__ import annotations

import base64
import datetime as dt
import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from werkzeug.test import Client

from almanac.errors import LeaseTaken, OutcomeUnknown
from almanac.generation import generate
from almanac.intake import inbox
from almanac.messaging.bus import Delivery
from almanac.messaging.messages import RunRequest, to_json
from almanac.messaging.subscriptions import SUBSCRIPTIONS
from almanac.organizations.transfer import push
from almanac.runs import cloud_services as cloud
from almanac.runs import push_endpoint as receiving
from almanac.runs.rejections import Rejection
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.folder import FolderStore
from almanac.tracing import record_with
from almanac_emulation.functions import OPEN as NAMES
from almanac_emulation.local_cloud import LocalCloud
from almanac_emulation.traces import trace_receiver
from tests.support.emulators import FUNCTIONS, needs_pubsub_emulator, wait_until

DAY = dt.date(2026, 11, 21)
NOW = dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)
TASK = {"org_id": "206", "run_id": "a-run", "shard": 3, "first_id": 1, "last_id": 2}

Post = Callable[..., int]

# functions-framework asks for a time that it does not need
pytestmark = [
    pytest.mark.filterwarnings(
        r"ignore:datetime\.datetime\.utcnow:DeprecationWarning:functions_framework"
    ),
]


# In this process


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FolderStore]:
    """The store of the functions that run in this process."""
    monkeypatch.setenv("ALMANAC_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("ALMANAC_PROJECT", "almanac-test")
    monkeypatch.setenv("FUNCTION_TARGET", "")  # the framework sets it
    cloud._services.cache_clear()
    yield FolderStore(tmp_path / "store")
    cloud._services.cache_clear()
    structlog.reset_defaults()


def client(function: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    from functions_framework import create_app

    monkeypatch.delitem(sys.modules, "main", raising=False)
    signature = "cloudevent" if function in SUBSCRIPTIONS else "http"
    source = str(FUNCTIONS / function / "main.py")
    result: Client = create_app(function, source, signature).test_client()  # type: ignore[no-untyped-call]
    monkeypatch.delitem(sys.modules, "main", raising=False)
    return result


@pytest.fixture
def post(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> Post:
    """Pushes a message to a function in this process; the HTTP status of the answer."""

    def send(function: str, data: bytes | str) -> int:
        text = data if isinstance(data, str) else base64.b64encode(data).decode()
        content = {"data": text, "messageId": "12", "publishTime": "2026-11-21T10:00:00Z"}
        answer = client(function, monkeypatch).post(
            "/projects/almanac-test/topics/t", json={"message": content, "subscription": "s"}
        )
        assert answer.get_data().count(b"@") == 0
        return answer.status_code

    return send


def handled_by(
    monkeypatch: pytest.MonkeyPatch, function: str, handle: Callable[[Services, Delivery], None]
) -> None:
    monkeypatch.setattr(receiving, "HANDLERS", {function: handle})


def raising(error: Exception) -> Callable[[Services, Delivery], None]:
    def handle(services: Services, delivery: Delivery) -> None:
        raise error

    return handle


def only_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one line that was logged; nothing else was printed."""
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    entry: dict[str, Any] = json.loads(line)
    return entry


@pytest.mark.parametrize("function", SUBSCRIPTIONS)
def test_a_delivery_goes_to_the_handler_and_leaves_one_line(
    function: str,
    post: Post,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    got: list[Delivery] = []
    handled_by(monkeypatch, function, lambda services, delivery: got.append(delivery))
    data = json.dumps(TASK).encode()
    assert post(function, data) == 200
    topic = SUBSCRIPTIONS[function].topic
    assert got == [Delivery(topic, "12", NOW, data, {})]
    line = only_line(capsys)
    assert line.pop("seconds") >= 0
    assert line.pop("time")
    assert line == {
        "severity": "INFO",
        "message": "delivery",
        "step": function,
        "outcome": "done",
        "message_id": "12",
        "org_id": "206",
        "run_id": "a-run",
        "shard": 3,
    }


def test_a_traced_delivery_is_exported_before_the_answer_and_its_line_names_the_trace(
    post: Post, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handled_by(monkeypatch, "shard", lambda services, delivery: None)
    try:
        with trace_receiver() as traces:
            for name, value in traces.environment().items():
                monkeypatch.setenv(name, value)
            assert post("shard", json.dumps(TASK).encode()) == 200
            [shard] = traces.received
    finally:
        record_with(None)
    line = only_line(capsys)
    trace = line["logging.googleapis.com/trace"]
    assert trace == f"projects/almanac-test/traces/{shard.trace_id}"
    assert line["logging.googleapis.com/spanId"] == shard.span_id
    assert shard.attributes["run_id"] == "a-run"


@pytest.mark.parametrize("error", [LeaseTaken("of 206"), OutcomeUnknown("of 206")])
def test_a_passing_error_asks_for_another_delivery(
    error: Exception,
    post: Post,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    handled_by(monkeypatch, "shard", raising(error))
    assert post("shard", json.dumps(TASK).encode()) == 503
    line = only_line(capsys)
    assert (line["severity"], line["outcome"], line["reason"]) == ("WARNING", "again", "of 206")
    assert line["shard"] == 3


def test_a_failure_is_an_error_with_its_traceback_and_without_addresses(
    post: Post, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handled_by(monkeypatch, "merge", raising(ValueError("jane.doe@example.com is broken")))
    assert post("merge", b'{"org_id": "206", "changed_by": "joe@example.com"}') == 500
    line = only_line(capsys)
    assert (line["severity"], line["outcome"]) == ("ERROR", "failed")
    assert line["reason"] == "[e-mail] is broken"
    assert "ValueError" in line["exception"]
    assert "example.com" not in json.dumps(line)


def test_a_message_that_cannot_be_unpacked_is_recorded_and_acknowledged(
    post: Post, store: FolderStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert post("shard", "%%%") == 200
    (name,) = [info.name for info in store.list("rejected/")]
    record = Rejection.model_validate_json(store.read(name).data)
    assert record.reason == "message 12: data '%%%' is not base64"
    assert record.topic == "shard-tasks"
    assert '"data": "%%%"' in record.data
    rejected, delivery = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert rejected["severity"] == "ERROR"
    assert delivery["outcome"] == "rejected"


def test_content_that_is_no_object_is_for_the_handler_to_refuse(
    post: Post, store: FolderStore
) -> None:
    for data in (b"garbage", b"\xff", b"[]", b"5"):
        assert post("merge", data) == 200
    names = [info.name for info in store.list("rejected/")]
    assert names[-1] == "rejected/2026-11-21/12.json"
    assert len(names) == 4  # of one id, but none of them is another one's repetition


def test_missing_settings_are_an_error_that_names_them(
    post: Post, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ALMANAC_STORE")
    assert post("shard", b"{}") == 500
    line = only_line(capsys)
    assert line["severity"] == "ERROR"
    assert "ALMANAC_STORE: is not set" in line["reason"]


def test_status_answers(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    status = client("status", monkeypatch)
    assert status.get("/health").status_code == 200
    missing = status.get("/orgs/nobody")
    assert (missing.status_code, missing.mimetype) == (404, "application/json")


# In processes of their own


@pytest.fixture(scope="module")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("cloud")
    with LocalCloud(folder, FUNCTIONS, environment={"ALMANAC_SHARD_CONTACTS": "50"}) as running:
        yield running


def push_agency(running: LocalCloud, org: str, folder: Path) -> None:
    generate(folder / f"{org}.sqlite3", 1000, 1, DAY)
    path = folder / f"{org}.sqlite3"
    push(running.store, org, path, expect=0, now=NOW, progress=lambda step, done, of: None)


def ask(running: LocalCloud, org: str | None) -> None:
    request = RunRequest(org_id=org, as_of=DAY)
    running.bus.publish(running.topics.run_requests, [to_json(request)])


@needs_pubsub_emulator
@pytest.mark.slow
def test_a_daily_run_goes_through_all_functions(local_cloud: LocalCloud, tmp_path: Path) -> None:
    push_agency(local_cloud, "alpha", tmp_path)
    ask(local_cloud, "alpha")
    result = local_cloud.wait_for_result("alpha", f"{DAY}-daily")
    assert (result.state, result.version) == ("committed", 2)
    page = f"{local_cloud.urls['status']}/orgs/alpha/report"
    with urllib.request.urlopen(page, timeout=30) as answer:
        assert answer.headers.get_content_type() == "text/html"
    lines = [line for line in local_cloud.log_lines("shard") if line["message"] == "delivery"]
    assert {line["shard"] for line in lines if line["org_id"] == "alpha"} == set(range(20))


@needs_pubsub_emulator
@pytest.mark.slow
def test_a_run_survives_the_death_of_any_function(local_cloud: LocalCloud, tmp_path: Path) -> None:
    push_agency(local_cloud, "beta", tmp_path)
    before = dict(local_cloud.pids)
    ask(local_cloud, "beta")
    fragments = layout.fragments("beta", f"{DAY}-daily")
    wait_until(lambda: any(local_cloud.store.list(fragments)), "the first fragment")
    for name in NAMES:
        local_cloud.kill(name)
    assert local_cloud.wait_for_result("beta", f"{DAY}-daily").state == "committed"
    for name in NAMES:
        local_cloud.wait_until_ready(name)
        assert local_cloud.pids[name] not in (before[name], None)


@needs_pubsub_emulator
@pytest.mark.slow
def test_what_can_never_succeed_is_recorded_and_not_delivered_again(
    local_cloud: LocalCloud,
) -> None:
    data = b'{"org_id": "alpha", "e_mail": "jane.doe@example.com"}'
    local_cloud.bus.publish(local_cloud.topics.run_requests, [data], {"request_id": "poison"})

    def lines() -> list[dict[str, Any]]:
        found = local_cloud.log_lines("orchestrator")
        return [line for line in found if line.get("message_id") == "poison"]

    wait_until(lambda: any(line["message"] == "delivery" for line in lines()), "its line")
    assert any(line["severity"] == "ERROR" for line in lines())
    (name,) = [info.name for info in local_cloud.store.list("rejected/") if "poison" in info.name]
    assert b"jane.doe" in local_cloud.store.read(name).data
    assert "jane.doe" not in (local_cloud.logs / "orchestrator.log").read_text()
    assert sum(line["message"] == "delivery" for line in lines()) == 1


@needs_pubsub_emulator
@pytest.mark.slow
def test_events_come_in_over_http_and_over_the_topic_and_are_planned_at_once(
    local_cloud: LocalCloud, tmp_path: Path
) -> None:
    push_agency(local_cloud, "gamma", tmp_path)
    click = {"kind": "activity", "org_id": "gamma", "entries": [{"type": "click", "contact_id": 1}]}
    local_cloud.bus.publish(local_cloud.topics.intake, [json.dumps(click).encode()])
    wait_until(lambda: len(inbox.waiting(local_cloud.store, "gamma")) == 1, "the click")
    request = urllib.request.Request(
        f"{local_cloud.urls['intake']}/orgs/gamma/contacts?replan=true",
        b'{"event_id": "crm-1", "entries": [{"id": 1, "state": "NV"}]}',
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert (answer.status, json.load(answer)["event_ids"]) == (202, ["crm-1"])
    runs = layout.runs("gamma")

    def ended() -> list[str]:
        names = [info.name for info in local_cloud.store.list(runs)]
        return [name for name in names if name.endswith(f"crm-1/{layout.RESULT}")]

    wait_until(lambda: bool(ended()), "the run of the event")
    (name,) = ended()
    assert b'"committed"' in local_cloud.store.read(name).data
    wait_until(lambda: not inbox.waiting(local_cloud.store, "gamma"), "an empty inbox")
