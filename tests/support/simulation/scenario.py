"""What is asked of the simulated cloud, by seed, and how it comes out."""

from __future__ import annotations

import datetime as dt
import functools
import random
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from almanac.messaging.messages import CampaignChange, Message, RunRequest
from almanac.storage.publish import NewVersion, publish
from almanac.storage.versions import current
from tests.support import agencies
from tests.support.outside import opened
from tests.support.simulation.chances import CHANCES
from tests.support.simulation.inspector import Inspector
from tests.support.simulation.stage import stage
from tests.support.simulation.world import Letter, World

AGENCIES = 20  # different databases
CONTACTS = 9
FIELDS = {
    "active_end_date": ("2026-12-31", "2027-03-15", "2028-01-01", None),
    "active_start_date": ("2026-01-01", "2027-04-01", None),
    "target_states": ("CA,NV", "ALL", None, "KS"),
    "email_template": ("changed", None),
    "metadata": ('{"priority": 3}', '{"days_before_event": 10}', None),
}
POISON = (b"{", b'{"org_id": "../206"}', b'{"org_id": "unknown"}', b'{"reason": "weekly"}')


class Failed(AssertionError):
    """A seed that did not come out as it should: with its story."""


@dataclass(frozen=True)
class Outcome:
    """A seed that came out well."""

    faults: Counter[str]
    states: Counter[str]
    deliveries: int
    versions: int


@functools.lru_cache(maxsize=AGENCIES)
def database(number: int) -> bytes:
    """The bytes of one of the agencies, and nothing of it left on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        return agencies.build(Path(folder) / "agency.sqlite3", number, CONTACTS).read_bytes()


@functools.lru_cache(maxsize=AGENCIES)
def instances(number: int) -> list[int]:
    """The ids of its campaign instances."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agency.sqlite3"
        path.write_bytes(database(number))
        with opened(path) as connection:
            sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'campaign_instances'"
            if not connection.execute(sql).get:
                return []
            return [row[0] for row in connection.execute("SELECT id FROM campaign_instances")]


