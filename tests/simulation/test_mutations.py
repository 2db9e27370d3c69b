"""Would the simulation notice? Each guard is taken away in turn, and some seed or point must fail.

`make simulate` runs this; what caught each is printed.
"""

from __future__ import annotations

import dataclasses
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from almanac.messaging.bus import Delivery
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.lease import Lease
from almanac.storage.publish import NewVersion
from almanac.storage.store import ObjectInfo, ObjectStore, StoredObject
from tests.support.simulation import pushes
from tests.support.simulation.chances import CHANCES
from tests.support.simulation.crash_points import ASKS, FAULTS, points_of, survive
from tests.support.simulation.scenario import Failed, play

SEEDS = 300
# Much at once: what guards against others is needed only when they are there.
BUSY = CHANCES | {"another delivery": 0.12, "time passes": 0.03, "damaged": 0.03}

# Everything that a mutation takes away or calls, by the name under which it is used.
NAMES = {
    "write": "tests.support.simulation.medium.SimulatedStore.write",
    "publish message": "tests.support.simulation.world.Instance.publish",
    "verified": "almanac.storage.memory.verified",
    "whole transfer": "almanac.storage.memory.whole_transfer",
    "whole range": "almanac.storage.block_checksums.whole_transfer",
    "block checksums": "almanac.storage.block_checksums.BlockChecksums.check",
    "acquire": "almanac.runs.finish.acquire",
    "claim merge": "almanac.runs.merge.claim_merge",
    "swing": "almanac.storage.publish._swing",
    "current": "almanac.storage.versions.current",
    "own version": "almanac.storage.publish.committed_by",
    "version of": "almanac.runs.merge.version_of",
    "run shard": "almanac.runs.handlers.run_shard",
    "announce": "almanac.runs.handlers.announce",
    "publish tasks": "almanac.runs.start.publish_tasks",
    "is logged": "almanac.database.changes.is_logged",
    "logged events": "almanac.database.reading.Snapshot.logged_events",
    "mark dead runs": "almanac.runs.finish._end_dead_runs",
    "start run": "almanac.runs.start.start_run",
    "ask again": "almanac.runs.finish._request_again",
    "publish version": "almanac.runs.commit_version.publish",
    "write run": "almanac.runs.apply_plan.write_run",
}

Mutate = Callable[[pytest.MonkeyPatch], None]
MUTATIONS: dict[str, Mutate] = {}


def real(what: str) -> Any:
    """Return what a name of NAMES refers to."""
    return pkgutil.resolve_name(NAMES[what])


def replace(monkeypatch: pytest.MonkeyPatch, what: str, by: Any) -> None:
    """Put something else under a name of NAMES."""
    monkeypatch.setattr(NAMES[what], by)


def mutation(mutate: Mutate) -> Mutate:
    MUTATIONS[mutate.__name__.replace("_", " ")] = mutate
    return mutate


def without_precondition(monkeypatch: pytest.MonkeyPatch, ends: tuple[str, ...]) -> None:
    """Writes of such objects overwrite whatever is there."""
    write = real("write")

    def careless(self: Any, name: str, data: bytes, if_generation: int | None) -> Any:
        return write(self, name, data, None if name.endswith(ends) else if_generation)

    replace(monkeypatch, "write", careless)


@mutation
def the_pointer_is_swung_without_a_precondition(monkeypatch: pytest.MonkeyPatch) -> None:
    without_precondition(monkeypatch, ("current.json",))


@mutation
def plans_and_results_are_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    without_precondition(monkeypatch, ("plan.json", "result.json"))


@mutation
def checksums_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def gullible(info: ObjectInfo, data: bytes) -> StoredObject:
        return StoredObject(info.name, data, info.generation, info.size, info.crc32c)

    replace(monkeypatch, "verified", gullible)


@mutation
def what_arrives_damaged_is_not_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def believed(name: str, transfer: Callable[[], Any], is_sound: Any = None) -> Any:
        return transfer()

    replace(monkeypatch, "whole transfer", believed)
    replace(monkeypatch, "whole range", believed)


@mutation
def ranges_are_not_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "block checksums", lambda *_: None)


@mutation
def the_lease_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    def granted(
        store: ObjectStore, org: str, run_id: str, holder: str, now: Any, seconds: int, *_: Any
    ) -> Lease:
        return Lease(org, run_id, holder, now)

    replace(monkeypatch, "acquire", granted)
    replace(monkeypatch, "claim merge", lambda *_, **__: None)


