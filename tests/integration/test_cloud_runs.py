"""Runs by real functions in processes of their own, over Google's Pub/Sub emulator and the strict
emulator of Cloud Storage."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from almanac.messaging.messages import ShardDone, ShardTask
from almanac.storage import layout
from almanac.storage.publish import NewVersion, publish
from almanac_emulation.cloud_storage.faults import Fault
from tests.support import agencies
from tests.support.clouds import TOPIC_OF, TOPICS, plan_in, query
from tests.support.emulators import needs_pubsub_emulator, wait_until
from tests.support.local_clouds import (
    DAILY,
    DAY,
    Organization,
    Running,
    expected,
    running_cloud,
)

pytestmark = [needs_pubsub_emulator, pytest.mark.slow]

MORE = 24  # contacts: three shards


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_cloud(tmp_path_factory.mktemp("cloud"), ALMANAC_SHARD_CONTACTS="10") as made:
        yield made


@pytest.fixture
def database(folder: Path) -> Path:
    """A small agency as an older scheduler left it."""
    return agencies.build(folder / "agency.sqlite3", 3, MORE, as_of=DAY, config={})


@pytest.fixture
def place(running: Running, folder: Path, database: Path) -> Organization:
    """An organization with the small agency."""
    made = Organization(running, folder)
    made.push(database)
    return made


def another_writer(place: Organization, note: str) -> Path:
    """Somebody pulls the version in force, adds a note to it, and pushes it."""
    path = place.pull()
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE IF NOT EXISTS notes (note)")
    connection.execute("INSERT INTO notes VALUES (?)", (note,))
    connection.close()
    place.push(path)
    return path


def push_garbage(place: Organization, folder: Path) -> None:
    """Publish what `almanac store push` would not: a version whose database is none."""
    path = folder / "garbage.sqlite3"
    path.write_bytes(b"This is no database. " * 500)
    now = dt.datetime.now(dt.UTC)
    publish(
        place.store,
        place.org,
        path,
        NewVersion(
            run_id="push-garbage",
            parent=None,
            as_of=now.date(),
            now=now,
        ),
    )


def test_one_empty_message_plans_every_organization_and_none_disturbs_another(
    running: Running, folder: Path
) -> None:
    today = dt.datetime.now(dt.UTC).date()
    good = [Organization(running, folder) for _ in range(3)]
    for number, each in enumerate(good):
        path = folder / f"{each.org}.sqlite3"
        each.push(agencies.build(path, number, 12 + number, as_of=today, config={}))
    bad = Organization(running, folder)
    push_garbage(bad, folder)
    running.cloud.bus.publish(running.topics.run_requests, [b"{}"])
    for each in good:
        wait_until(lambda place=each: bool(place.runs()), "the run")  # type: ignore[misc]
        (run_id,) = each.runs()
        result = each.committed(run_id)
        plan = each.plan(run_id)
        assert run_id == f"{plan.as_of}-daily"
        assert result.version == each.version().version == 2
        planned = expected(folder / f"{each.org}.sqlite3", folder, plan.asked.requested_at)
        assert plan_in(each.pull()) == plan_in(planned)
    wait_until(lambda: bool(bad.runs()), "the run of the broken one")
    failed = bad.result(bad.runs()[0])
    assert failed.state == "failed"
    assert "database" in (failed.reason or "")
    assert bad.version().version == 1
    # and the one place to look for it
    code, told = running.status("")
    assert code == 503
    assert {each["org_id"] for each in told["organizations"] if each["ok"]} >= {
        each.org for each in good
    }
    code, told = running.status(f"orgs/{bad.org}")
    assert code == 503
    assert (told["last_failure"]["state"], told["last_failure"]["reason"]) == (
        "failed",
        failed.reason,
    )
    assert running.status(f"orgs/{good[0].org}")[0] == 200


@pytest.mark.parametrize("shards", [8, 1, 40])
def test_the_rows_are_those_of_a_run_over_the_file(
    running: Running, folder: Path, shards: int
) -> None:
    place = Organization(running, folder)
    path = folder / "agency.sqlite3"
    place.push(agencies.build(path, shards, shards * 10, as_of=DAY, config={}))
    place.ask()
    assert place.committed().planned
    assert len(place.plan().shards) == shards
    assert plan_in(place.pull()) == plan_in(expected(path, folder))


# Once, whatever is delivered


def test_messages_that_come_several_times_and_in_odd_order_come_to_the_same_rows(
    running: Running, place: Organization, database: Path, folder: Path
) -> None:
    order = random.Random(7)
    last = place.fragment(2)
    with place.held("upload", last) as hold:  # so that all of this comes while the run is going on
        request = place.ask(times=3)
        plan = place.plan()
        words = [ShardDone(org_id=place.org, run_id=DAILY, shard=n) for n in range(3)] * 3
        tasks = [
            ShardTask(org_id=place.org, run_id=DAILY, shard=n, first_id=first, last_id=until)
            for n, (first, until) in enumerate(plan.shards)
        ] * 3
        order.shuffle(words)
        order.shuffle(tasks)
        early = running.send(place.topics.shard_results, *words)
        again = running.send(place.topics.shard_tasks, *tasks)
        hold.wait()
        running.wait_for_deliveries("merge", early, len(words))
    place.committed()
    running.wait_for_deliveries("orchestrator", request, 3)
    running.wait_for_deliveries("shard", again, len(tasks))
    assert plan_in(place.pull()) == plan_in(expected(database, folder))
    assert place.history() == place.runs() == [DAILY]


def test_whatever_comes_after_the_end_changes_nothing(
    running: Running, place: Organization
) -> None:
    place.ask()
    place.committed()
    before = place.contents()
    first, last = place.plan().shards[1]
    task = ShardTask(org_id=place.org, run_id=DAILY, shard=1, first_id=first, last_id=last)
    word = ShardDone(org_id=place.org, run_id=DAILY, shard=1)
    late = running.send(place.topics.shard_results, word, word)
    running.wait_for_deliveries("merge", late, 2)
    late = running.send(place.topics.shard_tasks, task, task)
    running.wait_for_deliveries("shard", late, 2)
    running.wait_for_deliveries("orchestrator", place.ask(times=2), 2)
    wait_until(lambda: place.is_idle, "the lease is given back")
    assert place.contents() == before


def test_two_requests_at_once_are_two_runs_one_after_the_other(
    running: Running, place: Organization, database: Path, folder: Path
) -> None:
    one, other = (place.ask(reason="manual") for _ in range(2))
    ids = {f"{DAY}-manual-{one}", f"{DAY}-manual-{other}"}
    versions = {place.committed(run_id).version for run_id in ids}
    assert versions == {2, 3}
    assert set(place.history()) == set(place.runs()) == ids
    assert plan_in(place.pull()) == plan_in(expected(database, folder))


def test_two_daily_requests_at_once_are_one_run(running: Running, place: Organization) -> None:
    for sent in [place.ask() for _ in range(2)]:
        running.wait_for_deliveries("orchestrator", sent)
    place.committed()
    assert place.history() == place.runs() == [DAILY]


# Another writer


def test_a_version_pushed_while_a_shard_works_is_planned_and_not_overwritten(
    place: Organization, folder: Path
) -> None:
    with place.held("upload", place.fragment(1)) as hold:
        place.ask()
        hold.wait()
        pushed = another_writer(place, "mine")
    assert place.result().state == "superseded"
    done = place.committed(f"{DAILY}~2")
    assert (done.version, done.as_of) == (3, DAY)
    new = place.pull()
    assert query(new, "SELECT note FROM notes") == [("mine",)]
    assert plan_in(new) == plan_in(expected(pushed, folder))
    assert place.runs() == [DAILY, f"{DAILY}~2"]
    assert place.history() == [f"{DAILY}~2"]


def test_a_version_pushed_at_the_very_last_moment_is_not_overwritten_either(
    running: Running, place: Organization, folder: Path
) -> None:
    pushed: list[Path] = []
    current = layout.current(place.org)
    running.cloud.storage.faults.add(
        Fault("upload", current, meanwhile=lambda: pushed.append(another_writer(place, "late")))
    )
    place.ask()
    result = place.result()
    assert result.state == "superseded"
    assert place.committed(f"{DAILY}~2").version == place.version().version
    new = place.pull()
    assert query(new, "SELECT note FROM notes") == [("late",)]
    assert plan_in(new) == plan_in(expected(pushed[0], folder))


# What can never succeed


def poison(place: Organization) -> list[tuple[str, bytes, str]]:
    """Topic, data, and words of the reason why nothing can come of it."""
    org, requests, tasks = place.org.encode(), TOPICS.run_requests, TOPICS.shard_tasks
    results, changes = TOPICS.shard_results, TOPICS.campaign_changes
    task = b'{"org_id": "%s", "run_id": "%s", "shard": %s, "first_id": 1, "last_id": 9}'
    change = b'{"org_id": "%s", "event_id": "%s", "campaign_instance_id": %s, "changes": %s}'
    return [
        (requests, b"garbage", "RunRequest"),
        (requests, b"\xff\xfe\x00", "RunRequest"),
        (requests, b"[" * 20_000, "RunRequest"),
        (requests, b'{"org_id": "nobody"}', "no database"),
        (requests, b'{"org_id": "../../etc"}', "org_id"),
        (requests, b'{"org_id": "%s", "as_of": "2044-02-30"}' % org, "as_of"),
        (requests, b'{"org_id": "%s", "reason": "hourly"}' % org, "reason"),
        (requests, b'{"org_id": "%s", "horizon": 30}' % org, "unknown key"),
        (tasks, b"{}", "org_id: is missing"),
        (tasks, b"[1, 2]", "ShardTask"),
        (tasks, task % (org, b"no-such-run", b"0"), "no such run"),
        (tasks, task % (org, b"no-such-run", b"-1"), "shard"),
        (tasks, task.replace(b"9}", b"0}") % (org, DAILY.encode(), b"0"), "is after"),
        (results, b"", "is missing"),
        (results, b"null", "ShardDone"),
        (results, b'{"org_id": "%s", "run_id": "gone", "shard": 0}' % org, "no such run"),
        (changes, change % (org, b"p1", b"999999", b"{}"), "no such campaign instance"),
        (changes, change % (org, b"p2", b"1", b'{"spread_end_date": "2044-13-01"}'), "spread_end"),
        (changes, change % (org, b"p3", b"1", b'{"id": "7"}'), "not a field"),
        (changes, change % (org, b"a~b", b"1", b"{}"), "event_id"),
    ]


def test_twenty_poison_messages_are_recorded_and_hold_nobody_up(
    running: Running, place: Organization, database: Path, folder: Path
) -> None:
    functions = {topic: function for function, topic in TOPIC_OF.items()}
    messages = poison(place)
    sent = [running.send(topic, data) for topic, data, _ in messages[:10]]
    request = place.ask()
    sent += [running.send(topic, data) for topic, data, _ in messages[10:]]
    assert len(sent) == 20
    for name, (topic, _, words) in zip(sent, messages, strict=True):
        running.wait_for_deliveries(functions[topic], name)
        found = running.rejection(name)
        assert found is not None
        assert found.topic == topic
        assert words in found.reason
        assert "\n" not in found.reason
    place.committed()
    running.wait_for_deliveries("orchestrator", request)
    assert plan_in(place.pull()) == plan_in(expected(database, folder))
    for name, (topic, _, _) in zip(sent, messages, strict=True):
        outcomes = running.deliveries(functions[topic], name)
        assert outcomes.index("done") == len(outcomes) - 1  # it may have waited for the lease
        assert "failed" not in outcomes
    assert running.cloud.dead_letters() == []