class Scenario:
    """A world with some organizations of which things are asked."""

    def __init__(self, seed: int, folder: Path, chances: Mapping[str, float] = CHANCES) -> None:
        self.seed = seed
        self.folder = folder
        self.world = World(
            seed,
            folder,
            chances=chances,
            another_writer=self.push_something,
            another_run=self.ask_for_another_run,
        )
        self.random = random.Random(f"scenario:{seed}")
        self.orgs = ["206", "207"] if seed % 5 == 0 else ["206"]
        self.agency = {org: (seed + number) % AGENCIES for number, org in enumerate(self.orgs)}
        self.inspector = self.make_inspector()
        self.letters: list[Letter] = []
        self._pushes = 0
        for org in self.orgs:
            path = folder / f"{org}.sqlite3"
            path.write_bytes(self.first_database(org))
            self._publish(org, path)

    def make_inspector(self) -> Inspector:
        """Return who watches the world."""
        return Inspector(self.world, self.orgs, self.folder)

    def first_database(self, org: str) -> bytes:
        """Return what the organization begins with."""
        return database(self.agency[org])

    def _publish(self, org: str, path: Path) -> None:
        self._pushes += 1
        version = publish(
            self.world.medium,
            org,
            path,
            NewVersion(
                run_id=f"push-{self._pushes}",
                parent=current(self.world.medium, org),
                as_of=self.world.now.date(),
                now=self.world.now,
            ),
        )
        self.world.tell(f"another writer publishes version {version.version} of {org}")

    def push_something(self) -> None:
        """Another writer marks a row as sent and publishes that."""
        org = self.random.choice(self.orgs)
        there = current(self.world.medium, org)
        assert there is not None
        path = self.folder / "pushed.sqlite3"
        path.write_bytes(self.world.medium.read(there[0].path).data)
        with opened(path) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS their_notes (what)")
            connection.execute("INSERT INTO their_notes VALUES (?)", (self._pushes,))
            sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'email_schedules'"
            if connection.execute(sql).get:
                connection.execute(
                    "UPDATE email_schedules SET status = 'sent' WHERE id = (SELECT min(id) FROM "
                    "email_schedules WHERE status = 'pre-scheduled')"
                )
        self._publish(org, path)

    def send(self, function: str, message: Message | bytes) -> Letter:
        letter = self.world.send(function, message)
        self.letters.append(letter)
        self.inspector.letters.append(letter)
        return letter

    def ask_for_another_run(self) -> Letter:
        """A run is asked for while another one may be in flight."""
        request = RunRequest(org_id=self.random.choice(self.orgs), reason="manual")
        return self.send("orchestrator", request)

    def send_something(self) -> None:
        """One thing that may be asked for."""
        org = self.random.choice(self.orgs)
        kind = self.random.choices(
            ("daily of all", "daily", "manual", "force", "change", "change again", "poison"),
            (3, 2, 2, 1, 6, 3, 1),
        )[0]
        if kind == "daily of all":
            self.send("orchestrator", b"")
        elif kind == "daily":
            self.send("orchestrator", RunRequest(org_id=org))
        elif kind == "manual":
            self.send("orchestrator", RunRequest(org_id=org, reason="manual"))
        elif kind == "force":
            self.send("orchestrator", RunRequest(org_id=org, force=True))
        elif kind == "change again" and (sent := self._changes_sent()):
            if self.random.random() < 0.5:
                self.world.now += dt.timedelta(days=1)
            self.send("campaign_change", self.random.choice(sent).data)
        elif kind == "poison":
            self.world.send("orchestrator", self.random.choice(POISON))  # comes to nothing
        else:
            self.send("campaign_change", self._change(org))

    def _changes_sent(self) -> list[Letter]:
        return [letter for letter in self.letters if b"campaign_instance_id" in letter.data]

    def _change(self, org: str) -> CampaignChange:
        known = instances(self.agency[org]) or [1]
        instance = self.random.choice([*known, *known, 99_999])
        fields = self.random.sample(sorted(FIELDS), self.random.randint(0, 2))
        return CampaignChange(
            event_id=f"event-{len(self.letters)}",
            org_id=org,
            campaign_instance_id=instance,
            changes={field: self.random.choice(FIELDS[field]) for field in fields},
        )

    def play(self) -> Outcome:
        """Ask, let everything go wrong, then nothing; AssertionError where something is off."""
        world = self.world
        for _ in range(self.random.randint(2, 5)):
            self.send_something()
            for _ in range(self.random.randint(0, 12)):
                world.step()
                self.inspector.check()
        for _ in range(25):
            world.step()
            self.inspector.check()
        world.calm = True
        world.tell("from here on nothing goes wrong")
        world.rest(self.inspector.check)
        states = self._check_ends()
        if self.seed % 4 == 0:  # it takes as long as all the rest
            self.check_last_run()
        versions = sum(map(len, self.inspector.pointers.values()))
        return Outcome(world.faults, states, world._instances, versions)

    def _check_ends(self) -> Counter[str]:
        rejected = {
            info.name.rpartition("/")[2].removesuffix(".json")
            for info in self.world.medium.list("rejected/")
        }
        results = self.inspector.check_ends(self.letters, rejected)
        for org in self.orgs:
            self.inspector.check_events(org, self.letters)
        return Counter(result.state for result in results)

    def check_last_run(self) -> None:
        """A last request comes to the rows of a run without faults."""
        for org in self.orgs:
            self.send("orchestrator", RunRequest(org_id=org, reason="manual"))
            self.world.rest(self.inspector.check)
            self.inspector.check_rows(org)


def play(seed: int, chances: Mapping[str, float] = CHANCES) -> Outcome:
    """Play a seed; Failed tells its story."""
    with stage() as folder:
        scenario = Scenario(seed, folder, chances)
        try:
            return scenario.play()
        except Exception as error:
            story = "\n".join(scenario.world.story[-400:])
            raise Failed(f"seed {seed}: {type(error).__name__}: {error}\n{story}") from error
