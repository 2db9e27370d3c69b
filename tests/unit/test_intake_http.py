"""What the function `intake` answers, and what is in the inbox then."""

from __future__ import annotations

import json
from typing import Any

import pytest

from almanac.errors import OutcomeUnknown, TransientError
from almanac.intake import http
from almanac.intake.events import MAX_BYTES, MAX_ENTRIES, check_size
from almanac.storage.memory import MemoryStore
from almanac.storage.store import ObjectInfo
from tests.support.intake_posts import LINES, NOW, Inlet, request, said

SENT = {"id": 1, "status": "sent"}


def mark(number: int) -> dict[str, Any]:
    return {"id": number, "status": "sent"}


# --- what is told from what -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type", "count"),
    [
        (SENT, "application/json", 1),
        ([SENT, mark(2)], "application/json; charset=utf-8", 2),
        ({"entries": [SENT]}, "application/json", 1),
        ({"entries": [SENT]}, LINES, 1),
        ('{"id":1,"status":"sent"}\r\n\r\n{"id":2,"status":"sent"}\n', LINES, 2),
        ('{"id":1,"status":"sent"}\n{"id":2,"status":"sent"}', "application/json", 2),
        ('[{"id":1,"status":"sent"},{"id":2,"status":"sent"}]', LINES, 2),
        ("\ufeff" + '{"id":1,"status":"sent"}', "application/json", 1),
    ],
)
def test_an_entry_an_array_an_event_and_lines_are_taken(
    body: object, content_type: str, count: int
) -> None:
    inlet = Inlet()
    answer = inlet.post("deliveries", body, content_type=content_type)
    assert (answer.code, said(answer)["accepted"], said(answer)["refused"]) == (202, count, [])
    assert inlet.entries() == [mark(number + 1) for number in range(count)]
    (event,) = inlet.events()
    assert (event.kind, event.received, event.source) == ("deliveries", NOW, "http")
    assert said(answer)["event_ids"] == [event.event_id]


def test_a_wrong_entry_costs_that_entry_and_is_named_by_its_index() -> None:
    inlet = Inlet()
    lines = (
        '{"id":1,"status":"sent"}\n{"id":\n{"id":3}\n7\n{"id":5,"status":"sent"}\n{"entries":[]}'
    )
    answer = inlet.post("deliveries", lines, content_type=LINES)
    assert answer.code == 202
    document = said(answer)
    assert (document["accepted"], document["refused_count"]) == (2, 4)
    assert [each["index"] for each in document["refused"]] == [1, 2, 3, 5]
    whys = [each["why"] for each in document["refused"]]
    assert whys[0].startswith("not JSON: Expecting value")
    assert whys[1:3] == ["status: is missing", "7 is not an object"]
    assert inlet.entries() == [mark(1), mark(5)]


def test_where_no_entry_can_be_taken_nothing_is_written() -> None:
    inlet = Inlet()
    answer = inlet.post("deliveries", [{"id": "x"}, 3])
    assert (answer.code, answer.content_type) == (422, "application/problem+json")
    assert said(answer)["refused_count"] == 2
    assert inlet.objects() == []


def test_a_body_becomes_events_of_a_thousand_entries_and_a_mebibyte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inlet = Inlet()
    answer = inlet.post("deliveries", [mark(number) for number in range(2 * MAX_ENTRIES + 1)])
    assert said(answer)["accepted"] == 2 * MAX_ENTRIES + 1
    ids = said(answer)["event_ids"]
    assert ids[1:] == [f"{ids[0]}.2", f"{ids[0]}.3"]
    assert [len(each.event["entries"]) for each in inlet.events()] == [MAX_ENTRIES, MAX_ENTRIES, 1]
    assert len(inlet.objects()) == 1
    long = [{"type": "note", "contact_id": 1, "metadata": {"text": "é" * 260_000}}] * 3
    assert said(inlet.post("activity", long))["accepted"] == 3
    for each in inlet.events():
        check_size("event", len(json.dumps(each.event, ensure_ascii=False).encode()))
    longest = {"type": "note", "contact_id": 1, "metadata": {"text": "x" * MAX_BYTES}}
    answer = inlet.post("activity", [longest, {"type": "click", "contact_id": 1}])
    assert [each["index"] for each in said(answer)["refused"]] == [0]


# --- the same again -------------------------------------------------------------------------------


def test_the_same_key_is_the_same_event_in_every_process() -> None:
    inlet = Inlet()
    first = inlet.post("contacts", {"id": 1, "state": "NV"}, key="k-1")
    inlet.endpoint = inlet.another()
    assert inlet.post("contacts", {"id": 1, "state": "NV"}, key='"k-1"').body == first.body
    assert len(inlet.events()) == 1
    assert inlet.post("contacts", {"id": 1, "state": "NV"}, key="k-2").body != first.body
    assert inlet.post("contacts", {"id": 1, "state": "NV"}).body != first.body
    assert len(inlet.events()) == 3


