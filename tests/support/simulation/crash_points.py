"""Every call of a run at which an instance may die or an answer may be lost."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from almanac.messaging.messages import CampaignChange, RunRequest
from tests.support.simulation.chances import OVERTAKEN, can_befall
from tests.support.simulation.scenario import Scenario, instances
from tests.support.simulation.stage import stage

SEED = 2  # of an agency with campaigns


FAULTS = ("dies before", "dies after", "answer lost", "flipped once", *OVERTAKEN)

Ask = Callable[[Scenario], None]


def ask_for_a_run(scenario: Scenario) -> None:
    scenario.send("orchestrator", RunRequest(org_id="206"))


def ask_for_a_change(scenario: Scenario) -> None:
    change = CampaignChange(
        event_id="event",
        org_id="206",
        campaign_instance_id=instances(scenario.agency["206"])[0],
        changes={"active_end_date": "2028-01-01", "email_template": "changed"},
    )
    scenario.send("campaign_change", change)


ASKS = {"a run": ask_for_a_run, "a campaign change": ask_for_a_change}


@dataclass(frozen=True)
class Point:
    """The n-th call of a run without faults."""

    number: int
    call: str
    writes: bool

    def can_meet(self, fault: str) -> bool:
        return can_befall(fault, self.call, writes=self.writes)


@functools.cache
def points_of(ask: Ask) -> list[Point]:
    """Every call of the store, every publish and acknowledgement until all is done."""
    points: list[Point] = []

    def note(number: int, call: str, writes: bool) -> None:
        points.append(Point(number, call, writes))

    with stage() as folder:
        scenario = Scenario(SEED, folder)
        scenario.world.calm = True
        scenario.world.script = note
        ask(scenario)
        scenario.world.rest(scenario.inspector.check)
    return points


def survive(ask: Ask, point: Point, fault: str) -> None:
    """One fault at the point, then nothing more: what was asked for is done, once."""

    def strike(number: int, call: str, writes: bool) -> str | None:
        return fault if number == point.number else None

    with stage() as folder:
        scenario = Scenario(SEED, folder)
        scenario.world.calm = True
        scenario.world.script = strike
        ask(scenario)
        try:
            scenario.world.rest(scenario.inspector.check)
            result, *others = scenario.inspector.check_ends(scenario.letters, set())
            if others:  # another run took over, and did as much
                assert fault == "overtaken by another run"
                assert result.state == "committed" or "its lease ran out" in str(result.reason)
                (result,) = others
            assert result.state == "committed"
            runs = [each.run_id for each in scenario.inspector.pointers["206"]]
            done = [run_id for run_id in runs if not run_id.startswith("push-")]
            assert done.count(result.run_id) == 1, f"{result.run_id} is not in {runs}"
            assert len(done) <= 1 + len(others), f"it took effect twice: {runs}"
            scenario.inspector.check_events("206", scenario.letters)
            if fault == "flipped once":
                failed = [line for line in scenario.world.story if " fails: " in line]
                assert not failed, "a damaged transfer was not made again"
                if ask is ask_for_a_run:
                    scenario.inspector.check_rows("206")
            scenario.check_last_run()
        except AssertionError as error:
            story = "\n".join(scenario.world.story)
            raise AssertionError(f"{fault} at {point}: {error}\n{story}") from error
