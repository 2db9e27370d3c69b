"""What concerns all organizations: none waits for the look at another, and who is late is named."""

from __future__ import annotations

import datetime as dt
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from almanac.errors import TransientError
from almanac.logs import configure
from almanac.messaging.bus import Delivery
from almanac.messaging.local import LocalBus
from almanac.messaging.messages import RunRequest, to_json
from almanac.names import date_of_run
from almanac.organizations.snapshots import RangedSnapshots
from almanac.runs.fan_out import AT_DEADLINE, CHECKED, OVERDUE, UNSENT, ask_for_all
from almanac.runs.handlers import HANDLERS
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.memory import MemoryStore
from almanac.storage.versions import Current, Manifest

NOW = dt.datetime(2027, 3, 2, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def services(store: Any, **changes: Any) -> Services:
    given = Services(
        store=store,
        bus=LocalBus(clock=lambda: NOW),
        snapshots=RangedSnapshots(store),
        workspace=Path("unused"),
        clock=lambda: NOW,
    )
    return replace(given, **changes)


def request(**fields: Any) -> Delivery:
    data = to_json(RunRequest.model_validate(fields))
    return Delivery(topic="run-requests", message_id="1", publish_time=NOW, data=data)


def version(
    store: MemoryStore, org: str, run_id: str, age: dt.timedelta, due: dict[str, int] | None = None
) -> None:
    """A current version of a run that was committed so long ago; due: messages by day."""
    folder = layout.version(org, 1, run_id)
    common = {"version": 1, "run_id": run_id, "crc32c": "AAAAAA==", "size": 1}
    path, at = f"{folder}/{layout.DATABASE}", NOW - age
    day = date_of_run(run_id) or dt.date(2027, 3, 1)
    more = {"census": {"as_of": "2027-03-01", "due": due}} if due else {}
    manifest = Manifest(
        **common, **more, path=path, as_of=day, created_at=at, parent=None, parent_path=None
    )
    pointer = Current(**common, path=path, as_of=day, committed_at=at)
    store.write(f"{folder}/{layout.MANIFEST}", manifest.model_dump_json().encode(), None)
    store.write(layout.current(org), pointer.model_dump_json().encode(), None)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged."""
    stream = io.StringIO()
    configure("INFO", stream)
    yield stream
    configure(None)


def test_a_check_names_who_has_had_no_run_for_26_hours(written: io.StringIO) -> None:
    store = MemoryStore()
    version(store, "1", "2027-03-02-daily", 25 * HOUR)
    version(store, "2", "2027-03-01-daily", 27 * HOUR)
    version(store, "3", "push-20270301T000000Z-abc", 25 * HOUR)  # pushed, and not late yet
    version(store, "4", "push-20270301T000000Z-abc", 27 * HOUR)
    store.write(layout.current("5"), b"no pointer", None)
    store.write(layout.config("6"), b"", None)  # removed, or never pushed to
    HANDLERS["orchestrator"](services(store), request(reason="check"))
    found = [json.loads(line) for line in written.getvalue().splitlines()]
    late = {line["org_id"]: line["reason"] for line in found if line["message"] == OVERDUE}
    assert late.keys() == {"2", "4", "5"}
    assert late["2"] == (
        "the last successful run, 2027-03-01-daily, is 27.0 hours old; the limit is 26"
    )
    assert late["4"] == "no run has planned it in any version that is kept"
    assert found[-1] | {"organizations": 6, "overdue": 3} == found[-1]


def test_a_check_names_who_has_messages_that_are_not_sent(written: io.StringIO) -> None:
    store = MemoryStore()
    # 2 March: the day before may be today somewhere
    version(store, "1", "2027-03-02-daily", HOUR, {"2027-03-01": 5, "2027-03-04": 7})
    version(store, "2", "2027-03-02-daily", HOUR, {"2027-02-26": 2, "2027-02-28": 1})
    HANDLERS["orchestrator"](services(store), request(reason="check"))
    found = [json.loads(line) for line in written.getvalue().splitlines()]
    unsent = [(line["org_id"], line["messages"]) for line in found if line["message"] == UNSENT]
    assert unsent == [("2", 3)]


def test_a_check_counts_what_waits_in_the_inboxes(written: io.StringIO) -> None:
    store = MemoryStore()
    version(store, "1", "2027-03-02-daily", HOUR)
    version(store, "2", "2027-03-02-daily", HOUR)
    for name in ("1/inbox/a", "1/inbox/b", "2/inbox/c", "2/versions/d"):
        store.write(f"orgs/{name}.json", b"{}", None)
    HANDLERS["orchestrator"](services(store), request(reason="check"))
    (line,) = map(json.loads, written.getvalue().splitlines())
    assert line | {"message": CHECKED, "overdue": 0, "objects_waiting": 3} == line


def test_at_the_deadline_each_organization_is_planned_for_its_day_or_not(
    written: io.StringIO,
) -> None:
    store = MemoryStore()
    version(store, "1", "2027-03-02-daily", HOUR)
    version(store, "2", "2027-03-01-daily", 25 * HOUR)  # of the day before
    version(store, "3", "2027-03-02-daily", -HOUR)  # committed after the deadline
    version(store, "4", "push-20270301T000000Z-abc", 25 * HOUR)  # pushed, and to be planned next
    version(store, "5", "push-20270301T000000Z-abc", 27 * HOUR)
    store.write(layout.current("6"), b"no pointer", None)
    store.write(layout.config("7"), b"", None)  # removed, or never pushed to
    HANDLERS["orchestrator"](services(store), request(reason="deadline"))
    found = [json.loads(line) for line in written.getvalue().splitlines()]
    assert {line["message"] for line in found} == {AT_DEADLINE}
    assert {line["org_id"]: line["planned"] for line in found} == {
        "1": True,
        "2": False,
        "3": False,
        "5": False,
        "6": False,
    }


@pytest.mark.parametrize("reason", ["check", "deadline"])
def test_a_check_is_of_all_organizations(reason: str) -> None:
    store = MemoryStore()
    version(store, "1", "2027-03-02-daily", HOUR)
    HANDLERS["orchestrator"](services(store), request(org_id="1", reason=reason))
    (rejected,) = (store.read(each.name).data for each in store.list("rejected/"))
    assert f"a {reason} is of all organizations, without an org_id".encode() in rejected


class Meeting(MemoryStore):
    """A store whose look-ups end only once eight are under way."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(8)

    def stat(self, name: str) -> Any:
        self.barrier.wait(5)
        return super().stat(name)


def test_organizations_are_looked_at_beside_each_other() -> None:
    store = Meeting()
    for org in range(16):
        version(store, str(org), "2027-03-02-daily", HOUR)
    published: list[bytes] = []

    class Bus:
        def publish(self, topic: str, messages: list[bytes], attributes: Any = None) -> None:
            published.extend(messages)

    asked = services(store, bus=Bus(), at_once=8)
    ask_for_all(asked, RunRequest(), request())
    assert [json.loads(each)["org_id"] for each in published] == sorted(map(str, range(16)))


def test_a_store_that_does_not_answer_is_not_taken_for_an_organization_that_is_late() -> None:
    class Silent(MemoryStore):
        def read(self, name: str) -> Any:
            raise TransientError("no answer")

    store = Silent()
    version(store, "1", "2027-03-01-daily", 27 * HOUR)
    with pytest.raises(TransientError):
        HANDLERS["orchestrator"](services(store), request(reason="check"))
