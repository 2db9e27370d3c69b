"""What `status` says of an organization, in whatever state it is."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest

from almanac.errors import RequestError
from almanac.intake import http, webhooks
from almanac.organizations.organizations import WALK, is_whole_run, last_whole_run, organizations
from almanac.runs.organization_summary import keep_summary
from almanac.status import endpoint
from almanac.status.endpoint import status_response
from almanac.status.installation import store_status
from almanac.status.model import OrganizationStatus
from almanac.status.organization import listed_status, organization_status
from almanac.storage import layout
from almanac.storage.lease import acquire
from almanac.storage.memory import MemoryStore
from almanac.storage.publish import rollback
from almanac.storage.store import StoredObject
from almanac.storage.versions import current
from tests.support.ended_runs import DAILY, HOUR, NOW, ORG, CountingStore, census, end, put


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


def look(store: MemoryStore, now: dt.datetime = NOW) -> OrganizationStatus:
    """The organization's status; over HTTP and with summary.json it must be the same."""
    found = organization_status(store, ORG, now)
    assert listed_status(store, ORG, now) == found
    keep_summary(store, ORG)
    assert listed_status(store, ORG, now) == found
    answer = status_response(store, f"/orgs/{ORG}", now)
    assert answer.code == (200 if found.ok else 503)
    assert OrganizationStatus.model_validate_json(answer.body) == found
    return found


# --- one organization -----------------------------------------------------------------------------


def test_an_organization_that_ran_this_morning_is_well(store: MemoryStore, tmp_path: Path) -> None:
    done = put(store, tmp_path, DAILY, NOW - 4 * HOUR)
    found = look(store)
    assert found.ok
    assert found.problems == []
    assert found.version is not None
    assert (found.version.version, found.version.run_id) == (1, DAILY)
    assert (found.version.hours, found.version.size) == (4.0, done.size)
    assert found.last_success is not None
    assert (found.last_success.run_id, found.last_success.hours) == (DAILY, 4.0)
    assert found.last_run is not None
    assert (found.last_run.run_id, found.last_run.state) == (DAILY, "committed")
    assert found.last_failure is None
    assert found.data is not None
    assert (found.data.contacts, found.data.eligible) == (1000, 950)
    assert found.data.issues == {"no_state": 12}
    assert [each.instance_id for each in found.data.left_out] == [7]


@pytest.mark.parametrize(
    ("hours", "well"), [(25.9, True), (26.0, True), (26.1, False), (24 * 400, False)]
)
def test_the_last_successful_run_may_be_26_hours_old(
    store: MemoryStore, tmp_path: Path, hours: float, well: bool
) -> None:
    put(store, tmp_path, DAILY, NOW - hours * HOUR)
    found = look(store)
    assert found.ok is well
    assert bool(found.problems) is not well
    assert all(DAILY in problem for problem in found.problems)


def test_an_organization_without_a_database_has_no_problem(store: MemoryStore) -> None:
    store.write(layout.config(ORG), b"", if_generation=0)
    found = look(store)
    assert found.ok
    assert (found.version, found.last_run, found.due, found.data) == (None, None, None, None)


def test_a_database_that_was_never_planned_is_a_problem(store: MemoryStore, tmp_path: Path) -> None:
    put(store, tmp_path, "push-20261121T130000Z-abcdef", NOW - HOUR)
    found = look(store)
    assert found.problems == ["no run has planned it in any version that is kept"]
    assert found.last_success is None


@pytest.mark.parametrize(
    "after", ["push-20261121T130000Z-abcdef", "2026-11-21-change-event.1", "rollback-1"]
)
def test_what_comes_after_a_run_over_all_contacts_is_walked_over(
    store: MemoryStore, tmp_path: Path, after: str
) -> None:
    put(store, tmp_path, DAILY, NOW - 30 * HOUR)
    put(store, tmp_path, after, NOW - HOUR)
    found = look(store)
    assert found.version is not None
    assert (found.version.run_id, found.version.hours) == (after, 1.0)
    assert found.last_success is not None
    assert (found.last_success.version, found.last_success.hours) == (1, 30.0)
    assert not found.ok
    assert found.data is not None


def test_a_version_that_names_the_last_run_spares_the_way_back(
    store: CountingStore, tmp_path: Path
) -> None:
    put(store, tmp_path, DAILY, NOW - 4 * HOUR)
    there = current(store, ORG)
    assert there is not None
    last = last_whole_run(store, there[0].folder)
    assert last is not None
    for number in range(20):
        extra = {"last_run": last.model_dump(mode="json")}
        put(store, tmp_path, f"push-{number}", NOW - HOUR, extra=extra)
    store.asked = 0
    assert look(store).last_success is not None
    assert store.asked < 40  # for two looks


