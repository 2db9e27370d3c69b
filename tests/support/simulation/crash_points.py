"""Every call of a run at which an instance may die or an answer may be lost."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from almanac.messaging.messages import CampaignChange, RunRequest
from tests.support.simulation.scenario import Scenario, instances

SEED = 2  # of an agency with campaigns


FAULTS = ("dies before", "dies after", "answer lost")


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
        if self.call.startswith("acknowledge"):
            return fault == "dies before"
        return self.writes or fault != "answer lost"


@functools.cache
def points_of(ask: Ask) -> list[Point]:
    """Every call of the store, every publish and acknowledgement until all is done."""
    points: list[Point] = []

    def note(number: int, call: str, writes: bool) -> None:
        points.append(Point(number, call, writes))

    with tempfile.TemporaryDirectory(prefix="almanac-points-") as folder:
        scenario = Scenario(SEED, Path(folder))
        scenario.world.calm = True
        scenario.world.script = note
        ask(scenario)
        scenario.world.rest(scenario.inspector.check)
    return points


def survive(ask: Ask, point: Point, fault: str) -> None:
    """One fault at the point, then nothing more: what was asked for is done, once."""

    def strike(number: int, call: str, writes: bool) -> str | None:
        return fault if number == point.number else None

    with tempfile.TemporaryDirectory(prefix="almanac-points-") as folder:
        scenario = Scenario(SEED, Path(folder))
        scenario.world.calm = True
        scenario.world.script = strike
        ask(scenario)
        try:
            scenario.world.rest(scenario.inspector.check)
            (result,) = scenario.inspector.check_ends(scenario.letters, set())
            assert result.state == "committed"
            assert len(scenario.inspector.pointers["206"]) == 2, "it was committed twice"
            scenario.inspector.check_events("206", scenario.letters)
            scenario.check_last_run()
        except AssertionError as error:
            story = "\n".join(scenario.world.story)
            raise AssertionError(f"{fault} at {point}: {error}\n{story}") from error
