"""Every call at which an instance may die or an answer be lost, while events come in: when they are
put, when a run absorbs them, when a message is claimed while it merges, when they are deleted."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from pathlib import Path

from almanac.storage import layout
from almanac.storage.versions import Current
from tests.support.clouds import TOPICS
from tests.support.simulation.crash_points import SEED, Point, ask_for_a_run
from tests.support.simulation.event_inspector import EventInspector, logged
from tests.support.simulation.event_scenario import EventScenario, one_thread
from tests.support.simulation.stage import stage

ORG = "206"
KINDS = ("contact", "suppression", "target", "campaign", "click")


class EventPoints:
    """A run of an organization for which events wait, and a claim that comes while it merges."""

    def __init__(self, folder: Path, at: int = 0, fault: str = "") -> None:
        self.scenario = EventScenario(SEED, folder)
        self.points: list[Point] = []
        self._at, self._fault = at, fault
        self._claimed = False
        self.scenario.world.calm = True
        self.scenario.world.script = self._strike

    def _strike(self, number: int, call: str, writes: bool) -> str | None:
        self.points.append(Point(number, call, writes))
        if call.startswith("fetch") and not self._claimed:
            self._claimed = True
            self.scenario.outsiders.claim(ORG)
        return self._fault if number == self._at else None

    def play(self) -> None:
        """Put events, ask for a run, and check what comes of all that."""
        scenario, outsiders = self.scenario, self.scenario.outsiders
        outsiders.claim(ORG)
        for kind in KINDS:
            outsiders.tell(ORG, kind)
        outsiders.again()
        ask_for_a_run(scenario)
        scenario.world.rest(scenario.inspector.check)
        results = scenario.inspector.check_ends(scenario.letters, set())
        assert results[-1].state == "committed", results
        assert isinstance(scenario.inspector, EventInspector)
        now = {event for event, _ in logged(scenario.inspector.file(self._last()))}
        missing = [claim for claim in outsiders.claims if claim.event.event_id not in now]
        overtaken = self._fault.startswith("overtaken")  # by a claim later than the look, perhaps
        assert not missing or overtaken, f"the next version honours no claim of {missing}"
        scenario.world.script = None
        scenario.check_last_run()

    def ask_while_a_run_commits(self) -> None:
        """Ask what is due; a run commits and deletes what it has before the inbox is listed."""
        scenario, outsiders = self.scenario, self.scenario.outsiders
        self._claimed = True
        outsiders.claim(ORG)
        ask_for_a_run(scenario)

        def commit(number: int, call: str, writes: bool) -> None:
            if call == f"list {layout.inbox(ORG)}":
                scenario.world.script = None
                scenario.world.rest(scenario.inspector.check)

        scenario.world.script = commit
        outsiders.claim(ORG, outsiders.claims[0].row["scheduled_send_date"])
        scenario.world.script = None
        scenario.check_last_run()

    def claim_between_two_merges(self) -> None:
        """Merge a run twice at once; the claim comes between the looks of the two."""
        scenario, outsiders, world = self.scenario, self.scenario.outsiders, self.scenario.world
        self._claimed = True
        ask_for_a_run(scenario)
        looks = itertools.count(1)

        def script(number: int, call: str, writes: bool) -> None:
            if call == f"list {layout.inbox(ORG)}" and next(looks) == 2:
                # the first merge is about to look; by the other's clock its right has run out
                world.now += dt.timedelta(minutes=5)
                results = [each for each in world.letters if each.topic == TOPICS.shard_results]
                world.deliver(results[-1])
                world.now -= dt.timedelta(minutes=5)
            if call.endswith("/report.json") and not outsiders.claims:
                outsiders.claim(ORG)

        world.script = script
        world.rest(scenario.inspector.check)
        assert outsiders.claims
        assert " fails: " not in "".join(world.story), "the two merges were not at work at once"
        world.script = None
        scenario.check_last_run()

    def _last(self) -> Current:
        return self.scenario.inspector.pointers[ORG][-1]


@functools.cache
def event_points() -> list[Point]:
    """Every call until all is done, without a fault."""
    with one_thread(), stage() as folder:
        found = EventPoints(folder)
        found.play()
        return found.points


def survive_a_claim_between_two_merges() -> None:
    """The version that comes into force lacks the claim, which waits for the next run."""
    with one_thread(), stage() as folder:
        EventPoints(folder).claim_between_two_merges()


def survive_being_asked_while_a_run_commits() -> None:
    """Nothing is handed out twice, wherever the claim of it is at the time."""
    with one_thread(), stage() as folder:
        EventPoints(folder).ask_while_a_run_commits()


def survive_with_events(point: Point, fault: str) -> None:
    """One fault at the point: each event is applied once, and the claims hold."""
    with one_thread(), stage() as folder:
        made = EventPoints(folder, point.number, fault)
        try:
            made.play()
        except AssertionError as error:
            story = "\n".join(made.scenario.world.story)
            raise AssertionError(f"{fault} at {point}: {error}\n{story}") from error