def test_an_event_id_in_the_body_is_that_of_the_event() -> None:
    inlet = Inlet()
    body = {"event_id": "crm-17", "org_id": "206", "entries": [SENT]}
    for _ in range(2):
        assert said(inlet.post("deliveries", body, key="k"))["event_ids"] == ["crm-17"]
    assert [each.event_id for each in inlet.events()] == ["crm-17"]


@pytest.mark.parametrize("name", ["key", "event_id"])
def test_another_body_with_the_same_key_is_a_conflict(name: str) -> None:
    inlet = Inlet()

    def post(entry: dict[str, Any], query: str = "") -> int:
        if name == "key":
            return inlet.post("contacts", entry, key="k", query=query).code
        event = {"event_id": "k", "entries": [entry]}
        return inlet.post("contacts", event, query=query).code

    assert post({"id": 1, "shoe": []}) == 422  # nothing was taken: the key is free
    assert [post({"id": 1}), post({"id": 2}), post({"id": 1}, "replan=true")] == [202, 409, 409]
    assert post({"id": 1}) == 202
    assert inlet.entries() == [{"id": 1}]


# --- planned at once ------------------------------------------------------------------------------


def test_replan_asks_for_a_run_once_the_event_is_durable() -> None:
    inlet = Inlet()
    inlet.post("contacts", {"id": 1}, query="replan=true", key="k")
    inlet.post("suppressions", {"event_id": "e1", "entries": [{"contact_id": 1}], "replan": True})
    inlet.post("suppressions", {"contact_id": 1}, query="replan=false")
    replanned = [each for each in inlet.events() if each.event["replan"]]
    assert set(inlet.runs) == {("206", each.event_id) for each in replanned}
    assert len(inlet.runs) == len(replanned) == 2


@pytest.mark.parametrize("kind", ["deliveries", "activity"])
def test_marks_and_activity_are_not_planned_at_once(kind: str) -> None:
    inlet = Inlet()
    body = {"id": 1, "status": "sent"} if kind == "deliveries" else {"type": "x", "contact_id": 1}
    assert inlet.post(kind, body, query="replan=true").code == 422
    assert (inlet.objects(), inlet.runs) == ([], [])


# --- when something is wrong ----------------------------------------------------------------------


class FailingStore(MemoryStore):
    """A store whose next writes fail; or of which the answers get lost."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: list[tuple[Exception, bool]] = []  # and whether it was written

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        error, written = self.fails.pop(0) if self.fails else (None, True)
        info = super().write(name, data, if_generation) if written else None
        if error is not None:
            raise error
        assert info is not None
        return info


def test_what_is_not_durable_is_not_answered_with_success() -> None:
    store = FailingStore()
    inlet = Inlet(store)
    store.fails = [(TransientError("no answer"), False)] * 2
    answer = inlet.post("deliveries", SENT, key="k")
    assert (answer.code, answer.headers["Retry-After"]) == (503, "2")
    assert inlet.objects() == []
    assert inlet.post("deliveries", SENT, key="k").code == 202
    assert len(inlet.events()) == 1


def test_a_lost_answer_makes_no_second_event(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FailingStore()
    inlet = Inlet(store)

    def forbidden(name: str) -> ObjectInfo | None:
        raise TransientError(f"{name}: access is denied")  # the function reads no inbox

    inlet.post("deliveries", SENT)  # the organization is known
    store.fails = [(OutcomeUnknown("inbox"), True)]
    times = iter([NOW, NOW.replace(hour=16)])
    inlet.endpoint._clock = lambda: next(times)
    with monkeypatch.context() as patched:
        patched.setattr(store, "stat", forbidden)
        assert inlet.post("deliveries", mark(2)).code == 202
    assert len(inlet.objects()) == 3
    assert sorted(entry["id"] for entry in inlet.entries()) == [1, 2]


def test_a_request_for_a_run_that_fails_is_to_be_sent_again() -> None:
    inlet = Inlet()

    def fails(org: str, event: str) -> None:
        raise TransientError("the topic does not answer")

    inlet.endpoint._ask_for_run = fails
    assert inlet.post("contacts", {"id": 1}, query="replan=true", key="k").code == 503
    inlet.endpoint = inlet.another()
    assert inlet.post("contacts", {"id": 1}, query="replan=true", key="k").code == 202
    assert (len(inlet.events()), len(inlet.runs)) == (1, 1)


def test_too_much_at_the_same_time_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    inlet = Inlet()
    monkeypatch.setattr(http, "MAX_IN_FLIGHT", 20)
    answer = inlet.post("deliveries", SENT)
    assert (answer.code, answer.headers["Retry-After"]) == (429, "2")
    assert inlet.post("contacts", {"id": 1}).code == 202


def test_a_bug_is_answered_as_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    inlet = Inlet()
    monkeypatch.setattr(http, "read_body", lambda *body: 1 / 0)
    answer = inlet.post("deliveries", SENT)
    assert (answer.code, said(answer)["status"]) == (500, 500)


def test_the_other_paths_answer_what_they_are_for() -> None:
    inlet = Inlet()
    assert inlet.ask(request("/health", b"", {}, method="GET")).code == 200
    assert inlet.ask(request("/openapi.json", b"", {}, method="GET")).code == 200
