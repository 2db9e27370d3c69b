"""Whatever becomes of writes and answers: what was answered with success is there once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from almanac.errors import OutcomeUnknown, StorageError, TransientError
from almanac.intake.answers import Answer
from almanac.storage.memory import MemoryStore
from almanac.storage.store import ObjectInfo
from tests.support.intake_posts import JSON, ORG, Inlet, request

EVENTS = 60


class UnreliableStore(MemoryStore):
    """A store whose writes fail, or whose answers get lost; its inboxes cannot be read."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.reliable = True

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        fate = 1.0 if self.reliable else self.chance.random()
        if fate < 0.25:
            raise TransientError("it was not written")
        info = super().write(name, data, if_generation)
        if fate < 0.5:
            raise OutcomeUnknown(name)
        return info

    def stat(self, name: str) -> ObjectInfo | None:
        if "/inbox/" in name and not self.reliable:
            raise StorageError("access is denied")
        return super().stat(name)


@pytest.mark.parametrize("seed", range(5))
def test_an_event_that_is_posted_until_it_is_taken_is_there_once(seed: int) -> None:
    chance = random.Random(seed)
    store = UnreliableStore(chance)
    inlet = Inlet(store)
    missing = set(range(EVENTS))

    async def post(number: int) -> Answer:
        headers = {"content-type": JSON, "idempotency-key": f"key-{number}"}
        mark = {"id": number, "status": "sent"}
        return await inlet.endpoint.answer(request(f"/orgs/{ORG}/deliveries", mark, headers))

    async def post_together(numbers: list[int]) -> list[Answer]:
        return await asyncio.gather(*map(post, numbers))

    rounds = 0
    while missing:
        store.reliable, rounds = False, rounds + 1
        numbers = chance.sample(sorted(missing), min(len(missing), 10))
        answers = asyncio.run(post_together(numbers))
        taken = {number for number, each in zip(numbers, answers, strict=True) if each.code == 202}
        assert {each.code for each in answers} <= {202, 503}
        if chance.random() < 0.8:  # else the answers are lost on their way
            missing -= taken
        if chance.random() < 0.3:
            inlet.endpoint = inlet.another()
        store.reliable = True
        found = Counter(entry["id"] for entry in inlet.entries())
        assert taken <= found.keys()
        assert set(found.values()) <= {1}
    assert set(found) == set(range(EVENTS))
    assert rounds > EVENTS // 10
