"""Runs of organizations in a store when processes die, answers get lost and objects are spoilt."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from almanac.config import Config
from almanac.errors import LeaseTaken
from almanac.messaging.bus import Delivery
from almanac.messaging.messages import ShardTask, parse
from almanac.runs.fragments import Fragment
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.runs.run_plan import RunPlan, read_plan
from almanac.runs.shard import run_shard
from almanac.runs.tasks import announce
from almanac.storage import layout
from almanac.storage.history import list_versions
from tests.support import agencies
from tests.support.agency_runs import seeded
from tests.support.clouds import NOW, TOPIC_OF, TOPICS, Cloud, met_faults, plan_in
from tests.support.perils import FAULTS, Death, Fault
from tests.support.sampling import sampled, shares

ORG = "206"
DAILY = "2027-03-01-daily"
HOUR = dt.timedelta(hours=1)
SHARDS = 2
POINTER = layout.current(ORG)

Plan = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small agency as an older scheduler left it."""
    path = tmp_path_factory.mktemp("agency") / "agency.sqlite3"
    return agencies.build(path, 9, contacts=12, as_of=NOW.date(), config={})


@pytest.fixture(scope="module")
def planned(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """What a run over the file makes of it."""
    path = tmp_path_factory.mktemp("planned") / "agency.sqlite3"
    path.write_bytes(database.read_bytes())
    run_file(path, Config(), RunOptions(now=NOW, workers=1))
    return plan_in(path)


@pytest.fixture
def cloud(folder: Path, database: Path) -> Iterator[Cloud]:
    """A cloud with one organization of two shards."""
    made = Cloud(folder, shard_contacts=6)
    made.push(ORG, database)
    yield made
    made.close()


def ready_to_merge(cloud: Cloud) -> RunPlan:
    """Let a run come as far as its fragments; nobody has told the merge of them."""
    cloud.ask(ORG)
    cloud.only("orchestrator", "shard")
    cloud.run()
    cloud.everything()
    return read_plan(cloud.store, ORG, DAILY)


@pytest.fixture(scope="module")
def fragments(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud whose run has come as far as its fragments."""
    made = Cloud(tmp_path_factory.mktemp("fragments"), shard_contacts=6)
    made.push(ORG, database)
    ready_to_merge(made)
    yield made
    made.close()


@pytest.fixture
def plan(cloud: Cloud, fragments: Cloud) -> RunPlan:
    """Let the cloud begin where that run has come to."""
    cloud.store.begin_as(fragments.store)
    cloud.holders = fragments.holders
    return read_plan(cloud.store, ORG, DAILY)


def tell_merge(cloud: Cloud, shard: int = 0) -> None:
    announce(cloud.services, ORG, DAILY, shard)


def in_force(cloud: Cloud) -> list[str]:
    """The runs of the version in force and of those before it, oldest first."""
    versions = {each.path: each for each in list_versions(cloud.store, ORG)}
    path: str | None = cloud.version(ORG).path
    found: list[str] = []
    while path in versions:
        found.insert(0, versions[path].run_id)
        path = versions[path].parent_path
    return found


# Deaths and lost answers


@shares(28)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_change_of_the_world_leads_to_the_same_version(
    cloud: Cloud, folder: Path, planned: Plan, fault: Fault, every: int
) -> None:
    met = []
    begin = functools.partial(Cloud.ask, org=ORG)
    for each, what in met_faults(folder, cloud, fault, begin, every=every):
        met.append(what)
        assert each.result(ORG, DAILY).state == "committed", what
        assert each.store.subfolders(layout.runs(ORG)) == [DAILY], what
        # a process that died may have left a whole version that was never in force
        assert {v.run_id for v in list_versions(each.store, ORG)} == {"push", DAILY}, what
        assert in_force(each) == ["push", DAILY], what
        assert each.store.stat(layout.lease(ORG)) is None, what
        assert plan_in(each.pull(ORG)) == planned, what
        assert each.rejections() == []
    assert met
    if every > 1:
        return
    kinds = {name.rpartition("/")[2] for name in met}
    assert {"plan.json", "lease.json", "00001.parquet", "current.json", "result.json"} <= kinds
    assert {TOPICS.shard_tasks, TOPICS.shard_results, f"delete {layout.lease(ORG)}"} <= set(met)


@pytest.fixture(scope="module")
def with_history(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud with runs of three days, some days apart, of which the next run deletes versions."""
    made = Cloud(tmp_path_factory.mktemp("history"), shard_contacts=6)
    made.push(ORG, database)
    for _ in range(3):
        made.ask(ORG)
        made.run()
        made.now += dt.timedelta(days=4)
    yield made
    made.close()


@pytest.mark.slow
@shares(30)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_old_versions_are_collected_leaves_those_that_are_needed(
    with_history: Cloud, folder: Path, fault: Fault, every: int
) -> None:
    latest = with_history.version(ORG).run_id
    days = f"{with_history.now.date()}-daily"
    deleted = 0

    def deletes(change: str) -> bool:
        return change.startswith("delete")

    begin = functools.partial(Cloud.ask, org=ORG)
    for each, what in met_faults(folder, with_history, fault, begin, deletes, every):
        deleted += 1
        assert each.result(ORG, days).state == "committed", what
        kept = [version.run_id for version in list_versions(each.store, ORG)]
        assert kept[-2:] == [latest, days], what
        for version in list_versions(each.store, ORG):
            assert each.store.read(version.path).data[:6] == b"SQLite", what
        assert each.store.stat(layout.lease(ORG)) is None, what
    assert deleted > (4 if every == 1 else 0)


def test_until_the_pointer_swings_the_old_version_is_in_force_and_from_then_on_the_new_one(
    cloud: Cloud, plan: RunPlan, folder: Path
) -> None:
    for fault in FAULTS[:2]:
        other = Cloud(folder, like=cloud)
        delivery = Delivery(TOPICS.shard_results, "1", NOW, done_json(0))
        other.perils.expect(POINTER, fault)
        with pytest.raises(Death):
            other.handle("merge", delivery)
        assert other.perils.changes[-1] == POINTER
        other.perils.revive()
        assert other.version(ORG).version == (1 if fault == "dies before" else 2)
        assert other.store.stat(layout.result(ORG, plan.run_id)) is None
        assert other.pull(ORG).stat().st_size > 0
        other.now += HOUR / 4
        before = other.names()
        other.handle("merge", delivery)
        assert in_force(other) == ["push", DAILY]
        if fault == "dies after":
            new = {layout.result(ORG, DAILY), layout.summary(ORG)}
            assert set(other.names()) - set(before) == new
        assert other.result(ORG, DAILY).version == other.version(ORG).version
        assert other.result(ORG, DAILY).planned is not None
        other.close()


def done_json(shard: int) -> bytes:
    return json.dumps({"org_id": ORG, "run_id": DAILY, "shard": shard}).encode()


@pytest.mark.usefixtures("plan")
def test_of_two_merges_at_once_the_second_does_nothing(cloud: Cloud, planned: Plan) -> None:
    first, second = (Delivery(TOPICS.shard_results, str(n), NOW, done_json(n)) for n in (0, 1))
    refused = []

    def meanwhile(step: str, done: int, total: int) -> None:
        if (step, done) == ("publish", 1):
            return  # by now it is done
        before = dict.fromkeys(cloud.names())
        count = len(cloud.perils.changes)
        with pytest.raises(LeaseTaken, match="merges run"):
            cloud.handle("merge", second)
        refused.append(step)
        assert list(before) == cloud.names()
        # it entered the run, and that the run goes on is all that it left behind
        assert set(cloud.perils.changes[count:]) <= {layout.lease(ORG)}
        cloud.now += dt.timedelta(seconds=59)  # a slow merge keeps its claim

    cloud.services = replace(cloud.services, progress=meanwhile)
    cloud.handle("merge", first)
    assert len(refused) > 8
    cloud.handle("merge", second)
    assert plan_in(cloud.pull(ORG)) == planned
    assert cloud.version(ORG).version == 2
    assert cloud.store.stat(layout.lease(ORG)) is None


@pytest.mark.usefixtures("plan")
def test_a_merge_that_was_taken_for_dead_cannot_publish_beside_the_one_that_took_over(
    cloud: Cloud, planned: Plan
) -> None:
    first, second = (Delivery(TOPICS.shard_results, str(n), NOW, done_json(n)) for n in (0, 1))
    taken: list[str] = []

    def meanwhile(step: str, done: int, total: int) -> None:
        if step == "check" and not taken:
            taken.append(step)
            cloud.now += HOUR / 2  # far longer than the claim lasts
            cloud.handle("merge", second)

    cloud.services = replace(cloud.services, progress=meanwhile)
    with pytest.raises(LeaseTaken):
        cloud.handle("merge", first)
    assert taken
    before = cloud.names()
    cloud.handle("merge", first)
    assert cloud.names() == before
    assert [v.version for v in list_versions(cloud.store, ORG)] == [1, 2]
    assert plan_in(cloud.pull(ORG)) == planned
    assert cloud.result(ORG, DAILY).state == "committed"


# Fragments


def spoilt(cloud: Cloud, plan: RunPlan, shard: int, what: str) -> bytes | None:
    """Content of a fragment that is not the shard's; None for none."""
    good = cloud.store.read(layout.fragment(ORG, DAILY, shard)).data
    other = cloud.store.read(layout.fragment(ORG, DAILY, 1 - shard)).data
    fragment = Fragment.from_parquet(good, "fragment", plan.fragment_mark(shard))
    rows = fragment.candidates
    alive = rows.reason == 0
    assert alive.any()
    assert not alive.all()
    shifted = rows.contact_id + 100_000
    changed = {
        "rows of other contacts": replace(rows, contact_id=shifted),
        "a skipped row of another contact": replace(
            rows, contact_id=np.where(alive, rows.contact_id, shifted)
        ),
        "rows of no known kind": replace(rows, kind=rows.kind + 1000),
        "rows before the first day": replace(rows, floor=rows.floor - 100),
        "rows without order": rows.take(np.arange(len(rows))[::-1]),
    }
    if what in changed:
        mark = plan.fragment_mark(shard)
        return replace(fragment, candidates=changed[what]).to_parquet(mark)
    foreign = plan.model_copy(update={"run_id": "2027-02-28-daily"})
    return {
        "no parquet": b"PAR1 or so",
        "empty": b"",
        "cut off": good[: len(good) // 2],
        "one byte short": good[:-1],
        "of another shard": other,
        "of another run": fragment.to_parquet(foreign.fragment_mark(shard)),
        "missing": None,
    }[what]


SPOILT = [
    "no parquet",
    "empty",
    "cut off",
    "one byte short",
    "of another shard",
    "of another run",
    "rows of other contacts",
    "a skipped row of another contact",
    "rows of no known kind",
    "rows before the first day",
    "rows without order",
]


def put(cloud: Cloud, shard: int, data: bytes | None) -> None:
    name = layout.fragment(ORG, DAILY, shard)
    if data is None:
        cloud.store.delete(name, None)
    else:
        cloud.overwrite(name, data)


@pytest.mark.parametrize(
    ("what", "shard"), sampled(itertools.product([*SPOILT, "missing"], [0, 1]), 4)
)
def test_a_fragment_that_is_not_the_shards_is_refused_and_made_again(
    cloud: Cloud, plan: RunPlan, planned: Plan, what: str, shard: int
) -> None:
    put(cloud, shard, spoilt(cloud, plan, shard, what))
    tell_merge(cloud, shard)
    cloud.run()
    assert cloud.result(ORG, DAILY).state == "committed"
    assert plan_in(cloud.pull(ORG)) == planned
    refusals = cloud.names(layout.refusals(ORG, DAILY))
    assert len(refusals) == (0 if what == "missing" else 1)
    for name in refusals:
        assert f"/{shard:05}-" in name
        assert layout.fragment(ORG, DAILY, shard) in cloud.store.read(name).data.decode()


@pytest.mark.usefixtures("plan")
def test_a_fragment_that_the_medium_has_spoilt_is_refused_and_made_again(
    cloud: Cloud, planned: Plan
) -> None:
    cloud.store.spoil(layout.fragment(ORG, DAILY, 1))
    tell_merge(cloud)
    cloud.run()
    (name,) = cloud.names(layout.refusals(ORG, DAILY))
    assert b"checksum" in cloud.store.read(name).data
    assert plan_in(cloud.pull(ORG)) == planned


@pytest.mark.usefixtures("plan")
@pytest.mark.slow
@shares(28)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_change_while_a_fragment_is_made_again_leads_to_the_same_version(
    cloud: Cloud, folder: Path, planned: Plan, fault: Fault, every: int
) -> None:
    fragment = layout.fragment(ORG, DAILY, 1)
    met = []
    for each, what in met_faults(folder, cloud, fault, spoil_and_tell, every=every):
        met.append(what)
        assert each.result(ORG, DAILY).state == "committed", what
        assert plan_in(each.pull(ORG)) == planned, what
    assert met
    assert every > 1 or {f"delete {fragment}", fragment, TOPICS.shard_tasks} <= set(met)


def spoil_and_tell(cloud: Cloud) -> None:
    """The word that comes is of the shard whose fragment is sound."""
    put(cloud, 1, b"?")
    tell_merge(cloud, 0)


@pytest.mark.usefixtures("plan")
def test_two_spoilt_fragments_are_both_made_again(cloud: Cloud, planned: Plan) -> None:
    for shard in range(SHARDS):
        put(cloud, shard, b"?")
    tell_merge(cloud)
    cloud.run()
    assert len(cloud.names(layout.refusals(ORG, DAILY))) == 2
    assert plan_in(cloud.pull(ORG)) == planned


@pytest.mark.parametrize("what", sampled(SPOILT, 1))
def test_the_second_bad_fragment_of_a_shard_fails_the_run_with_the_reason(
    cloud: Cloud, plan: RunPlan, what: str
) -> None:
    bad = spoilt(cloud, plan, 1, what)

    def broken_shard(delivery: Delivery) -> None:
        task = parse(ShardTask, delivery.data)
        run_shard(cloud.store, plan, task, cloud.snapshots)
        if task.shard == 1:
            put(cloud, 1, bad)
        announce(cloud.services, ORG, DAILY, task.shard)

    cloud.bus.subscribe(TOPIC_OF["shard"], broken_shard)
    put(cloud, 1, bad)
    tell_merge(cloud)
    cloud.run()
    result = cloud.result(ORG, DAILY)
    assert result.state == "failed"
    assert "twice a bad fragment" in (result.reason or "")
    assert layout.fragment(ORG, DAILY, 1) in (result.reason or "")
    assert cloud.version(ORG).version == 1
    assert cloud.store.stat(layout.lease(ORG)) is None


# Checks before publishing


def sql(text: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        connection = apsw.Connection(str(path))
        connection.execute(text)
        connection.close()

    return spoil


def bad_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    size = 4096
    for page in range(2, len(content) // size):
        content[page * size : page * size + 64] = b"\xff" * 64
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 4096 * 3])


ONE = "(SELECT min(id) FROM email_schedules WHERE status = 'pre-scheduled')"


@pytest.mark.parametrize("runs_before", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (sql(f"DELETE FROM email_schedules WHERE id = {ONE}"), "pre-scheduled rows"),
        (sql(f"UPDATE email_schedules SET status = 'sent' WHERE id = {ONE}"), "pre-scheduled rows"),
        (sql("DELETE FROM contacts WHERE id = (SELECT min(id) FROM contacts)"), "contacts"),
        (bad_page, "damaged|malformed|corrupt"),
        (cut_short, "damaged|malformed|corrupt"),
    ],
    ids=["row lost", "row changed", "contact lost", "bad page", "cut short"],
)
def test_a_database_that_is_not_what_the_run_says_is_not_published(
    cloud: Cloud, spoil: Callable[[Path], None], reason: str, runs_before: int
) -> None:
    for _ in range(runs_before):
        cloud.ask(ORG, reason="manual")
        cloud.run()
    versions = list_versions(cloud.store, ORG)
    ready_to_merge(cloud)
    spoilt = []

    def meanwhile(step: str, done: int, total: int) -> None:
        if (step, done) == ("check", 0):
            (path,) = cloud.folder.glob("almanac-*/database.sqlite3")
            spoil(path)
            spoilt.append(path)

    cloud.services = replace(cloud.services, progress=meanwhile)
    tell_merge(cloud)
    cloud.run()
    assert len(spoilt) == 1
    result = cloud.result(ORG, DAILY)
    assert result.state == "failed"
    assert any(word in (result.reason or "") for word in reason.split("|")), result.reason
    assert list_versions(cloud.store, ORG) == versions
    assert cloud.store.stat(layout.lease(ORG)) is None
    assert not list(cloud.folder.glob("almanac-*"))


def test_a_database_that_lost_rows_of_the_sender_is_not_published(cloud: Cloud) -> None:
    lost = sql("DELETE FROM email_schedules WHERE lower(status) = 'sent'")
    test_a_database_that_is_not_what_the_run_says_is_not_published(
        cloud, lost, "rows of the sender", 1
    )


# Messages that can never succeed


def message(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


TASK = {"org_id": ORG, "run_id": DAILY, "shard": 0, "first_id": 1, "last_id": 5}
CHANGE = {"event_id": "e", "org_id": ORG, "campaign_instance_id": 1}
POISON: list[tuple[str, bytes, str]] = [
    ("orchestrator", b"not JSON", "RunRequest: is not JSON"),
    ("orchestrator", b"\xff\xfe\x00", "RunRequest: "),
    ("orchestrator", b"[" * 100_000, "RunRequest: "),
    ("orchestrator", b"[]", "RunRequest: "),
    ("orchestrator", b"null", "RunRequest: "),
    ("orchestrator", message(org="206"), "RunRequest.org: unknown key"),
    ("orchestrator", message(org_id="../206"), "RunRequest.org_id"),
    ("orchestrator", message(org_id="999"), "organization 999: it has no database"),
    ("orchestrator", message(org_id=206), "RunRequest.org_id: 206"),
    ("orchestrator", message(org_id=ORG, as_of="2027-02-30"), "RunRequest.as_of"),
    ("orchestrator", message(org_id=ORG, as_of="0001-01-01"), "RunRequest.as_of"),
    ("orchestrator", message(org_id=ORG, as_of="9999-12-31"), "RunRequest.as_of"),
    (
        "orchestrator",
        message(org_id=ORG, requested_at="0001-01-01T00:00:00Z"),
        "RunRequest.requested_at",
    ),
    ("orchestrator", message(org_id=ORG, requested_at="2027-03-01"), "RunRequest.requested_at"),
    ("orchestrator", message(org_id=ORG, reason="whim"), "RunRequest.reason"),
    ("shard", message(**TASK), "no such run"),
    ("shard", message(**TASK | {"last_id": 0}), "first_id: 1 is after last_id: 0"),
    ("shard", message(**TASK | {"shard": -1}), "ShardTask.shard"),
    ("shard", message(**TASK | {"run_id": "../../x"}), "ShardTask.run_id"),
    ("merge", message(org_id=ORG, run_id=DAILY, shard=0), "no such run"),
    ("merge", message(org_id=ORG, run_id=DAILY), "ShardDone.shard: is missing"),
    ("campaign_change", message(**CHANGE | {"org_id": "999"}), "organization 999"),
    ("campaign_change", message(**CHANGE | {"event_id": "a/b"}), "CampaignChange.event_id"),
    ("campaign_change", b"{}", "is missing"),
]


def test_messages_that_can_never_succeed_are_recorded_with_the_reason_and_not_raised(
    cloud: Cloud,
) -> None:
    before = cloud.names()
    for function, data, _ in POISON:
        cloud.send(TOPIC_OF[function], data)
    cloud.disorder = seeded("poison", 0)
    cloud.run()
    found = {record["message_id"]: record for record in cloud.rejections()}
    assert len(found) == len(POISON)
    sent = sorted(found.values(), key=lambda record: int(record["message_id"]))
    for (function, data, reason), record in zip(POISON, sent, strict=True):
        assert record["topic"] == TOPIC_OF[function]
        assert reason in record["reason"], data[:60]
        text = record["data"].encode()
        assert (base64.b64decode(text) if record["encoding"] == "base64" else text) == data
    assert [name for name in cloud.names() if not name.startswith("rejected/")] == before
    cloud.disorder = None
    cloud.ask(ORG)
    cloud.run()
    assert cloud.result(ORG, DAILY).state == "committed"


@pytest.mark.parametrize(
    "wrong",
    [{"shard": 2}, {"first_id": 0}, {"last_id": 1}, {"shard": 1}],
    ids=["number", "beginning", "end", "other shard's number"],
)
def test_a_task_that_is_not_the_runs_is_rejected(
    cloud: Cloud, plan: RunPlan, wrong: dict[str, int]
) -> None:
    first, last = plan.shards[0]
    task = TASK | {"first_id": first, "last_id": last} | wrong
    if wrong.get("last_id"):
        task["first_id"] = 1
    cloud.send(TOPICS.shard_tasks, message(**task))
    cloud.send(TOPICS.shard_results, message(org_id=ORG, run_id=DAILY, shard=SHARDS))
    cloud.only("shard", "merge")
    cloud.run()
    task_record, done_record = cloud.rejections()
    assert f"its shard {task['shard']} is" in task_record["reason"]
    assert "has 2 shards, none is number 2" in done_record["reason"]
    tell_merge(cloud)
    cloud.run()
    assert cloud.result(ORG, DAILY).state == "committed"


def test_messages_of_one_id_on_two_topics_are_both_recorded(cloud: Cloud) -> None:
    for function in ("shard", "merge"):
        cloud.handle(function, Delivery(TOPIC_OF[function], "7", NOW, b"?"))
    assert {record["topic"] for record in cloud.rejections()} == {
        TOPICS.shard_tasks,
        TOPICS.shard_results,
    }
