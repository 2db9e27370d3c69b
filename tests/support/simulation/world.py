"""A cloud in which anything may happen at any time, the same for the same seed.

The real steps run over a store in memory. One thread runs them: between two calls of a step the
world may let another delivery run (by another instance), move the clock, have another writer
commit, or end the instance. A seed decides, so that it replays exactly.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from almanac.errors import AlmanacError, OutcomeUnknown, TransientError
from almanac.messaging.bus import Delivery
from almanac.messaging.messages import Message, to_json
from almanac.organizations.snapshots import RangedSnapshots
from almanac.runs.handlers import HANDLERS
from almanac.runs.services import Services
from tests.support.clouds import NOW, TOPIC_OF
from tests.support.simulation.chances import CHANCES, OVERTAKEN, READS_ONLY, WRITES_ONLY
from tests.support.simulation.medium import Medium, SimulatedStore

FUNCTION_OF = {topic: function for function, topic in TOPIC_OF.items()}
LEASE_SECONDS = 3600
MOST_STEPS = 2000
NESTED = 2  # deliveries within a delivery within ...


class Death(BaseException):
    """The end of an instance: nothing in the product catches it."""


class Restless(AssertionError):
    """The world does not come to rest though nothing goes wrong any more."""


@dataclass
class Letter:
    """A message on its way."""

    number: int
    topic: str
    data: bytes
    attributes: Mapping[str, str]
    published_at: dt.datetime
    not_before: dt.datetime
    attempts: int = 0

    def __str__(self) -> str:
        return f"{self.topic} #{self.number}"


@dataclass(frozen=True)
class Fate:
    """What happens at one call: at which point, and what."""

    kind: str
    act: Callable[[], None] = lambda: None


@dataclass
class World:
    """Time, messages, the store's medium, and what may go wrong."""

    seed: int
    folder: Path
    shard_contacts: int = 6
    chances: Mapping[str, float] = field(default_factory=lambda: CHANCES)
    another_writer: Callable[[], None] = lambda: None
    another_run: Callable[[], Letter | None] = lambda: None  # asks for one
    now: dt.datetime = NOW
    story: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    calm: bool = False  # nothing goes wrong any more
    calls: int = 0
    script: Callable[[int, str, bool], str | None] | None = None  # instead of chance

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.medium = Medium()
        self.letters: list[Letter] = []
        self._numbers = 0
        self._depth = 0
        self._instances = 0

    # Messages

    def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None
    ) -> Letter:
        """Put a message on its way."""
        self._numbers += 1
        letter = Letter(self._numbers, topic, data, dict(attributes or {}), self.now, self.now)
        self.letters.append(letter)
        return letter

    def send(self, function: str, message: Message | bytes) -> Letter:
        """Ask a function for something, from outside."""
        data = message if isinstance(message, bytes) else to_json(message)
        letter = self.publish(TOPIC_OF[function], data)
        self.tell(f"sent {letter}: {data.decode(errors='replace')[:120]}")
        return letter

    def step(self) -> bool:
        """Deliver one message; False if there is none."""
        self.now += dt.timedelta(seconds=self.random.randint(1, 5))
        if not self.letters:
            return False
        ready = [letter for letter in self.letters if letter.not_before <= self.now]
        if not ready:
            self.now = min(letter.not_before for letter in self.letters)
            ready = [letter for letter in self.letters if letter.not_before <= self.now]
        self.deliver(self.random.choice(ready))
        return True

    def rest(self, check: Callable[[], None]) -> None:
        """Go on until no message is left, checking after every step."""
        for _ in range(MOST_STEPS):
            if not self.step():
                return
            check()
        waiting = ", ".join(map(str, self.letters))
        raise Restless(f"after {MOST_STEPS} deliveries there are still {waiting}")

    def deliver(self, letter: Letter) -> None:
        """Hand a message to an instance of its function; keep it unless that succeeds."""
        self._instances += 1
        letter.attempts += 1
        name = f"{FUNCTION_OF[letter.topic]}-{self._instances}"
        self.tell(f"{name} gets {letter}")
        instance = Instance(self, name)
        self._depth += 1
        try:
            with tempfile.TemporaryDirectory(dir=self.folder) as workspace:
                HANDLERS[FUNCTION_OF[letter.topic]](
                    instance.services(Path(workspace)), self._delivery(letter)
                )
        except Death:
            self.tell(f"{name} is dead")
        except (AlmanacError, OSError) as error:
            self.tell(f"{name} fails: {type(error).__name__}: {str(error)[:150]}")
        else:
            self._acknowledge(letter, name)
            return
        finally:
            self._depth -= 1
            instance.close()
        wait = min(600, 10 * 2 ** min(letter.attempts - 1, 6))
        letter.not_before = self.now + dt.timedelta(seconds=wait)

    def _acknowledge(self, letter: Letter, name: str) -> None:
        fate = self.fate("acknowledge", str(letter), writes=False)
        if fate in ("dies before", "duplicate"):
            self.tell(f"{name}'s acknowledgement of {letter} is lost ({fate})")
            letter.not_before = self.now + dt.timedelta(seconds=10)
        elif letter in self.letters:
            self.letters.remove(letter)

    def _delivery(self, letter: Letter) -> Delivery:
        requested = letter.attributes.get("requested_at")
        return Delivery(
            topic=letter.topic,
            message_id=letter.attributes.get("request_id", str(letter.number)),
            publish_time=dt.datetime.fromisoformat(requested) if requested else letter.published_at,
            data=letter.data,
            attributes=letter.attributes,
        )

    # What happens

    def fate(self, call: str, name: str, *, writes: bool) -> str | None:
        """What befalls a call of an instance, if anything does."""
        self.calls += 1
        if self.script is not None:
            found = self.script(self.calls, f"{call} {name}", writes)
        elif self.calm:
            found = None
        else:
            found = self._by_chance(call, writes)
        if found:
            self.faults[found] += 1
            self.tell(f"    {found}: {call} {name}")
        return found

    def _by_chance(self, call: str, writes: bool) -> str | None:
        if call == "acknowledge":
            return "duplicate" if self.random.random() < 0.3 else None
        draw = self.random.random()
        for kind, chance in self.chances.items():
            draw -= chance
            if draw < 0:
                forbidden = READS_ONLY if writes else WRITES_ONLY
                return None if kind in forbidden else kind
        return None

    def interlude(self, kind: str) -> None:
        """Something else happens in the middle of a step."""
        if kind == "another delivery":
            ready = [letter for letter in self.letters if letter.not_before <= self.now]
            if ready and self._depth <= NESTED:
                self.deliver(self.random.choice(ready))
        elif kind == "time passes":
            self.now += dt.timedelta(minutes=self.random.choice([1, 4, 30, 90]))
        elif kind == "another writer":
            self.another_writer()
        elif kind == "another run" and self._depth <= NESTED:
            self.now += dt.timedelta(minutes=90)  # the lease of whatever run there is runs out
            if (letter := self.another_run()) is not None:
                self.deliver(letter)

    def tell(self, event: str) -> None:
        """Add a line to the story."""
        self.story.append(f"{self.now:%H:%M:%S} {'  ' * self._depth}{event}")


