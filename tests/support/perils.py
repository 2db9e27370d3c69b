"""A store and a bus in which processes die and answers get lost."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from almanac.errors import OutcomeUnknown
from almanac.messaging.local import LocalBus
from almanac.storage.memory import MemoryStore
from almanac.storage.store import ObjectInfo

Fault = Literal["dies before", "dies after", "answer lost", "never arrives"]
FAULTS: tuple[Fault, ...] = ("dies before", "dies after", "answer lost", "never arrives")


class Death(BaseException):
    """Stands for the death of a process: nothing in the product catches it."""


class Perils:
    """Counts what a process changes in the world: writes, deletions, messages.

    The at-th change (from 0) meets the fault, once. Who has died changes nothing more until
    revived. storm: where given, changes meet any fault at random.
    """

    storm: random.Random | None = None

    def __init__(self) -> None:
        self.at: int | str | None = None
        self.fault: Fault = "dies before"
        self.changes: list[str] = []
        self._dead = False

    def expect(self, at: int | str | None, fault: Fault = "dies before") -> None:
        """Count from 0 again; the fault comes at the at-th change, or at that of a name."""
        self.at, self.fault, self.changes = at, fault, []

    def revive(self) -> None:
        self._dead = False

    def meet(self, name: str, change: Callable[[], Any]) -> Any:
        """What change gives, unless the fault is met."""
        if self._dead:
            raise Death(name)
        met = self.at in (len(self.changes), name)
        self.changes.append(name)
        self.at = None if met else self.at
        if self.storm and self.storm.random() < 0.1:
            met, self.fault = True, self.storm.choice(FAULTS)
        if met and self.fault == "dies before":
            self._dead = True
            raise Death(name)
        if met and self.fault == "never arrives":
            raise OutcomeUnknown(name)
        value = change()
        if met and self.fault == "dies after":
            self._dead = True
            raise Death(name)
        if met and self.fault == "answer lost":
            raise OutcomeUnknown(name)
        return value


class PerilousStore(MemoryStore):
    """A store in memory whose writes and deletions meet perils."""

    def __init__(self, perils: Perils) -> None:
        super().__init__()
        self._perils = perils

    def begin_as(self, other: PerilousStore) -> None:
        """Hold what another store holds now."""
        self._objects, self._generation = dict(other._objects), other._generation

    def spoil(self, name: str) -> None:
        """Change the stored bytes of an object, as a failing medium does: not its checksum."""
        info, data = self._objects[name]
        self._objects[name] = info, bytes([data[0] ^ 1]) + data[1:]

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        write = super().write
        found: ObjectInfo = self._perils.meet(name, lambda: write(name, data, if_generation))
        return found

    def delete(self, name: str, if_generation: int | None) -> None:
        delete = super().delete
        self._perils.meet(f"delete {name}", lambda: delete(name, if_generation))


class PerilousBus(LocalBus):
    """A bus to which each message's way is perilous."""

    def __init__(self, perils: Perils, **options: Any) -> None:
        super().__init__(**options)
        self._perils = perils

    def publish(
        self, topic: str, messages: Sequence[bytes], attributes: Mapping[str, str] | None = None
    ) -> None:
        publish = super().publish
        for data in messages:
            self._perils.meet(topic, functools.partial(publish, topic, [data], attributes))
