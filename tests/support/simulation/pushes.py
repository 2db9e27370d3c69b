"""A push by an instance of which one call meets a fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from almanac.errors import AlmanacError, Superseded
from almanac.storage.publish import NewVersion, publish
from almanac.storage.versions import Current, current
from tests.support.simulation.chances import can_befall
from tests.support.simulation.scenario import Scenario
from tests.support.simulation.stage import stage
from tests.support.simulation.world import Instance

FAULTS = ("answer lost", "overtaken by a push", "flipped once")
RUN = "push-mine"

Script = Callable[[int, str, bool], str | None]


def push(at: int, fault: str) -> list[tuple[str, bool]]:
    """Push with the fault at the at-th call; return the calls and whether each is a write.

    AssertionError if the push took effect and says otherwise, or the other way round.
    """
    calls: list[tuple[str, bool]] = []

    def strike(number: int, call: str, writes: bool) -> str | None:
        calls.append((call, writes))
        return fault if number == at else None

    with stage() as folder:
        scenario = Scenario(2, folder)
        outcome = _published(scenario, folder, strike)
        scenario.inspector.check()
    times = [each.run_id for each in scenario.inspector.pointers["206"]].count(RUN)
    where = f"{fault} at {calls[at - 1] if at else None}: {outcome}"
    assert times == (0 if isinstance(outcome, AlmanacError) else 1), where
    was_first = fault == "overtaken by a push" and isinstance(outcome, Superseded)
    assert was_first or isinstance(outcome, Current), where
    return calls


def _published(scenario: Scenario, folder: Path, script: Script) -> Current | AlmanacError:
    world = scenario.world
    path = folder / "mine.sqlite3"
    path.write_bytes((folder / "206.sqlite3").read_bytes())
    new = NewVersion(RUN, current(world.medium, "206"), world.now.date(), world.now)
    world.calm, world.script = True, script
    try:
        return publish(Instance(world, "push").store, "206", path, new)
    except AlmanacError as error:
        return error
    finally:
        world.script = None


def push_at_every_call(fault: str) -> int:
    """Push with the fault at each call that can meet it, one at a time; return how many."""
    calls = push(0, fault)
    numbers = [
        number
        for number, (call, writes) in enumerate(calls, 1)
        if can_befall(fault, call, writes=writes)
    ]
    for number in numbers:
        push(number, fault)
    return len(numbers)
