"""The steps of a run over a store that keeps no files, message by message."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from almanac.config import Config
from almanac.errors import Corrupt, RequestError
from almanac.messaging.bus import Delivery
from almanac.messaging.local import LocalBus
from almanac.messaging.messages import RunRequest, ShardTask, parse
from almanac.pipeline.local import DryCommitter, RunOptions, run_file
from almanac.pipeline.parts import Parts
from almanac.pipeline.run_plan import RunPlan
from almanac.pipeline.shard import OpenSnapshot, run_shard
from almanac.pipeline.steps import announce, merge_step, start_run
from almanac.report.summary import RunSummary
from almanac.storage import layout
from almanac.storage.memory import MemoryStore
from almanac.storage.versions import publish
from tests import agencies

ORG = "206"
NOW = dt.datetime(2027, 3, 1, 9, 0, tzinfo=dt.UTC)  # before the send time in Chicago
SHARDS = 3


class Agency:
    """An organization in a store, and the parts that its runs need."""

    def __init__(self, folder: Path) -> None:
        self.path = agencies.build(folder / "agency.sqlite3", 3, contacts=30)
        self.store = MemoryStore()
        self.bus = LocalBus(max_attempts=1)
        self.parts = Parts(self.store, self.bus, DryCommitter(), folder)
        self.snapshots = OpenSnapshot()
        self.summaries: list[RunSummary] = []
        publish(
            self.store,
            ORG,
            self.path,
            run_id="first",
            parent=None,
            as_of=NOW.date(),
            now=NOW,
            manifest_extra={},
            attachments={},
        )
        self.bus.subscribe("shard-tasks", self._shard)
        self.bus.subscribe("shard-results", self._merge)

    def start(self, now: dt.datetime = NOW) -> RunPlan:
        request = RunRequest(org_id=ORG)
        asked = Delivery("run-requests", "1", now, b"")
        return start_run(self.parts, ORG, request, asked, shards=SHARDS)

    def task(self, plan: RunPlan, shard: int) -> ShardTask:
        first, last = plan.shards[shard]
        return ShardTask(org_id=ORG, run_id=plan.run_id, shard=shard, first_id=first, last_id=last)

    def run_shard(self, plan: RunPlan, shard: int) -> str:
        return run_shard(self.store, self.task(plan, shard), self.parts.workspace, self.snapshots)

    def _shard(self, delivery: Delivery) -> None:
        task = parse(ShardTask, delivery.data)
        run_shard(self.store, task, self.parts.workspace, self.snapshots)
        announce(self.parts, task)

    def _merge(self, delivery: Delivery) -> None:
        if (summary := merge_step(self.parts, delivery)) is not None:
            self.summaries.append(summary)


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Agency]:
    made = Agency(tmp_path)
    yield made
    made.snapshots.close()


def overwrite(agency: Agency, name: str, data: bytes) -> None:
    there = agency.store.stat(name)
    agency.store.write(name, data, there.generation if there else 0)


def test_a_run_over_a_store_comes_to_what_a_run_over_the_file_comes_to(agency: Agency) -> None:
    agency.start()
    agency.bus.run_until_idle()
    options = RunOptions(as_of=NOW.date(), dry_run=True, workers=1)
    over_file = run_file(agency.path, Config(), options)
    over_store, *again = agency.summaries
    assert again == [over_store] * len(again)  # each later word of a finished shard asks once more
    own = {"org_id", "run_id", "seconds"}
    assert over_store.model_dump(exclude=own) == over_file.model_dump(exclude=own)


def test_the_merge_waits_for_the_last_fragment(agency: Agency) -> None:
    plan = agency.start()
    agency.run_shard(plan, 0)
    announce(agency.parts, agency.task(plan, 0))
    delivered: list[Delivery] = []
    agency.bus.subscribe("shard-tasks", delivered.append)  # the other shards never run
    agency.bus.run_until_idle()
    assert len(delivered) == SHARDS
    assert agency.summaries == []


def test_a_daily_run_is_named_by_its_day_in_the_organizations_zone(agency: Agency) -> None:
    late = dt.datetime(2027, 3, 2, 3, 0, tzinfo=dt.UTC)  # nine in the evening of 1 March
    plan = agency.start(late)
    assert (plan.run_id, plan.as_of.isoformat()) == ("2027-03-01-daily", "2027-03-01")
    assert plan.t0.isoformat() == "2027-03-02"


def test_a_start_asked_for_again_goes_on_with_the_plan_and_the_missing_shards(
    agency: Agency,
) -> None:
    first = agency.start()
    name = agency.run_shard(first, 1)
    before = agency.store.stat(name)
    delivered: list[Delivery] = []
    agency.bus.subscribe("shard-tasks", lambda delivery: None)
    agency.bus.run_until_idle()
    agency.bus.subscribe("shard-tasks", delivered.append)
    agency.parts = replace(agency.parts, clock=lambda: NOW + dt.timedelta(hours=1))
    assert agency.start() == first
    agency.bus.run_until_idle()
    assert [parse(ShardTask, one.data).shard for one in delivered] == [0, 2]
    assert agency.store.stat(name) == before


def test_a_shard_asked_for_twice_writes_its_fragment_once(agency: Agency) -> None:
    plan = agency.start()
    first = agency.store.stat(agency.run_shard(plan, 0))
    assert agency.store.stat(agency.run_shard(plan, 0)) == first


def test_the_same_rows_make_the_same_fragment_byte_for_byte(tmp_path: Path) -> None:
    fragments = []
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        agency = Agency(tmp_path / folder)
        plan = agency.start()
        fragments.append(agency.store.read(agency.run_shard(plan, 2)).data)
        agency.snapshots.close()
    assert fragments[0] == fragments[1]


@pytest.mark.parametrize("what", ["of another shard", "cut off", "no parquet", "empty"])
def test_a_fragment_that_is_not_the_shards_is_refused(agency: Agency, what: str) -> None:
    plan = agency.start()
    names = [agency.run_shard(plan, shard) for shard in range(SHARDS)]
    good = agency.store.read(names[0]).data
    bad = {
        "of another shard": agency.store.read(names[1]).data,
        "cut off": good[: len(good) // 2],
        "no parquet": b"PAR1 or so",
        "empty": b"",
    }[what]
    overwrite(agency, names[0], bad)
    with pytest.raises(Corrupt, match=names[0]):
        agency.bus.run_until_idle()
    assert agency.summaries == []


def test_a_shard_of_a_run_that_nobody_planned_is_refused(agency: Agency) -> None:
    task = ShardTask(org_id=ORG, run_id="2027-03-01-daily", shard=0, first_id=1, last_id=9)
    with pytest.raises(RequestError, match="2027-03-01-daily of organization 206: no such run"):
        run_shard(agency.store, task, agency.parts.workspace, agency.snapshots)


def test_an_organization_without_a_database_is_refused(tmp_path: Path) -> None:
    parts = Parts(MemoryStore(), LocalBus(), DryCommitter(), tmp_path)
    asked = Delivery("run-requests", "1", NOW, b"")
    with pytest.raises(RequestError, match="organization 207: it has no database"):
        start_run(parts, "207", RunRequest(org_id="207"), asked)
    assert parts.store.stat(layout.current("207")) is None
