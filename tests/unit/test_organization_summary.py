"""summary.json: the status of all organizations from one small object each, and never untrue."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from almanac.errors import AlmanacError, OutcomeUnknown, PreconditionFailed, TransientError
from almanac.runs.organization_summary import keep_summary, read_summary
from almanac.status import installation
from almanac.status.endpoint import status_response
from almanac.status.installation import store_findings, store_status
from almanac.status.organization import listed_status, organization_status
from almanac.status.poll import POLLED, PROBLEM, WARNING, poll
from almanac.storage import layout
from almanac.storage.lease import acquire
from almanac.storage.publish import rollback
from almanac.storage.store import ObjectInfo
from tests.support.ended_runs import DAILY, HOUR, NOW, ORG, CountingStore, end, put

SUMMARY = layout.summary(ORG)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    """An organization that ran this morning, with its summary."""
    made = CountingStore()
    put(made, tmp_path, "2026-11-20-daily", NOW - 28 * HOUR)
    put(made, tmp_path, DAILY, NOW - 4 * HOUR)
    keep_summary(made, ORG)
    return made


def asked(store: CountingStore, look: Callable[..., Any]) -> int:
    store.asked = 0
    look(store, ORG, NOW)
    return store.asked


def test_an_organization_that_is_well_takes_four_requests(store: CountingStore) -> None:
    assert listed_status(store, ORG, NOW) == organization_status(store, ORG, NOW)
    # what there is, the summary, the names of the runs, the inbox
    assert asked(store, listed_status) == 4 < asked(store, organization_status)


def push(store: CountingStore, folder: Path) -> None:
    put(store, folder, "push-20261121T130000Z-abcdef", NOW - HOUR)


def go_back(store: CountingStore, folder: Path) -> None:
    rollback(store, ORG, 1, now=NOW - HOUR)


def configure(store: CountingStore, folder: Path) -> None:
    store.write(layout.config(ORG), b"timezone: Pacific/Kiritimati", if_generation=0)


def fail(store: CountingStore, folder: Path) -> None:
    end(store, f"{DAILY}~2", "failed", NOW - HOUR, reason="no such column")


def die(store: CountingStore, folder: Path) -> None:
    store.write(layout.plan(ORG, f"{DAILY}~2"), b"{}", if_generation=0)
    acquire(store, ORG, f"{DAILY}~2", "an instance", NOW - 2 * HOUR, 3600)


def send_events(store: CountingStore, folder: Path) -> None:
    store.write(layout.inbox_object(ORG, NOW - 30 * HOUR, "event"), b"{}", if_generation=0)


def lose_the_pointer(store: CountingStore, folder: Path) -> None:
    store.delete(layout.current(ORG), if_generation=None)


def damage_the_pointer(store: CountingStore, folder: Path) -> None:
    store.write(layout.current(ORG), b"{", if_generation=None)


@pytest.mark.parametrize(
    "happens",
    [
        *(push, go_back, configure, fail, die, send_events),
        *(lose_the_pointer, damage_the_pointer),
    ],
)
def test_what_happens_after_the_summary_shows(
    store: CountingStore, tmp_path: Path, happens: Callable[[CountingStore, Path], None]
) -> None:
    before = listed_status(store, ORG, NOW)
    happens(store, tmp_path)
    found = listed_status(store, ORG, NOW)
    assert found == organization_status(store, ORG, NOW)
    assert found != before


def test_a_summary_that_cannot_be_read_is_a_problem_until_the_next_run(
    store: CountingStore,
) -> None:
    store.write(SUMMARY, b'{"pointer": "some"}', if_generation=None)
    whole = organization_status(store, ORG, NOW)
    found = listed_status(store, ORG, NOW)
    assert (found.ok, found.kinds[0]) == (False, "unreadable")
    assert found.problems[0].startswith(f"{SUMMARY}: ")
    assert found.version == whole.version  # the rest is read in full
    keep_summary(store, ORG)
    assert listed_status(store, ORG, NOW) == whole


def test_a_store_that_does_not_answer_is_not_taken_for_an_empty_one(store: CountingStore) -> None:
    store.broken = {SUMMARY}
    found = listed_status(store, ORG, NOW)
    assert found.problems == [f"{SUMMARY}: 503 Service Unavailable"]
    assert found.version == organization_status(store, ORG, NOW).version
    store.broken = {layout.organization(ORG)}
    found = listed_status(store, ORG, NOW)
    assert found.problems == [f"{layout.organization(ORG)}: 503 Service Unavailable"]
    assert found.version is not None


class FailingStore(CountingStore):
    """The write of summary.json raises an error, before or after it took effect."""

    error: AlmanacError | None = None
    acts = False

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        if self.error is None or name != SUMMARY:
            return super().write(name, data, if_generation)
        if self.acts:
            super().write(name, data, if_generation)
        raise self.error


@pytest.mark.parametrize("acts", [True, False])
@pytest.mark.parametrize(
    "error",
    [TransientError("503"), OutcomeUnknown(SUMMARY, "no answer"), PreconditionFailed("412")],
)
def test_a_write_that_fails_costs_nothing_but_requests(
    tmp_path: Path, error: AlmanacError, acts: bool
) -> None:
    store = FailingStore()
    put(store, tmp_path, "2026-11-20-daily", NOW - 28 * HOUR)
    keep_summary(store, ORG)
    put(store, tmp_path, DAILY, NOW - 4 * HOUR)
    store.error, store.acts = error, acts
    keep_summary(store, ORG)
    assert listed_status(store, ORG, NOW) == organization_status(store, ORG, NOW)
    summary = read_summary(store, ORG)
    assert summary is not None
    assert summary[0].facts.version.version == (2 if acts else 1)


# --- all organizations ----------------------------------------------------------------------------


@pytest.fixture
def several(store: CountingStore, tmp_path: Path) -> CountingStore:
    """206 and 209 are well; 207 is late, 208 has a failed run."""
    put(store, tmp_path, "2026-11-19-daily", NOW - 48 * HOUR, org="207")
    put(store, tmp_path, DAILY, NOW - 4 * HOUR, org="208")
    end(store, f"{DAILY}~2", "failed", NOW - HOUR, org="208", reason="ann@example.com: too long")
    put(store, tmp_path, DAILY, NOW - 4 * HOUR, org="209")
    return store


def test_what_is_wrong_anywhere_comes_in_one_answer(several: CountingStore) -> None:
    answer = status_response(several, "/problems", NOW)
    found = json.loads(answer.body)
    assert (answer.code, found["ok"], found["organizations"], found["next"]) == (
        503,
        False,
        4,
        None,
    )
    assert found["overdue"] == {"206": 7, "207": 7, "208": 7, "209": 7}
    there = [
        (each["org_id"], each["severity"], each["kind"])
        for each in found["findings"]
        if each["kind"] != "overdue"
    ]
    assert there == [("207", "problem", "late"), ("208", "warning", "failed")]
    assert json.loads(status_response(several, "/problems?after=207", NOW).body)["ok"]
    texts = [f"{each['org_id']}: {each['what']}" for each in found["findings"]]
    all_of_it = store_status(several, NOW)
    assert {each for each in texts if "successful" in each} == set(all_of_it.problems)


def test_an_answer_ends_in_time_and_says_where_it_goes_on(
    several: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "BATCH", 1)
    seen: list[list[str]] = []
    after: str | None = ""
    while after is not None:
        page = store_status(several, NOW, after=after, seconds=0)
        seen.append([each.org_id for each in page.organizations])
        after = page.next
    assert seen == [["206"], ["207"], ["208"], ["209"]]
    assert store_findings(several, NOW, after="206", seconds=0).next == "207"


def test_a_poll_logs_each_finding_and_that_it_looked_at_all(
    several: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as lines:
        assert status_response(several, "/poll", NOW).code == 200
    said = [(each["event"], each.get("org_id"), each.get("kind")) for each in lines]
    assert (PROBLEM, "207", "late") in said
    assert (WARNING, "208", "failed") in said
    assert "[e-mail]" in next(each for each in lines if each.get("kind") == "failed")["reason"]
    last = lines[-1]
    assert (last["event"], last["organizations"], last["problems"]) == (POLLED, 4, 1)
    assert last["warnings"] == 5

    monkeypatch.setattr(installation, "BATCH", 1)
    with capture_logs() as lines:
        assert status_response(several, "/poll", NOW, seconds=0).code == 503
        assert poll(several, NOW, 0).next == "206"
    assert POLLED not in [each["event"] for each in lines]
    assert lines[-1]["log_level"] == "error"
