"""The inbox: what is put into it is read in order, each event once, until it is deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from almanac.errors import Corrupt, RequestError, TransientError
from almanac.intake import inbox
from almanac.intake.events import MAX_BYTES
from almanac.intake.inbox import Received
from almanac.storage.folder import FolderStore
from almanac.storage.memory import MemoryStore
from tests.support.intake_calls import received

MARK: dict[str, Any] = {"id": 7, "status": "sent"}


def event(event_id: str, minutes: int = 0, entry: object = MARK) -> Received:
    return received("deliveries", entry, event_id=event_id, minutes=minutes)


def ids(store: MemoryStore | FolderStore) -> list[str]:
    return [each.event_id for each in inbox.read(store, inbox.waiting(store, "206"))]


def test_a_batch_is_named_by_its_first_event() -> None:
    store = MemoryStore()
    name = inbox.put(store, "206", [event("b", 1), event("a", 0), event("c", 1)])
    assert name == "orgs/206/inbox/20261121T140000.000000Z-a.json"
    assert ids(store) == ["a", "b", "c"]


def test_batches_are_read_by_publish_time_also_where_they_overlap(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    inbox.put(store, "206", [event("d", 3)])
    inbox.put(store, "206", [event("a", 0), event("e", 9)])
    inbox.put(store, "206", [event("b", 1)])
    assert ids(store) == ["a", "b", "d", "e"]
    assert inbox.waiting(store, "207") == []


def test_the_same_batch_again_is_the_same_object() -> None:
    store = MemoryStore()
    assert inbox.put(store, "206", [event("a")]) == inbox.put(store, "206", [event("a")])
    inbox.put(store, "206", [event("a", 5)])  # repeated later: another object, the same event
    assert len(inbox.waiting(store, "206")) == 2
    assert ids(store) == ["a"]


def test_other_content_under_an_id_is_refused_at_the_same_time_and_kept_at_another() -> None:
    store = MemoryStore()
    inbox.put(store, "206", [event("a")])
    with pytest.raises(RequestError, match="event_id: 'a' is that of another event"):
        inbox.put(store, "206", [event("a", entry={"id": 8, "status": "sent"})])
    inbox.put(store, "206", [event("a", 1, entry={"id": 8, "status": "sent"})])
    assert ids(store) == ["a", "a"]  # absorbing refuses the second
    inbox.put(store, "206", [event("a", 2, entry=MARK | {"id": 7.0})])  # equal only in Python
    assert ids(store) == ["a", "a", "a"]


def test_an_object_that_went_meanwhile_was_applied() -> None:
    store = MemoryStore()
    names = [inbox.put(store, "206", [event(each, at)]) for at, each in enumerate("abc")]
    listed = inbox.waiting(store, "206")
    inbox.delete(store, names[:2])
    inbox.delete(store, names[:1])
    assert [each.event_id for each in inbox.read(store, listed)] == ["c"]
    assert [each.name for each in inbox.waiting(store, "206")] == names[2:]


def test_what_is_read_is_what_was_put() -> None:
    store = MemoryStore()
    entry = MARK | {"detail": "na\u00efve \u2603 \0", "n": 1 << 70, "deep": [{"a": [None, 0.1]}]}
    inbox.put(store, "206", [event("a", entry=entry)])
    (there,) = inbox.read(store, inbox.waiting(store, "206"))
    assert there.event == event("a", entry=entry).event
    assert there.digest == event("a", entry=entry).computed_digest()
    assert (there.received, there.source) == (event("a").received, "http")


def test_half_a_character_becomes_a_question_mark() -> None:
    store = MemoryStore()
    inbox.put(store, "206", [event("a", entry=MARK | {"detail": "\ud83d"})])
    (there,) = inbox.read(store, inbox.waiting(store, "206"))
    assert there.event["entries"] == [MARK | {"detail": "?"}]


@pytest.mark.parametrize(
    ("org", "entry", "why"),
    [
        ("207", MARK, "org_id: '206' is not 207"),
        ("206", MARK | {"detail": "x" * MAX_BYTES}, "an event has 1,048,576 at most"),
    ],
)
def test_an_event_that_does_not_belong_there_is_not_written(
    org: str, entry: object, why: str
) -> None:
    store = MemoryStore()
    with pytest.raises(RequestError, match=why):
        inbox.put(store, org, [event("a", entry=entry)])
    assert inbox.waiting(store, org) == []


def test_a_batch_that_cannot_be_read_is_not_taken_for_missing() -> None:
    store = MemoryStore()
    store.write("orgs/206/inbox/x.json", b'{"events": 5}', 0)
    with pytest.raises(
        Corrupt, match=r"inbox/x.json: it may hold claims, but .* events: 5 is not a list"
    ):
        ids(store)


def test_what_cannot_be_read_for_the_moment_is_not_taken_for_damaged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    store.write("orgs/206/inbox/x.json", b'{"events": 5}', 0)
    listed = inbox.waiting(store, "206")
    assert list(inbox.read_batches(store, listed).unreadable) == ["orgs/206/inbox/x.json"]

    def fail(_: str) -> None:
        raise TransientError("later")

    monkeypatch.setattr(store, "read", fail)
    with pytest.raises(TransientError):
        inbox.read_batches(store, listed)
