"""Spans: what they are parts of, across messages, and that nothing happens while tracing is off."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from almanac.errors import TransientError
from almanac.logs import configure, get_log
from almanac.messaging.bus import Delivery
from almanac.runs.handlers import of_message
from almanac.tracing import (
    TRACEPARENT,
    Recorder,
    Span,
    apart,
    carrier,
    in_worker,
    note,
    record_with,
    root,
    span,
    traced,
)
from tests.support.clouds import NOW, TOPICS, Cloud
from tests.support.intake_posts import JSON, ORG, Inlet, request
from tests.support.tiny import Agency

GIVEN = {TRACEPARENT: f"00-{'ab' * 16}-{'cd' * 8}-01"}


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder(project="agencies")
    record_with(recorder)
    yield recorder
    record_with(None)


def step() -> None:
    """What a root begins with."""


@traced("double")
def double(number: int) -> int:
    note(number=number)
    return 2 * number


class TracedCloud(Cloud):
    """A cloud whose functions begin a span with each message."""

    def handle(self, function: str, delivery: Delivery) -> None:
        with of_message(function, delivery):
            super().handle(function, delivery)


def ways(spans: list[Span]) -> set[str]:
    """Each span with all that it is a part of, such as merge/commit/write."""
    by_id = {each.span_id: each for each in spans}

    def way(each: Span) -> str:
        above = by_id.get(each.parent)
        return f"{way(above)}/{each.name}" if above else each.name

    return {way(each) for each in spans}


def test_what_is_done_within_is_a_part(recorder: Recorder) -> None:
    with root("run", step, {}), span("outer", shard=1):
        double(4)
        with suppress(KeyError), span("inner", step):
            raise KeyError("ada@example.com")
    inner = {each.name: each for each in recorder.take()}
    assert ways(list(inner.values())) == {"run", "run/outer", "run/outer/double", "run/outer/inner"}
    assert inner["double"].function == f"{__name__}:double"
    assert inner["outer"].function == f"{__name__}:{test_what_is_done_within_is_a_part.__name__}"
    assert (inner["outer"].attributes, inner["double"].attributes) == ({"shard": 1}, {"number": 4})
    assert (inner["double"].error, inner["inner"].error) == ("", "KeyError")
    assert len({each.trace_id for each in inner.values()}) == 1


def test_without_a_root_or_while_tracing_is_off_nothing_is_recorded(recorder: Recorder) -> None:
    with span("lost"):
        assert double(1) == 2
    assert carrier() == {}
    record_with(None)
    with root("run", step, GIVEN), span("off"):
        assert double(2) == 4
        assert carrier() == {}
    assert recorder.take() == []


@pytest.mark.parametrize(
    "wrong", ["", "00", "ff-" + "a" * 32, GIVEN[TRACEPARENT].replace("ab", "00"), "00-\n-é-01"]
)
def test_a_root_goes_on_with_what_it_is_given_if_that_can_be_read(
    wrong: str, recorder: Recorder
) -> None:
    with root("outside", step, {}), root("shard", step, GIVEN):
        inside = carrier()[TRACEPARENT]
    with root("other", step, {TRACEPARENT: wrong}):
        pass
    shard, outside, other = recorder.take()
    assert (shard.trace_id, shard.parent) == ("ab" * 16, "cd" * 8)
    assert inside == f"00-{shard.trace_id}-{shard.span_id}-01"
    assert other.parent == outside.parent == ""
    assert other.trace_id not in (shard.trace_id, "0" * 32)


def test_of_what_is_not_sampled_nothing_is_recorded_and_what_follows_knows() -> None:
    recorder = Recorder(sampling=0.5)
    record_with(recorder)
    try:
        flags = {}
        for number in range(64):
            with root("run", step, {}, seed=str(number).encode()), span("part"):
                flags[number] = carrier()[TRACEPARENT][-2:]
        kept = recorder.take()
        assert 0 < sum(flag == "01" for flag in flags.values()) < 64
        assert len(kept) == 2 * sum(flag == "01" for flag in flags.values())
        with root("merge", step, {TRACEPARENT: GIVEN[TRACEPARENT][:-2] + "00"}), span("part"):
            pass
        assert recorder.take() == []
    finally:
        record_with(None)


def test_a_worker_process_returns_its_spans(recorder: Recorder) -> None:
    with root("run", step, {}):
        named = carrier()
    (run,) = recorder.take()
    record_with(None)  # as in another process
    with in_worker({}) as none, root("shard", step, {}):
        pass
    with in_worker(named) as some, root("shard", step, named):
        pass
    assert none == []
    assert [each.parent for each in some] == [run.span_id]


def test_the_spans_of_a_run_are_one_tree_also_if_messages_come_again(
    tmp_path: Path, recorder: Recorder
) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    for number in range(1, 4):
        agency.contact(number, birth_date="1950-06-01")
    cloud = TracedCloud(tmp_path, shard_contacts=2)
    cloud.push("206", agency.path)
    cloud.ask("206")
    cloud.run()
    spans = recorder.take()
    assert len({each.trace_id for each in spans}) == 1
    assert [each.name for each in spans if not each.parent] == ["orchestrator"]
    assert {each.parent for each in spans} - {each.span_id for each in spans} == {""}
    sent = "orchestrator/publish tasks/shard"
    assert ways(spans) >= {
        "orchestrator/plan run",
        f"{sent}/plan/read",
        f"{sent}/fragment",
        f"{sent}/merge/fetch",
        f"{sent}/merge/read fragments",
        f"{sent}/merge/balance/place",
        f"{sent}/merge/commit/write/index",
        f"{sent}/merge/commit/publish/check",
        f"{sent}/merge/commit/publish",
        f"{sent}/merge/finish/collect",
    }
    assert "@" not in str([each.attributes for each in spans])

    parents = {
        each.attributes["message_id"]: each for each in spans if "message_id" in each.attributes
    }
    for function, delivery in list(cloud.seen):
        cloud.handle(function, delivery)  # all of them once more, in another order than then
    again = [each for each in recorder.take() if "message_id" in each.attributes]
    assert len(again) == len(parents)
    for each in again:
        first = parents[each.attributes["message_id"]]
        assert (each.name, each.trace_id, each.parent) == (first.name, first.trace_id, first.parent)
        assert each.span_id != first.span_id
    cloud.close()


def test_each_organization_has_a_tree_of_its_own(tmp_path: Path, recorder: Recorder) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.contact(1)
    cloud = TracedCloud(tmp_path)
    cloud.only("orchestrator")
    for org in ("206", "207"):
        cloud.push(org, agency.path)
    cloud.ask()
    cloud.run()
    roots = [each for each in recorder.take() if not each.parent]
    assert len({each.trace_id for each in roots}) == len(roots) == 3
    cloud.close()


def test_requests_that_are_written_together_keep_their_trees(recorder: Recorder) -> None:
    inlet = Inlet()
    click = {"type": "click", "email": "ada@example.com", "at": "2026-11-23T10:00:00Z"}

    async def ask(number: int) -> None:
        headers = {"content-type": JSON, TRACEPARENT: f"00-{number:032x}-{'cd' * 8}-01"}
        with root("intake", step, headers):
            answer = await inlet.endpoint.answer(request(f"/orgs/{ORG}/activity", [click], headers))
        assert answer.code == 202

    async def ask_at_once() -> None:
        await asyncio.gather(*(ask(number) for number in range(1, 4)))

    asyncio.run(ask_at_once())
    assert len(inlet.objects()) == 1
    spans = recorder.take()
    for number in range(1, 4):
        own = [each for each in spans if int(each.trace_id, 16) == number]
        assert ways(own) == {"intake", "intake/validate", "intake/put"}
        assert len(own) == 3


def test_a_line_of_the_log_names_its_span_as_cloud_logging_reads_it(recorder: Recorder) -> None:
    stream = io.StringIO()
    configure("INFO", stream)
    try:
        with root("merge", step, GIVEN):
            get_log().info("inside")
            with apart():
                get_log().info("apart")
        get_log().info("outside")
    finally:
        structlog.reset_defaults()
    inside, others, outside = map(json.loads, stream.getvalue().splitlines())
    (merge,) = recorder.take()
    key = "logging.googleapis.com/"
    assert inside[f"{key}trace"] == f"projects/agencies/traces/{'ab' * 16}"
    assert (inside[f"{key}spanId"], inside[f"{key}trace_sampled"]) == (merge.span_id, True)
    assert not any(name.startswith(key) for name in [*others, *outside])


def test_an_error_that_asks_for_another_delivery_ends_the_span(recorder: Recorder) -> None:
    delivery = Delivery(TOPICS.shard_tasks, "7", NOW, b"{}", GIVEN)
    with pytest.raises(TransientError), of_message("shard", delivery):
        raise TransientError("not now")
    (ended,) = recorder.take()
    assert (ended.error, ended.parent) == ("TransientError", "cd" * 8)
