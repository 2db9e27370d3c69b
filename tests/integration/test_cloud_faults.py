"""Processes that die, answers that are lost and fragments that are spoilt, while real functions run
over the emulators."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest

from almanac.runs.merge import Refusal
from almanac.storage import layout
from almanac_emulation.cloud_storage.faults import Fault, Operation
from tests.support import agencies
from tests.support.clouds import plan_in
from tests.support.emulators import needs_pubsub_emulator, wait_until
from tests.support.local_clouds import (
    DAILY,
    DAY,
    Organization,
    Running,
    expected,
    running_cloud,
)
from tests.support.sampling import sampled

pytestmark = needs_pubsub_emulator

SHARDS = 3


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A cloud where nobody waits long for a merge that died."""
    folder = tmp_path_factory.mktemp("cloud")
    settings = {"ALMANAC_SHARD_CONTACTS": "10", "ALMANAC_LEASE_SECONDS": "4"}
    with running_cloud(folder, ["orchestrator", "shard", "merge"], **settings) as made:
        yield made


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small agency as an older scheduler left it."""
    path = tmp_path_factory.mktemp("agency") / "agency.sqlite3"
    return agencies.build(path, 3, SHARDS * 10 - 6, as_of=DAY, config={})


@functools.cache
def plan_of(database: Path) -> Mapping[str, list[tuple[Any, ...]]]:
    """The plan that the command line makes."""
    with TemporaryDirectory() as folder:
        return plan_in(expected(database, Path(folder)))


@pytest.fixture
def place(running: Running, folder: Path, database: Path) -> Organization:
    """An organization with the small agency."""
    made = Organization(running, folder)
    made.push(database)
    return made


def kill(running: Running, function: str) -> None:
    """SIGKILL; returns once another process is at work."""
    before = running.cloud.pids[function]
    running.cloud.kill(function)
    wait_until(lambda: running.cloud.pids[function] not in (before, None), "a new process")


def assert_committed_once(place: Organization, database: Path) -> None:
    """The run has made one version, with the right rows, and left nothing open."""
    assert place.committed().version == place.version().version
    assert place.history() == place.runs() == [DAILY]
    assert plan_in(place.pull()) == plan_of(database)


# Processes that die


@pytest.mark.parametrize("moment", sampled(["has planned", "reads", "has written"], 1))
def test_a_run_survives_a_shard_that_dies_while_it(
    running: Running, place: Organization, database: Path, moment: str
) -> None:
    requests: dict[str, tuple[Operation, str, Literal["before", "after"]]] = {
        "reads": ("media", place.version().path, "before"),
        "has planned": ("upload", place.fragment(1), "before"),
        "has written": ("upload", place.fragment(1), "after"),
    }
    operation, name, when = requests[moment]
    with place.held("upload", layout.plan(place.org, DAILY)) as planned:
        place.ask()
        planned.wait()  # from now on the orchestrator reads no more
        status = 503 if when == "before" else None  # what had not arrived never will
        with place.held(operation, name, when, status) as hold:
            planned.release()
            hold.wait()
            assert place.exists(place.fragment(1)) == (moment == "has written")
            kill(running, "shard")
    assert_committed_once(place, database)


def test_a_run_survives_a_merge_that_dies_before_the_pointer_swings(
    running: Running, place: Organization, database: Path
) -> None:
    with place.held("upload", layout.current(place.org), status=503) as hold:
        place.ask()
        hold.wait()
        made = layout.version(place.org, 2, DAILY)
        assert place.exists(f"{made}/{layout.MANIFEST}")  # complete, but not in force
        kill(running, "merge")
    assert place.version().version == 1
    assert_committed_once(place, database)


@pytest.mark.slow
def test_a_run_survives_a_merge_that_dies_after_the_pointer_swung(
    running: Running, place: Organization, database: Path
) -> None:
    with place.held("upload", layout.current(place.org), "after") as hold:
        place.ask()
        hold.wait()
        assert place.version().run_id == DAILY
        assert not place.exists(layout.result(place.org, DAILY))
        kill(running, "merge")
    made = place.store.stat(place.version().path)
    assert_committed_once(place, database)
    assert place.store.stat(place.version().path) == made


@pytest.mark.slow
def test_a_run_survives_a_merge_that_dies_before_it_says_how_it_ended(
    running: Running, place: Organization, database: Path
) -> None:
    with place.held("upload", layout.result(place.org, DAILY), status=503) as hold:
        place.ask()
        hold.wait()
        kill(running, "merge")
    assert_committed_once(place, database)


def test_a_run_survives_an_orchestrator_that_dies_between_its_plan_and_its_tasks(
    running: Running, place: Organization, database: Path
) -> None:
    with place.held("upload", layout.plan(place.org, DAILY), "after") as hold:
        place.ask()
        hold.wait()
        plan = place.plan()
        kill(running, "orchestrator")
    assert_committed_once(place, database)
    assert place.plan() == plan


# Answers that are lost


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 3])
def test_a_commit_whose_answer_is_lost_is_made_once(
    running: Running, place: Organization, database: Path, times: int
) -> None:
    name = layout.current(place.org)
    storage = running.cloud.storage
    storage.log.clear()
    storage.faults.add(Fault("upload", name, answer_lost=True, times=times))
    place.ask()
    assert_committed_once(place, database)

    # another delivery may see the commit while this one is still asking
    def statuses() -> list[int]:
        return [each.status for each in storage.log.of("upload", name)]

    wait_until(lambda: statuses() == [0] * times + [412], f"{times} times no answer, then 412")


# Fragments that are not what they should be


@contextmanager
def merge_held(place: Organization) -> Iterator[None]:
    """Within it the merge has begun, with all fragments there, and has not looked into any."""
    with place.held("upload", place.fragment(SHARDS - 1)) as last_shard:
        place.ask()
        last_shard.wait()
        place.wait_for([place.fragment(n) for n in range(SHARDS - 1)])
        # nobody but the merge reads the database from now on
        with place.held("media", place.version().path) as merge:
            last_shard.release()
            merge.wait()
            yield


def read(place: Organization, shard: int) -> bytes:
    return place.store.read(place.fragment(shard)).data


def corrupt(place: Organization) -> bytes:
    """With another byte among the values of the first column."""
    data = bytearray(read(place, 1))
    data[90] ^= 1
    return bytes(data)


def another_organizations(place: Organization) -> bytes:
    """What the same shard of another organization with the same database made."""
    other = Organization(place.running, place.folder)
    other.push(place.pull())
    other.ask()
    other.committed()
    return read(other, 1)


SPOILT: dict[str, Callable[[Organization], bytes]] = {
    "corrupt": corrupt,
    "truncated": lambda place: read(place, 1)[:-100],
    "empty": lambda place: b"",
    "no fragment at all": lambda place: b"This is no fragment.",
    "another shard's": lambda place: read(place, 0),
    "another organization's": another_organizations,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SPOILT)
def test_a_fragment_that_is_spoilt_is_refused_and_made_again(
    place: Organization, database: Path, kind: str
) -> None:
    bad = SPOILT[kind](place) if kind == "another organization's" else None
    with merge_held(place):
        good = read(place, 1)
        place.store.write(place.fragment(1), bad or SPOILT[kind](place), None)
    assert_committed_once(place, database)
    assert read(place, 1) == good
    (refusal,) = place.store.list(layout.refusals(place.org, DAILY))
    assert "/refused/00001-" in refusal.name
    assert Refusal.model_validate_json(place.store.read(refusal.name).data).reason


@pytest.mark.slow
def test_a_fragment_that_is_missing_is_made_again(place: Organization, database: Path) -> None:
    with merge_held(place):
        place.store.delete(place.fragment(1), None)
    assert_committed_once(place, database)


@pytest.mark.slow
def test_a_fragment_that_was_there_before_its_shard_is_refused_and_made_again(
    place: Organization, database: Path
) -> None:
    place.store.write(place.fragment(0), b"from elsewhere", 0)
    place.ask()
    assert_committed_once(place, database)
    assert len(list(place.store.list(layout.refusals(place.org, DAILY)))) == 1


@pytest.mark.slow
def test_a_fragment_that_is_spoilt_twice_fails_the_run_with_the_reason(
    running: Running, place: Organization
) -> None:
    name = place.fragment(2)
    place.store.write(name, b"from elsewhere", 0)

    def spoil_again() -> None:
        place.store.write(name, b"again", 0)

    running.cloud.storage.faults.add(Fault("upload", name, meanwhile=spoil_again))
    place.ask()
    result = place.result()
    assert result.state == "failed"
    assert "twice a bad fragment" in (result.reason or "")
    assert name in (result.reason or "")
    assert place.version().version == 1
    assert place.history() == []
    assert len(list(place.store.list(layout.refusals(place.org, DAILY)))) == 2
