"""What comes in while runs are asked for, by seed, and how it comes out."""

from __future__ import annotations

import datetime as dt
import functools
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from almanac.config import Config
from almanac.intake import inbox
from almanac.messaging.messages import RunRequest
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from tests.support.clouds import NOW
from tests.support.simulation.chances import CHANCES
from tests.support.simulation.event_inspector import EventInspector
from tests.support.simulation.inspector import Inspector
from tests.support.simulation.outsiders import Outsiders
from tests.support.simulation.scenario import (
    AGENCIES,
    Failed,
    Outcome,
    Scenario,
    database,
)
from tests.support.simulation.stage import stage

# what comes in is what another writer does: it happens at any call
EVENTFUL = CHANCES | {"another writer": 0.02, "overtaken by a push": 0.01}


@functools.lru_cache(maxsize=AGENCIES)
def planned_database(number: int) -> bytes:
    """One of the agencies, planned the day before."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agency.sqlite3"
        path.write_bytes(database(number))
        run_file(path, Config(), RunOptions(now=NOW - dt.timedelta(days=1), workers=1))
        return path.read_bytes()


class EventScenario(Scenario):
    """A world with a sender, a CRM and contacts who do something."""

    def __init__(self, seed: int, folder: Path, chances: Mapping[str, float] = EVENTFUL) -> None:
        super().__init__(seed, folder, chances)
        self.world.another_writer = self.let_them_act

    def make_inspector(self) -> Inspector:
        inspector = EventInspector(self.world, self.orgs, self.folder)
        self.outsiders = Outsiders(self.world, self.orgs, self.folder, self.seed)
        inspector.outsiders = self.outsiders
        return inspector

    def first_database(self, org: str) -> bytes:
        return planned_database(self.agency[org])

    def let_them_act(self) -> None:
        """Something comes in, and now and then another writer pushes."""
        if self.random.random() < 0.1:
            self.push_something()
            return
        if (event := self.outsiders.act()) is not None:
            request = RunRequest(org_id=event.org, reason="replan", event_id=event.event_id)
            self.send("orchestrator", request)

    def send_something(self) -> None:
        for _ in range(self.random.randint(0, 3)):
            self.let_them_act()
        super().send_something()

    def check_last_run(self) -> None:
        """A last request absorbs all that waits, and another has the rows of a local run."""
        for org in self.orgs:
            self.send("orchestrator", RunRequest(org_id=org, reason="manual"))
            self.world.rest(self.inspector.check)
            assert isinstance(self.inspector, EventInspector)
            self.inspector.check_absorbed(org)
            self.inspector.check_suppressed(org)
        if self.seed % 4 == 0:
            super().check_last_run()

    def play(self) -> Outcome:
        outcome = super().play()
        if self.seed % 4:
            self.check_last_run()
        return outcome


@contextmanager
def one_thread() -> Iterator[None]:
    """Read and delete objects of the inbox one after the other, so that a seed replays."""
    threads, inbox.THREADS = inbox.THREADS, 1
    try:
        yield
    finally:
        inbox.THREADS = threads


def play_events(seed: int, chances: Mapping[str, float] = EVENTFUL) -> Outcome:
    """Play a seed; Failed has its story."""
    with one_thread(), stage() as folder:
        scenario = EventScenario(seed, folder, chances)
        try:
            return scenario.play()
        except Exception as error:
            story = "\n".join(scenario.world.story[-400:])
            raise Failed(f"seed {seed}: {type(error).__name__}: {error}\n{story}") from error