class Instance:
    """A process of a function: its own view of store, bus and clock."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.store = SimulatedStore(world.medium, self.call)
        self.snapshots = RangedSnapshots(self.store)
        minutes = 0 if world.calm else world.random.choice([0, 0, 0, -7, -2, 3, 9])
        self._skew = dt.timedelta(minutes=minutes)

    def services(self, workspace: Path) -> Services:
        return Services(
            store=self.store,
            bus=self,
            snapshots=self.snapshots,
            workspace=workspace,
            shard_contacts=self.world.shard_contacts,
            lease_seconds=LEASE_SECONDS,
            clock=lambda: self.world.now + self._skew,
            new_holder=lambda: self.name,
        )

    def close(self) -> None:
        # reading is over; what closing might still read is nobody's business any more
        self.store.quiet = True
        self.snapshots.close()

    @contextlib.contextmanager
    def _within(self, call: str, name: str, writes: bool):  # type: ignore[no-untyped-def]
        fate = self.world.fate(call, name, writes=writes)
        if fate == "dies before":
            raise Death(self.name)
        if fate == "refused":
            raise TransientError(f"{name}: 503")
        if fate in ("another delivery", "time passes", "another writer"):
            self.world.interlude(fate)
        yield fate
        if fate == "dies after":
            raise Death(self.name)
        if fate in OVERTAKEN:
            self.world.interlude(OVERTAKEN[fate])
        if fate == "answer lost" or fate in OVERTAKEN:
            raise OutcomeUnknown(f"{name}: the answer is lost")

    def call(self, call: str, name: str, *, writes: bool):  # type: ignore[no-untyped-def]
        """A call of the store, with whatever befalls it."""
        return self._within(call, name, writes)

    def publish(
        self, topic: str, messages: Sequence[bytes], attributes: Mapping[str, str] | None = None
    ) -> None:
        """Bus: of several messages only some may get out before the instance dies."""
        for data in messages:
            with self._within("publish", topic, True):
                self.world.publish(topic, data, attributes)