def test_the_way_back_ends_somewhere(store: CountingStore, tmp_path: Path) -> None:
    for number in range(WALK + 5):
        put(store, tmp_path, f"push-{number}", NOW - HOUR)
    store.asked = 0
    assert not organization_status(store, ORG, NOW).ok
    assert store.asked < WALK + 20


def test_the_age_is_that_of_the_run_also_after_going_back_to_it(
    store: MemoryStore, tmp_path: Path
) -> None:
    put(store, tmp_path, "2026-11-19-daily", NOW - 50 * HOUR)
    put(store, tmp_path, DAILY, NOW - 4 * HOUR)
    rollback(store, ORG, 1, now=NOW - HOUR)
    found = look(store)
    assert found.version is not None
    assert (found.version.version, found.version.hours) == (1, 50.0)
    assert found.version.in_force_since == NOW - HOUR
    assert not found.ok


@pytest.mark.parametrize(
    ("run_id", "whole"),
    [
        ("2026-11-21-daily", True),
        ("2026-11-21-daily~3", True),
        ("2026-11-21-manual-17", True),
        ("2026-11-21-change-daily", False),
        ("push-20261121T130000Z-abcdef", False),
        ("snapshot", False),
    ],
)
def test_a_run_over_all_contacts_is_known_by_its_id(run_id: str, whole: bool) -> None:
    assert is_whole_run(run_id) is whole


# --- runs -----------------------------------------------------------------------------------------


def plan(store: MemoryStore, run_id: str) -> None:
    """A run that has begun."""
    store.write(layout.plan(ORG, run_id), b"{}", if_generation=0)


def test_a_run_with_the_lease_and_no_result_is_running(store: MemoryStore, tmp_path: Path) -> None:
    put(store, tmp_path, "2026-11-20-daily", NOW - 24 * HOUR)
    plan(store, DAILY)
    acquire(store, ORG, DAILY, "somebody", NOW, 3600)
    found = look(store)
    assert found.last_run is not None
    assert (found.last_run.run_id, found.last_run.state) == (DAILY, "running")
    assert found.last_run.lease_until == NOW + HOUR
    assert found.warnings == ["7 messages were due before today and are not sent"]


@pytest.mark.parametrize("leased", [True, False])
def test_a_run_without_a_valid_lease_and_without_a_result_is_dead(
    store: MemoryStore, tmp_path: Path, leased: bool
) -> None:
    put(store, tmp_path, "2026-11-20-daily", NOW - 24 * HOUR)
    plan(store, DAILY)
    if leased:
        acquire(store, ORG, DAILY, "somebody", NOW - 2 * HOUR, 3600)
    found = look(store)
    assert found.last_run is not None
    assert (found.last_run.run_id, found.last_run.state) == (DAILY, "dead")
    assert found.warnings[0].startswith(f"the last run, {DAILY}, is dead")
    assert found.ok


def test_a_failed_run_is_told_with_its_reason(store: MemoryStore, tmp_path: Path) -> None:
    put(store, tmp_path, "2026-11-20-daily", NOW - 24 * HOUR)
    end(store, DAILY, "failed", NOW - HOUR, reason="contact ann@example.com: no such column")
    found = look(store)
    assert found.last_run == found.last_failure
    assert found.last_failure is not None
    assert found.last_failure.reason == "contact [e-mail]: no such column"
    assert "no such column" in found.warnings[0]
    assert found.ok


def test_a_failure_before_the_last_success_stays_known(store: MemoryStore, tmp_path: Path) -> None:
    end(store, DAILY, "failed", NOW - 5 * HOUR, reason="too bad")
    put(store, tmp_path, f"{DAILY}~2", NOW - 4 * HOUR)
    found = look(store)
    assert found.last_run is not None
    assert (found.last_run.run_id, found.last_run.state) == (f"{DAILY}~2", "committed")
    assert found.last_failure is not None
    assert found.last_failure.reason == "too bad"
    assert not any("failed" in warning for warning in found.warnings)


def test_of_a_thousand_runs_only_the_newest_are_read(store: CountingStore, tmp_path: Path) -> None:
    for number in range(1000):
        day = dt.date(2024, 1, 1) + dt.timedelta(days=number)
        end(store, f"{day}-daily", "failed", NOW - 1000 * HOUR)
    put(store, tmp_path, DAILY, NOW - HOUR)
    store.asked = 0
    assert organization_status(store, ORG, NOW).ok
    assert store.asked < 20


# --- what is due, what failed ---------------------------------------------------------------------