@mutation
def an_update_may_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pointer is swung from whatever it is now, not from what the run began with."""
    swing, current = real("swing"), real("current")

    def late(store: ObjectStore, org: str, to: Any, parent: Any) -> Any:
        return swing(store, org, to, current(store, org))

    replace(monkeypatch, "swing", late)


@mutation
def a_writer_looks_at_the_current_version_only(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "own version", lambda *_: None)


@mutation
def a_merge_does_not_know_that_it_has_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "version of", lambda services, plan: None)


@mutation
def publishing_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    publish = real("publish message")

    def hopeful(
        self: Any,
        topic: str,
        messages: Sequence[bytes],
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        try:
            publish(self, topic, messages, attributes)
        except Exception:
            return

    replace(monkeypatch, "publish message", hopeful)


@mutation
def a_shard_that_finds_its_fragment_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[bool] = []
    run_shard, tell = real("run shard"), real("announce")

    def run(store: ObjectStore, plan: Any, task: Any, snapshots: Any) -> str:
        name = layout.fragment(task.org_id, task.run_id, task.shard)
        there.append(store.stat(name) is not None)
        return str(run_shard(store, plan, task, snapshots))

    def announce(services: Services, org_id: str, run_id: str, number: int) -> None:
        if not there.pop():
            tell(services, org_id, run_id, number)

    replace(monkeypatch, "run shard", run)
    replace(monkeypatch, "announce", announce)


@mutation
def a_start_that_finds_all_fragments_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def publish_tasks(services: Services, plan: Any) -> None:
        names = {i.name for i in services.store.list(layout.run(plan.org_id, plan.run_id))}
        if not any(name.endswith(".parquet") for name in names):
            publish(services, plan)

    publish = real("publish tasks")
    replace(monkeypatch, "publish tasks", publish_tasks)


@mutation
def events_are_not_looked_up_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "is logged", lambda connection, event: False)
    replace(monkeypatch, "logged events", lambda self, events: set())


@mutation
def dead_runs_are_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "mark dead runs", lambda services, lease: None)


@mutation
def the_clock_of_the_delivery_decides_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    start = real("start run")

    def start_run(services: Services, org: str, request: Any, delivery: Delivery) -> None:
        now = Delivery(delivery.topic, delivery.message_id, services.clock(), delivery.data)
        start(services, org, request, now)

    replace(monkeypatch, "start run", start_run)


@mutation
def a_superseded_run_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "ask again", lambda services, plan: None)


@mutation
def a_run_is_committed_before_its_database_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pointer first, then the objects: a crash in between leaves a version without them."""
    publish, swing, current = real("publish version"), real("swing"), real("current")

    def hasty(store: ObjectStore, org: str, database: Path, new: NewVersion, *, move: bool) -> Any:
        if new.parent is not None:
            ahead = new.parent[0].model_copy(update={"version": new.parent[0].version + 1})
            swing(store, org, ahead, new.parent)
            new = dataclasses.replace(new, parent=current(store, org))
        return publish(store, org, database, new, move=move)

    replace(monkeypatch, "publish version", hasty)


@mutation
def committed_rows_are_planned_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The write takes rows that the sender owns for its own."""
    write = real("write run")

    def greedy(store: ObjectStore, balanced: Any, connection: Any, progress: Any) -> Any:
        summary = write(store, balanced, connection, progress)
        if connection is not None:
            connection.execute(
                "UPDATE email_schedules SET updated_at = 'now' WHERE id IN (SELECT min(id) FROM "
                "email_schedules WHERE status NOT IN ('pre-scheduled', 'skipped'))"
            )
        return summary

    replace(monkeypatch, "write run", greedy)


def caught_by() -> str | None:
    """The first seed or point that fails; None if all of them pass."""
    for fault in pushes.FAULTS:
        try:
            pushes.push_at_every_call(fault)
        except (AssertionError, ValueError, LookupError) as error:
            return f"a push, {str(error).splitlines()[0]}"
    for seed in range(SEEDS):
        try:
            play(seed, (CHANCES, BUSY)[seed % 2])
        except Failed as error:
            return str(error).splitlines()[0]
        except RecursionError as error:
            return f"seed {seed}: {error}"
        if seed % 10 == 9:
            found = _caught_at_a_point(seed // 10)
            if found:
                return found
    return None


def _caught_at_a_point(number: int) -> str | None:
    for what, ask in ASKS.items():
        points = points_of(ask)
        for fault in FAULTS:
            for point in [p for p in points if p.can_meet(fault)][number::30]:
                try:
                    survive(ask, point, fault)
                except (AssertionError, ValueError, LookupError) as error:
                    return f"{what}, {fault} at {point}: {str(error).splitlines()[0]}"
    return None


@pytest.mark.parametrize("what", NAMES)
def test_what_a_mutation_takes_away_is_there(what: str) -> None:
    assert callable(real(what))


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_guard_that_is_taken_away_is_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTATIONS[name](monkeypatch)
    found = caught_by()
    print(f"\n{name}: {found}")
    assert found is not None, f"no test noticed that {name}"
