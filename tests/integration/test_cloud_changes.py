"""Campaign changes by real functions, over the emulators."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from almanac.generation import generate
from almanac.messaging.messages import CampaignChange
from almanac.storage import layout
from tests.support.clouds import plan_in, query
from tests.support.emulators import needs_pubsub_emulator, wait_until
from tests.support.local_clouds import (
    DAILY,
    DAY,
    NOW,
    Organization,
    Running,
    expected,
    running_cloud,
)

pytestmark = [needs_pubsub_emulator, pytest.mark.slow]

ROWS = "SELECT * FROM email_schedules WHERE contact_id {} IN ({}) ORDER BY id"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_cloud(tmp_path_factory.mktemp("cloud"), ALMANAC_SHARD_CONTACTS="100") as made:
        yield made


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A realistic agency of some hundred contacts, as a run left it."""
    path = tmp_path_factory.mktemp("agency") / "agency.sqlite3"
    generate(path, 600, 1, DAY)
    return expected(path, path.parent)


@pytest.fixture
def place(running: Running, folder: Path, database: Path) -> Organization:
    """An organization with this agency."""
    made = Organization(running, folder)
    made.push(database)
    return made


def changes_run(event: str) -> str:
    return f"{DAY}-change-{event}"


def busiest(path: Path) -> int:
    """The campaign instance with the most planned rows."""
    ((instance,),) = query(
        path,
        "SELECT campaign_instance_id FROM email_schedules WHERE status = 'pre-scheduled' "
        "AND campaign_instance_id IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC LIMIT 1",
    )
    return int(instance)


def concerned(path: Path, instance: int) -> str:
    """The contacts that an instance may reach, or that have planned rows of it."""
    found = query(
        path,
        "SELECT contact_id FROM contact_campaigns WHERE campaign_instance_id = ?1 "
        "UNION SELECT contact_id FROM email_schedules "
        "WHERE campaign_instance_id = ?1 AND status IN ('pre-scheduled', 'skipped')",
        instance,
    )
    assert found
    return ", ".join(str(each) for (each,) in found)


def log(path: Path) -> list[tuple[Any, ...]]:
    return query(
        path,
        "SELECT event_id, campaign_instance_id, field_changed, new_value "
        "FROM campaign_change_log WHERE event_id IS NOT NULL ORDER BY id",
    )


def test_a_change_is_applied_and_logged_with_the_new_plan_of_whom_it_concerns(
    running: Running, place: Organization, database: Path
) -> None:
    instance = busiest(database)
    sent = place.change("new-mail", instance, email_template="other_mail")
    result = place.committed(changes_run("new-mail"))
    new = place.pull()
    assert log(new) == [("new-mail", instance, "email_template", "other_mail")]
    sql = "SELECT email_template FROM campaign_instances WHERE id = ?"
    assert query(new, sql, instance) == [("other_mail",)]
    planned = query(
        new,
        "SELECT DISTINCT email_template FROM email_schedules "
        "WHERE campaign_instance_id = ? AND status = 'pre-scheduled'",
        instance,
    )
    assert planned == [("other_mail",)]
    them = concerned(database, instance)
    others = ROWS.format("NOT", them)
    assert query(new, others) == query(database, others) != []
    mine = ROWS.format("", them)
    assert query(new, mine) != query(database, mine)
    # a second delivery does nothing
    before = place.contents()
    message = CampaignChange(
        event_id="new-mail",
        org_id=place.org,
        campaign_instance_id=instance,
        changes={"email_template": "other_mail"},
    )
    for name, times in ((sent, 2), (f"another-{sent}", 1)):
        topic, at = place.topics.campaign_changes, NOW.isoformat()
        running.send(topic, message, request_id=name, requested_at=at)
        running.wait_for_deliveries("campaign_change", name, times)
    wait_until(lambda: place.is_idle, "the lease is given back")
    assert place.contents() == before
    assert result.version == place.version().version == 2