def test_what_is_due_is_counted_from_the_organizations_own_day(
    store: MemoryStore, tmp_path: Path
) -> None:
    put(store, tmp_path, DAILY, NOW - HOUR)
    found = look(store)
    assert found.due is not None
    assert (found.due.overdue, found.due.today) == (7, 50)
    store.write(layout.config(ORG), b"timezone: Pacific/Kiritimati", if_generation=0)
    late = NOW.replace(hour=11)  # there it is the 22nd already
    assert late.astimezone(dt.UTC).date() == NOW.date()
    found = look(store, late)
    assert found.due is not None
    assert (found.due.overdue, found.due.today) == (57, 0)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({}, (0, 0, None, 0)),
        ({"scheduled": 5, "Processing ": 2}, (0, 0, None, 7)),
        ({"sent": 90, "delivered": 6, "failed": 3, "BOUNCED": 1}, (100, 4, 0.04, 0)),
        ({"sent": 2, "failed": 1, "scheduled": 4, "cancelled": 9, "": 3}, (3, 1, 0.3333, 4)),
    ],
)
def test_the_error_rate_is_that_of_messages_which_were_tried(
    store: MemoryStore,
    tmp_path: Path,
    outcomes: dict[str, int],
    expected: tuple[int, int, float | None, int],
) -> None:
    counted = census().model_copy(update={"outcomes": outcomes}).model_dump(mode="json")
    put(store, tmp_path, DAILY, NOW - HOUR, extra={"census": counted})
    found = look(store)
    assert found.outcomes is not None
    assert found.due is not None
    rate = found.outcomes
    told = (rate.tried, rate.failed, rate.error_rate, found.due.with_sender)
    assert told == expected


def test_a_version_without_a_census_says_nothing_of_its_rows(
    store: MemoryStore, tmp_path: Path
) -> None:
    put(store, tmp_path, DAILY, NOW - HOUR, extra={"census": None})
    found = look(store)
    assert found.ok
    assert (found.due, found.outcomes) == (None, None)


# --- what is broken -------------------------------------------------------------------------------


def overwrite(store: MemoryStore, name: str, data: bytes) -> None:
    store.write(name, data, if_generation=None)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("current.json", b"{"),
        ("config.yaml", b"timezone: Nowhere"),
        ("lease.json", b"[]"),
        (f"runs/{DAILY}/result.json", b'{"state": "fine"}'),
        (f"versions/00000001-{DAILY}/manifest.json", b"what?"),
        (f"versions/00000001-{DAILY}/report.json", b'{"contacts_total": "many"}'),
        (f"versions/00000001-{DAILY}/report.json", b"\xff"),
    ],
)
def test_a_broken_document_is_a_problem_of_its_organization_alone(
    store: CountingStore, tmp_path: Path, name: str, data: bytes
) -> None:
    put(store, tmp_path, DAILY, NOW - HOUR)
    put(store, tmp_path, DAILY, NOW - HOUR, org="207")
    overwrite(store, f"orgs/{ORG}/{name}", data)
    assert look(store).problems
    both = store_status(store, NOW)
    assert not both.ok
    assert [(each.org_id, each.ok) for each in both.organizations] == [
        ("206", False),
        ("207", True),
    ]
    assert all(problem.startswith("206: ") for problem in both.problems)


def test_a_broken_census_is_a_problem(store: MemoryStore, tmp_path: Path) -> None:
    put(store, tmp_path, DAILY, NOW - HOUR, extra={"census": {"as_of": "someday"}})
    assert "Census cannot be read: as_of" in look(store).problems[0]


def test_a_version_whose_manifest_is_gone_is_a_problem(store: MemoryStore, tmp_path: Path) -> None:
    done = put(store, tmp_path, DAILY, NOW - HOUR)
    store.delete(f"{done.folder}/manifest.json", if_generation=None)
    assert "manifest.json: no such object" in look(store).problems[0]


def test_a_service_that_is_down_is_a_problem(store: CountingStore, tmp_path: Path) -> None:
    put(store, tmp_path, DAILY, NOW - HOUR)
    store.broken = {layout.current(ORG)}
    assert "503 Service Unavailable" in look(store).problems[0]


# --- over HTTP ------------------------------------------------------------------------------------


def answer(store: MemoryStore, path: str) -> tuple[int, Any]:
    found = status_response(store, path, NOW)
    assert found.content_type == "application/json"
    return found.code, json.loads(found.body)


def test_all_organizations_come_with_the_reasons(store: CountingStore, tmp_path: Path) -> None:
    assert answer(store, "/") == (
        200,
        {
            "ok": True,
            "checked_at": "2026-11-21T14:00:00Z",
            "problems": [],
            "organizations": [],
            "next": None,
        },
    )
    put(store, tmp_path, DAILY, NOW - HOUR)
    store.write("orgs/No Organization/a.txt", b"", if_generation=0)
    assert organizations(store) == [ORG]
    code, found = answer(store, "/")
    assert (code, found["ok"], len(found["organizations"])) == (200, True, 1)
    put(store, tmp_path, "2026-11-19-daily", NOW - 48 * HOUR, org="207")
    code, found = answer(store, "/?verbose=1")
    assert (code, found["ok"], len(found["organizations"])) == (503, False, 2)
    assert found["problems"][0].startswith("207: the last successful run, 2026-11-19-daily, is 48")


