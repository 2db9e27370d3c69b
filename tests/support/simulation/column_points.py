"""Every call about planned rows in columns, in a run a month after another, which kept them."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path

from tests.support.kept_columns import in_columns, in_database
from tests.support.simulation.crash_points import SEED, Point, ask_for_a_run
from tests.support.simulation.scenario import Scenario
from tests.support.simulation.stage import stage

ORG = "206"


class ColumnPoints:
    """A run after another, with a fault at one call or none."""

    def __init__(self, folder: Path, at: int = 0, fault: str = "") -> None:
        self.scenario = Scenario(SEED, folder)
        self.points: list[Point] = []
        self._at, self._fault = at, fault
        self.scenario.world.calm = True

    def _strike(self, number: int, call: str, writes: bool) -> str | None:
        self.points.append(Point(number, call, writes))
        return self._fault if number == self._at else None

    def play(self) -> None:
        """Run twice, and check what comes of the second run."""
        scenario, world = self.scenario, self.scenario.world
        ask_for_a_run(scenario)
        world.rest(scenario.inspector.check)
        world.now += dt.timedelta(days=30)  # so that rows change
        world.script = self._strike
        ask_for_a_run(scenario)
        world.rest(scenario.inspector.check)
        world.script = None
        _, second, *_ = scenario.inspector.check_ends(scenario.letters, set())
        took_over = self._fault == "overtaken by another run"
        assert second.state == "committed" or took_over, second
        scenario.check_last_run()
        columns = in_columns(world.medium, ORG)
        assert columns == in_database(world.medium, ORG, scenario.folder) != []


@functools.cache
def column_points() -> list[Point]:
    """Every call about columns of the second run, without a fault."""
    with stage() as folder:
        found = ColumnPoints(folder)
        found.play()
        return [point for point in found.points if "/planned-rows" in point.call]


def survive_with_columns(point: Point, fault: str) -> None:
    """One fault at the point: the run commits the right rows, and its version has them."""
    with stage() as folder:
        made = ColumnPoints(folder, point.number, fault)
        try:
            made.play()
        except AssertionError as error:
            story = "\n".join(made.scenario.world.story)
            raise AssertionError(f"{fault} at {point}: {error}\n{story}") from error
