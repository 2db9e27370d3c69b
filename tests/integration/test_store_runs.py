"""Runs of organizations in a store: what is asked for, what comes of it, and what is left alone."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
import yaml

from almanac.config import Config, load_config
from almanac.database.census import Census
from almanac.messaging.messages import ShardTask, parse
from almanac.report.summary import RunSummary
from almanac.report.tables import TABLES
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.storage import layout
from almanac.storage.history import list_versions
from almanac.storage.publish import rollback
from almanac.storage.versions import Manifest, current, manifest_of
from tests.support import agencies
from tests.support.agency_runs import seeded
from tests.support.clouds import NOW, TOPICS, Cloud, all_rows, plan_in, query
from tests.support.sampling import sampled

ORG = "206"
DAILY = "2027-03-01-daily"
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small agency as an older scheduler left it."""
    path = tmp_path_factory.mktemp("agency") / "agency.sqlite3"
    return agencies.build(path, 3, contacts=24, as_of=NOW.date(), config={})


@pytest.fixture
def cloud(folder: Path, database: Path) -> Iterator[Cloud]:
    """A cloud with one organization."""
    made = Cloud(folder)
    made.push(ORG, database)
    yield made
    made.close()


def expected(
    database: Path, folder: Path, config: Config | None = None, now: dt.datetime = NOW
) -> Path:
    """A copy of the file, planned as the command line plans it."""
    path = folder / "expected.sqlite3"
    path.write_bytes(database.read_bytes())
    run_file(path, config or Config(), RunOptions(now=now, workers=1))
    return path


def another_writer(cloud: Cloud, note: str) -> Path:
    """Somebody pushes a version with a note in it, made from the one in force."""
    path = cloud.pull(ORG)
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE IF NOT EXISTS notes (note)")
    connection.execute("INSERT INTO notes VALUES (?)", (note,))
    connection.close()
    cloud.push(ORG, path, f"push-{note}")
    return path


def run_ids(cloud: Cloud, org: str = ORG) -> list[str]:
    return cloud.store.subfolders(layout.runs(org))


def manifest(cloud: Cloud) -> Manifest:
    found = manifest_of(cloud.store, cloud.version(ORG).folder)
    assert found is not None
    return found


# What is planned


AGENCIES = [
    (shards, schema, seed)
    for shards in (1, 8, 40)
    for schema, seed in (("old", 11), ("new", 12), ("minimal", 13))
]