def test_many_organizations_come_in_pages(
    store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "PAGE", 2)
    for org in ("1", "10", "2"):
        store.write(layout.config(org), b"", if_generation=0)
    seen, path = [], "/"
    while path:
        _, found = answer(store, path)
        seen.append([each["org_id"] for each in found["organizations"]])
        path = f"/?after={found['next']}" if found["next"] else ""
    assert seen == [["1", "10"], ["2"]]


def test_no_path_of_a_function_is_one_of_googles_own() -> None:
    # Google answers paths that end in z itself, and no function sees them
    for module in (endpoint, http, webhooks):
        assert not re.search(r'"/?[a-z]+z"', Path(str(module.__file__)).read_text("utf-8"))


def test_liveness_asks_nothing_of_the_store(store: CountingStore) -> None:
    store.broken = {"orgs/"}
    assert answer(store, "/health") == (200, {"ok": True})
    assert store.asked == 0
    assert answer(store, "/")[0] == 503


def test_a_mistake_of_ours_hides_no_other_organization(
    store: CountingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, tmp_path, DAILY, NOW - HOUR)
    put(store, tmp_path, DAILY, NOW - HOUR, org="207")

    def read(name: str) -> StoredObject:
        if name.startswith("orgs/206/"):
            raise ZeroDivisionError
        return MemoryStore.read(store, name)

    monkeypatch.setattr(store, "read", read)
    code, found = answer(store, "/")
    assert code == 503
    assert found["problems"] == ["206: its status cannot be determined (ZeroDivisionError)"]
    assert found["organizations"][1]["ok"]


@pytest.mark.parametrize(
    "path",
    [
        *("/orgs", "/orgs/999", "/orgs/999/report", "/orgs/A%20B", "/orgs/../x", "/x"),
        *("/orgs/206/x", "/orgs/206/report-tables", "/orgs/206/report-tables/notes.txt"),
        *("/orgs/206/report-tables/days", "/orgs/206/report-tables/types.csv"),
        "/orgs/206/report-tables/../report.json",
    ],
)
def test_what_is_not_there_is_not_found(store: MemoryStore, tmp_path: Path, path: str) -> None:
    put(store, tmp_path, DAILY, NOW - HOUR)
    code, found = answer(store, path)
    assert code == 404
    assert found["problems"]


def test_the_report_is_that_of_the_version_in_force_or_of_the_run_before_it(
    store: MemoryStore, tmp_path: Path
) -> None:
    path = f"/orgs/{ORG}/report"
    put(store, tmp_path, "push-1", NOW - 9 * HOUR)
    assert answer(store, path)[0] == 404
    put(store, tmp_path, DAILY, NOW - 4 * HOUR)
    put(store, tmp_path, "push-2", NOW - HOUR)
    page = status_response(store, path, NOW)
    assert (page.code, page.content_type) == (200, "text/html; charset=utf-8")
    assert page.body == f"<!doctype html>{DAILY}".encode()
    table = status_response(store, f"/orgs/{ORG}/report-tables/days.csv", NOW)
    assert (table.code, table.content_type) == (200, "text/csv; charset=utf-8")
    assert table.body == f"Day\r\n{DAILY}\r\n".encode()


def test_what_is_no_id_is_a_mistake(store: MemoryStore) -> None:
    with pytest.raises(RequestError, match="org_id"):
        organization_status(store, "../x", NOW)


def test_what_waits_in_the_inbox_is_counted_and_after_a_day_it_is_a_warning(
    store: MemoryStore, tmp_path: Path
) -> None:
    put(store, tmp_path, DAILY, NOW - HOUR)
    found = organization_status(store, ORG, NOW)
    assert found.waiting is not None
    assert (found.waiting.batches, found.waiting.since) == (0, None)
    assert len(found.warnings) == 1
    for hours in (2, 27):
        name = layout.inbox_object(ORG, NOW - hours * HOUR, f"event-{hours}")
        store.write(name, b"12345", 0)
    late = organization_status(store, ORG, NOW)
    assert late.waiting is not None
    assert (late.waiting.batches, late.waiting.bytes) == (2, 10)
    assert late.waiting.since == NOW - 27 * HOUR
    assert late.ok
    assert "events wait for 27.0 hours; the limit is 26" in late.warnings[-1]