@pytest.mark.slow
def test_an_instance_that_ends_takes_its_planned_rows_along(
    place: Organization, database: Path
) -> None:
    instance = busiest(database)
    place.change("the-end", instance, active_end_date="2044-01-31")
    place.committed(changes_run("the-end"))
    sql = (
        "SELECT count(*) FROM email_schedules "
        "WHERE campaign_instance_id = ? AND status = 'pre-scheduled'"
    )
    assert query(database, sql, instance) != [(0,)]
    new = place.pull()
    assert query(new, sql, instance) == [(0,)]
    others = ROWS.format("NOT", concerned(database, instance))
    assert query(new, others) == query(database, others)


def test_the_daily_run_after_a_change_plans_what_the_command_line_plans(
    place: Organization, folder: Path, database: Path
) -> None:
    place.change("more", busiest(database), spread_start_date="2044-03-04", target_states="ALL")
    place.committed(changes_run("more"))
    changed = place.pull()
    place.ask()
    place.committed()
    assert plan_in(place.pull()) == plan_in(expected(changed, folder))


@pytest.mark.parametrize(
    ("instance", "changes", "words"),
    [
        (999_999, {"email_template": "x"}, "no such campaign instance"),
        (1, {"email": "x"}, "not a field that can be changed"),
        (1, {"metadata": "{"}, "not a JSON object"),
        (1, {"spread_end_date": "2044-02-30"}, "spread_end_date"),
    ],
)
def test_a_change_that_cannot_be_is_rejected_with_the_reason(
    running: Running, place: Organization, instance: int, changes: dict[str, str], words: str
) -> None:
    message = {"event_id": "bad", "org_id": place.org, "campaign_instance_id": instance}
    data = json.dumps({**message, "changes": changes}).encode()
    sent = running.send(place.topics.campaign_changes, data)
    running.wait_for_deliveries("campaign_change", sent)
    found = running.rejection(sent)
    assert found is not None
    assert words in found.reason
    wait_until(lambda: place.is_idle, "the lease is given back")
    assert place.history() == []
    assert list(place.store.list(layout.changes(place.org))) == []


@pytest.mark.parametrize("number", [10, 100])
def test_many_changes_and_a_daily_run_at_once_are_all_done_exactly_once(
    running: Running, place: Organization, folder: Path, database: Path, number: int
) -> None:
    instances = [id_ for (id_,) in query(database, "SELECT id FROM campaign_instances ORDER BY 1")]
    assert len(instances) > 1
    wanted = {
        f"event-{n}": CampaignChange(
            event_id=f"event-{n}",
            org_id=place.org,
            campaign_instance_id=instances[n % len(instances)],
            changes={"email_template": f"mail_{n}"},
        )
        for n in range(number)
    }
    messages = list(wanted.values())
    started = time.monotonic()
    topic, at = place.topics.campaign_changes, NOW.isoformat()
    for message in messages[: number // 2]:
        running.send(topic, message, requested_at=at)
    place.ask()
    for message in messages[number // 2 :]:
        running.send(topic, message, requested_at=at)
    for event in wanted:
        result = running.cloud.wait_for_result(place.org, changes_run(event))
        assert (result.state, result.reason) == ("committed", None)
    place.committed()
    seconds = time.monotonic() - started
    runs = place.history()
    print(f"{number} changes and a daily run: {seconds:.1f} s, {len(runs)} versions")
    new = place.pull()
    logged = log(new)
    assert sorted(event for event, _, _, _ in logged) == sorted(wanted)
    for event, instance, field, value in logged:
        change = wanted[event]
        assert (instance, {field: value}) == (change.campaign_instance_id, change.changes)
    in_force = {instance: value for _, instance, _, value in logged}  # the last of each
    found = query(new, "SELECT id, email_template FROM campaign_instances")
    assert dict(found) == in_force
    assert DAILY in runs
    assert len(runs) == len(set(runs))
    # nothing waits, and nothing is in the way of what comes next
    wait_until(lambda: place.is_idle, "the lease is given back")
    assert list(place.store.list(layout.changes(place.org))) == []
    assert running.cloud.dead_letters() == []
    place.ask(force=True)
    place.committed(f"{DAILY}~2")
    assert plan_in(place.pull()) == plan_in(expected(new, folder))