@pytest.mark.parametrize(
    ("shards", "schema", "seed"),
    sampled(AGENCIES, 1),
)
def test_the_rows_are_those_of_a_run_over_the_file(
    folder: Path, shards: int, schema: str, seed: int
) -> None:
    settings = agencies.config_for(seed)
    path = folder / "agency.sqlite3"
    agencies.build(path, seed, 40, as_of=NOW.date(), schema=schema, config=settings)
    cloud = Cloud(folder, shard_contacts=40 // shards)
    cloud.push(ORG, path)
    text = yaml.safe_dump(settings)
    cloud.configure(ORG, text)
    cloud.ask(ORG)
    cloud.run()
    assert cloud.result(ORG, DAILY).state == "committed"
    assert len(cloud.names(layout.fragments(ORG, DAILY))) == shards
    assert plan_in(cloud.pull(ORG)) == plan_in(expected(path, folder, load_config(text)))
    cloud.close()


@pytest.mark.parametrize("seed", sampled(range(4), 1))
def test_messages_in_any_order_and_any_number_of_times_come_to_the_same_rows(
    cloud: Cloud, database: Path, folder: Path, seed: int
) -> None:
    cloud.disorder = seeded("disorder", seed)
    cloud.services = replace(cloud.services, shard_contacts=3)
    cloud.ask(ORG)
    cloud.run()
    assert plan_in(cloud.pull(ORG)) == plan_in(expected(database, folder))
    assert [each.version for each in list_versions(cloud.store, ORG)] == [1, 2]
    assert cloud.store.stat(layout.lease(ORG)) is None


@pytest.mark.slow
def test_functions_that_run_at_once_come_to_the_same_rows(folder: Path, database: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        cloud = Cloud(folder, shard_contacts=3, threads=threads)
        cloud.disorder = seeded("threads", 0)
        for org in ("a", "b", "c"):
            cloud.push(org, database)
        for _ in range(3):
            cloud.ask()
        cloud.run()
        plan = plan_in(expected(database, folder))
        for org in ("a", "b", "c"):
            assert plan_in(cloud.pull(org)) == plan
            assert [each.run_id for each in list_versions(cloud.store, org)] == ["push", DAILY]
            assert cloud.store.stat(layout.lease(org)) is None
        cloud.close()


def test_one_empty_message_plans_all_organizations_and_none_disturbs_another(
    cloud: Cloud, database: Path, folder: Path
) -> None:
    garbage = folder / "garbage"
    garbage.write_bytes(b"This is no database. " * 500)
    cloud.push("207", garbage)
    cloud.push("208", database)
    cloud.configure("208", "horizon_days: soon\n")
    cloud.push("209", database)
    cloud.configure("210", "horizon_days: 30\n")  # it has no database yet
    cloud.send(TOPICS.run_requests, b"")
    cloud.run()
    states = {org: cloud.result(org, DAILY).state for org in ("206", "207", "208", "209")}
    assert states == {"206": "committed", "207": "failed", "208": "failed", "209": "committed"}
    assert "database" in (cloud.result("207", DAILY).reason or "")
    assert "orgs/208/config.yaml" in (cloud.result("208", DAILY).reason or "")
    assert "horizon_days" in (cloud.result("208", DAILY).reason or "")
    plan = plan_in(expected(database, folder))
    assert plan_in(cloud.pull("206")) == plan
    assert plan_in(cloud.pull("209")) == plan
    assert cloud.version("207").version == 1
    assert not cloud.names(layout.runs("210"))
    assert cloud.rejections() == []
    assert not [name for name in cloud.names() if name.endswith("lease.json")]


# When


def test_the_day_is_that_of_the_message_in_the_organizations_zone(cloud: Cloud) -> None:
    cloud.now = dt.datetime(2027, 3, 2, 3, 0, tzinfo=dt.UTC)  # nine in the evening of 1 March
    cloud.ask(ORG)
    cloud.run()
    result = cloud.result(ORG, DAILY)
    assert result.as_of == dt.date(2027, 3, 1)
    assert manifest(cloud).t0 == dt.date(2027, 3, 2)  # the send time of 1 March is over


@pytest.mark.slow
def test_each_organization_has_its_own_day(cloud: Cloud, database: Path) -> None:
    cloud.push("tokyo", database)
    cloud.configure("tokyo", "timezone: Asia/Tokyo\n")
    cloud.now = dt.datetime(2027, 3, 1, 20, 0, tzinfo=dt.UTC)
    cloud.ask()
    cloud.run()
    assert cloud.result(ORG, DAILY).state == "committed"
    assert cloud.result("tokyo", "2027-03-02-daily").state == "committed"


def test_a_late_delivery_plans_as_of_the_time_of_its_message(cloud: Cloud) -> None:
    cloud.ask()
    cloud.now = NOW + 2 * DAY
    cloud.run()
    assert run_ids(cloud) == [DAILY]
    assert manifest(cloud).t0 == NOW.date()
    ((started,),) = query(cloud.pull(ORG), "SELECT run_timestamp FROM scheduler_checkpoints")
    assert started == "2027-03-03 09:00:00"  # what is told of the run is told of its real time


def test_a_request_may_say_when_it_was_made_and_for_which_day(cloud: Cloud) -> None:
    cloud.ask(ORG, requested_at=NOW - 3 * DAY)
    cloud.ask(ORG, as_of=dt.date(2027, 3, 9), requested_at=NOW)
    cloud.ask(ORG, as_of=dt.date(2027, 2, 1), reason="manual")
    cloud.run()
    first, second, third = list_versions(cloud.store, ORG)[1:]
    assert (first.run_id, first.t0) == ("2027-02-26-daily", dt.date(2027, 2, 26))
    assert (second.run_id, second.t0) == ("2027-03-09-daily", dt.date(2027, 3, 9))
    assert (third.run_id, third.t0) == ("2027-02-01-manual-3", dt.date(2027, 2, 2))


def test_a_request_sent_again_keeps_the_id_and_the_time_of_the_first(cloud: Cloud) -> None:
    cloud.send(
        TOPICS.run_requests,
        b'{"org_id": "206", "reason": "manual"}',
        request_id="first",
        requested_at="2027-02-27T09:00:00Z",
    )
    cloud.run()
    assert run_ids(cloud) == ["2027-02-27-manual-first"]


@pytest.mark.slow
def test_the_runs_of_two_days_follow_each_other(cloud: Cloud) -> None:
    cloud.ask(ORG)
    cloud.ask(ORG, as_of=NOW.date() + DAY, requested_at=NOW + DAY)
    cloud.run()
    assert [each.run_id for each in list_versions(cloud.store, ORG)] == [
        "push",
        DAILY,
        "2027-03-02-daily",
    ]


# Once, and again


def test_another_daily_message_of_the_day_does_nothing_after_a_commit(cloud: Cloud) -> None:
    cloud.ask(ORG)
    cloud.run()
    before = cloud.names()
    cloud.ask(ORG)
    cloud.ask()
    cloud.run()
    assert cloud.names() == before


def test_with_force_it_runs_again_and_changes_no_row(cloud: Cloud) -> None:
    cloud.ask(ORG)
    cloud.run()
    first = cloud.pull(ORG)
    cloud.disorder = seeded("force", 0)
    cloud.ask(ORG, force=True)
    cloud.run()
    assert cloud.result(ORG, f"{DAILY}~2").version == 3
    assert all_rows(cloud.pull(ORG), "email_schedules") == all_rows(first, "email_schedules")
    assert run_ids(cloud) == [DAILY, f"{DAILY}~2"]


def test_after_a_failure_another_message_tries_again_and_the_same_one_does_not(
    cloud: Cloud,
) -> None:
    cloud.configure(ORG, "nonsense: 1\n")
    cloud.disorder = seeded("failure", 1)
    cloud.ask(ORG)
    cloud.run()
    assert cloud.result(ORG, DAILY).state == "failed"
    assert run_ids(cloud) == [DAILY]
    cloud.configure(ORG, "{}\n")
    cloud.ask(ORG)
    cloud.run()
    assert cloud.result(ORG, f"{DAILY}~2").state == "committed"
    assert run_ids(cloud) == [DAILY, f"{DAILY}~2"]


def test_a_request_delivered_again_goes_on_with_the_missing_shards(cloud: Cloud) -> None:
    cloud.services = replace(cloud.services, shard_contacts=10)
    cloud.ask(ORG)
    cloud.only("orchestrator", "shard")
    cloud.run()
    plan = cloud.store.stat(layout.plan(ORG, DAILY))
    name = layout.fragment(ORG, DAILY, 1)
    there = cloud.store.stat(name)
    for shard in (0, 2):
        cloud.store.delete(layout.fragment(ORG, DAILY, shard), None)
    cloud.seen.clear()
    cloud.now += HOUR / 2
    cloud.ask(ORG)
    cloud.everything()
    cloud.run()
    tasks = [
        parse(ShardTask, each.data).shard for function, each in cloud.seen if "shard" in function
    ]
    assert tasks == [0, 2]
    assert cloud.store.stat(name) == there
    assert cloud.store.stat(layout.plan(ORG, DAILY)) == plan
    assert cloud.result(ORG, DAILY).state == "committed"


def test_where_no_shard_is_missing_a_request_delivered_again_sets_off_the_merge(
    cloud: Cloud,
) -> None:
    cloud.ask(ORG)
    cloud.only("orchestrator", "shard")
    cloud.run()
    cloud.everything()
    cloud.seen.clear()
    cloud.ask(ORG)
    cloud.run()
    assert [function for function, _ in cloud.seen] == ["orchestrator", "merge"]
    assert cloud.result(ORG, DAILY).state == "committed"


# One after the other


def test_a_second_run_waits_for_the_first(cloud: Cloud) -> None:
    cloud.ask(ORG)
    cloud.ask(ORG, reason="manual")
    cloud.run()
    asked = [each.message_id for function, each in cloud.seen if function == "orchestrator"]
    assert len(asked) > 2  # the lease was taken, and the messages came again
    ids = [each.run_id for each in list_versions(cloud.store, ORG)]
    assert ids == ["push", DAILY, "2027-03-01-manual-2"]
    assert cloud.store.stat(layout.lease(ORG)) is None


def test_a_run_whose_lease_ran_out_is_marked_as_failed_and_may_be_asked_for_again(
    cloud: Cloud,
) -> None:
    cloud.ask(ORG)
    cloud.only("orchestrator", "shard")
    cloud.run()
    cloud.everything()
    cloud.now += 2 * HOUR
    cloud.ask(ORG, reason="manual")
    cloud.run()
    dead = cloud.result(ORG, DAILY)
    assert (dead.state, dead.again) == ("failed", True)
    assert "its lease ran out" in (dead.reason or "")
    assert cloud.version(ORG).run_id in (dead.reason or "")
    assert "manual" in cloud.version(ORG).run_id
    cloud.ask(ORG)
    cloud.run()
    assert cloud.result(ORG, f"{DAILY}~2").state == "committed"


def test_words_of_a_dead_runs_shards_do_nothing_any_more(cloud: Cloud) -> None:
    cloud.ask(ORG)
    cloud.only("orchestrator", "shard")
    cloud.run()
    cloud.now += 2 * HOUR
    late = [each for function, each in cloud.seen if function == "shard"]
    cloud.everything()
    cloud.ask(ORG, reason="manual")
    cloud.run()
    before = cloud.names()
    for task in late:
        cloud.handle("shard", task)
    cloud.send(
        TOPICS.shard_results, b'{"org_id": "206", "run_id": "%s", "shard": 0}' % DAILY.encode()
    )
    cloud.run()
    assert cloud.names() == before


def test_a_dead_run_that_had_committed_is_marked_as_committed(cloud: Cloud) -> None:
    cloud.ask(ORG)
    cloud.run()
    cloud.store.delete(layout.result(ORG, DAILY), None)  # it died just before it wrote this
    cloud.store.write(
        layout.lease(ORG),
        json.dumps({"run_id": DAILY, "holder": "x", "expires_at": NOW.isoformat()}).encode(),
        0,
    )
    cloud.now += HOUR
    cloud.ask(ORG, reason="manual")
    cloud.run()
    result = cloud.result(ORG, DAILY)
    assert (result.state, result.version) == ("committed", 2)
    assert result.planned is not None


# Other writers


def test_a_version_pushed_during_the_run_is_never_overwritten(
    cloud: Cloud, folder: Path, database: Path
) -> None:
    cloud.only("orchestrator", "shard")
    cloud.ask(ORG)
    cloud.run()
    pushed = another_writer(cloud, "mine")
    cloud.everything()
    cloud.ask(ORG)
    cloud.run()
    assert cloud.result(ORG, DAILY).state == "superseded"
    assert "push-mine" in (cloud.result(ORG, DAILY).reason or "")
    done = cloud.result(ORG, f"{DAILY}~2")
    assert (done.state, done.version, done.as_of) == ("committed", 3, NOW.date())
    new = cloud.pull(ORG)
    assert query(new, "SELECT note FROM notes") == [("mine",)]
    assert plan_in(new) == plan_in(expected(pushed, folder))
    assert run_ids(cloud) == [DAILY, f"{DAILY}~2"]


@pytest.mark.parametrize("force", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_push_at_the_last_moment_is_not_overwritten_either(cloud: Cloud, force: bool) -> None:
    if force:
        cloud.ask(ORG)
        cloud.run()
    pushes = iter(["first", "second"])

    def push_while_publishing(step: str, done: int, total: int) -> None:
        note = next(pushes, None) if (step, done) == ("publish", 0) else None
        if note:
            another_writer(cloud, note)

    cloud.services = replace(cloud.services, progress=push_while_publishing)
    cloud.now += HOUR
    cloud.ask(ORG, force=force)
    cloud.run()
    ids = [DAILY, *(f"{DAILY}~{n}" for n in (2, 3, 4))][int(force) :][:3]
    assert [cloud.result(ORG, run).state for run in ids] == ["superseded"] * 2 + ["committed"]
    assert len({cloud.result(ORG, run).request_id for run in ids}) == 1
    new = cloud.pull(ORG)
    assert query(new, "SELECT note FROM notes") == [("first",), ("second",)]
    assert cloud.version(ORG).run_id == ids[-1]
    assert cloud.store.stat(layout.lease(ORG)) is None


def test_after_five_times_in_a_row_a_superseded_run_fails(cloud: Cloud) -> None:
    pushes = []

    def push_while_publishing(step: str, done: int, total: int) -> None:
        if (step, done) == ("publish", 0):
            pushes.append(step)
            another_writer(cloud, str(len(pushes)))

    cloud.services = replace(cloud.services, progress=push_while_publishing)
    cloud.ask(ORG)
    cloud.run()
    ids = [DAILY, *(f"{DAILY}~{n}" for n in range(2, 6))]
    assert run_ids(cloud) == ids
    assert [cloud.result(ORG, run).state for run in ids] == ["superseded"] * 4 + ["failed"]
    assert "superseded 5 times in a row" in (cloud.result(ORG, ids[-1]).reason or "")
    assert len(query(cloud.pull(ORG), "SELECT * FROM notes")) == 5
    assert cloud.store.stat(layout.lease(ORG)) is None


def test_a_version_that_was_rolled_back_during_the_run_stays_so(cloud: Cloud) -> None:
    another_writer(cloud, "wrong")
    cloud.only("orchestrator", "shard")
    cloud.ask(ORG)
    cloud.run()
    rollback(cloud.store, ORG, 1, now=cloud.now)
    cloud.everything()
    cloud.ask(ORG)
    cloud.run()
    assert cloud.result(ORG, DAILY).state == "superseded"
    assert cloud.version(ORG).run_id == f"{DAILY}~2"
    assert not query(cloud.pull(ORG), "SELECT name FROM sqlite_schema WHERE name = 'notes'")


# What a version holds


def test_a_version_says_what_it_is(cloud: Cloud) -> None:
    cloud.ask(ORG)
    cloud.run()
    made, path = manifest(cloud), cloud.pull(ORG)
    planned = query(path, "SELECT status, count(*) FROM email_schedules GROUP BY status")
    census = Census.model_validate((made.model_extra or {})["census"])
    assert census.statuses == dict(planned)
    assert census.contacts == query(path, "SELECT count(*) FROM contacts")[0][0]
    result = cloud.result(ORG, DAILY)
    assert made.rows == {"planned": result.planned, "skipped": result.skipped}
    assert made.t0 == NOW.date()
    assert (made.run_id, made.parent, made.version) == (DAILY, 1, 2)
    assert made.config_digest == Config().digest()
    folder = cloud.version(ORG).folder
    summary = RunSummary.model_validate_json(cloud.store.read(f"{folder}/report.json").data)
    assert (summary.run_id, summary.planned_total) == (DAILY, result.planned)
    assert b"<html" in cloud.store.read(f"{folder}/report.html").data
    seconds = cloud.store.read(f"{folder}/report-tables/seconds.csv").data.decode()
    assert {line.partition(",")[0] for line in seconds.splitlines()} > {"plan contacts", "write"}
    tables = {f"report-tables/{name}.csv" for name in TABLES}
    beside = {"database.sqlite3-checksums.json", f"due-{NOW.date()}.sqlite3"}
    beside |= {layout.PLANNED_PIECES, layout.PLANNED_INDEX}
    assert set(made.attachments) == {"report.json", "report.html", *tables, *beside}


def test_the_change_set_makes_the_version_out_of_its_parent(cloud: Cloud) -> None:
    cloud.ask(ORG)
    cloud.run()
    first = manifest(cloud)
    assert layout.CHANGES not in first.attachments  # columns and tables were added
    parent = cloud.pull(ORG)
    cloud.now += DAY
    cloud.ask(ORG)
    cloud.run()
    changes = cloud.store.read(f"{cloud.version(ORG).folder}/{layout.CHANGES}").data
    connection = apsw.Connection(str(parent))
    apsw.Changeset.apply(changes, connection)
    connection.close()
    new = cloud.pull(ORG)
    tables = [
        name
        for (name,) in query(new, "SELECT name FROM sqlite_schema WHERE type = 'table'")
        if not name.startswith("sqlite_")
    ]
    assert len(tables) > 8
    for table in tables:
        assert all_rows(parent, table) == all_rows(new, table), table


def test_old_versions_and_old_runs_are_collected_after_a_commit(cloud: Cloud) -> None:
    for days in (0, 12, 13):
        cloud.now = NOW + dt.timedelta(days=days)
        cloud.ask(ORG)
        cloud.run()
    kept = [(each.version, each.run_id[:10]) for each in list_versions(cloud.store, ORG)]
    assert kept == [(3, "2027-03-13"), (4, "2027-03-14")]
    old = layout.run(ORG, DAILY)
    assert cloud.names(old) == [f"{old}plan.json", f"{old}result.json"]
    there = current(cloud.store, ORG)
    assert there is not None
    assert there[0].version == 4
