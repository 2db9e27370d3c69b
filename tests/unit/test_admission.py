"""Who is admitted under the daily cap, against the maximum flow of a library."""

from __future__ import annotations

import random

import networkx as nx
import numpy as np
import pytest

from almanac.balancing.admission import admitted
from almanac.balancing.hashing import message_hashes
from almanac.balancing.occupancy import Limits, Occupancy
from almanac.balancing.place import NoDayCodes, place
from almanac.balancing.targets import aims_of
from almanac.frames import NO_DAY, Contenders, Index, Kind
from tests.support.sampling import sampled

Spans = list[tuple[int, int]]  # target and last day of each message
KINDS = [Kind("aep", 0, 30, None, None), Kind("birthday", 0, 10, None, None)]
T0 = 20_000


def most(spans: Spans, room: list[int]) -> int:
    """The number of messages that can be given days, by a maximum flow."""
    graph = nx.DiGraph()
    graph.add_nodes_from(["messages", "days"])
    for number, (target, last) in enumerate(spans):
        graph.add_edge("messages", ("message", number), capacity=1)
        for day in range(target, last + 1):
            graph.add_edge(("message", number), ("day", day), capacity=1)
    for day, rooms in enumerate(room):
        graph.add_edge(("day", day), "days", capacity=rooms)
    return int(nx.maximum_flow_value(graph, "messages", "days"))


def some_spans(rng: random.Random) -> tuple[Spans, list[int]]:
    """Messages and rooms, tight enough for most cases to lose some."""
    days = rng.randrange(1, 12)
    room = [rng.choice([0, 1, 1, 2, 5]) for _ in range(days)]
    spans = []
    for _ in range(rng.randrange(1, 30)):
        target = rng.randrange(days)
        spans.append((target, rng.randrange(target, min(days, target + rng.choice([1, 3, 12])))))
    return spans, room


@pytest.mark.parametrize("block", sampled(range(40), 1))
def test_rank_order_admits_whoever_fits_and_so_as_many_as_possible(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        rng = random.Random(seed)
        spans, room = some_spans(rng)
        rank = list(range(len(spans)))
        rng.shuffle(rank)  # the place of each message

        def ranked(messages: Index, rank: list[int] = rank) -> Index:
            return messages[np.argsort(np.array(rank)[messages])]

        target, due = (np.array([span[end] for span in spans], np.int32) for end in (0, 1))
        found = admitted(target, due, np.array(room, np.int64), ranked)
        best_first = sorted(range(len(spans)), key=rank.__getitem__)
        for length in range(1, len(spans) + 1):
            first = best_first[:length]
            # of the best ranked so many as many as can be: that is the best for every rank
            assert found[first].sum() == most([spans[n] for n in first], room), f"seed {seed}"


@pytest.mark.parametrize("block", sampled(range(40), 1))
def test_no_message_is_lost_to_the_cap_that_could_have_been_sent(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        rng = random.Random(seed)
        spans, fixed = some_spans(rng)
        cap, extra = rng.randrange(1, 4), rng.randrange(3)
        contenders = Contenders(
            contact_id=np.arange(1, len(spans) + 1),
            kind=np.array([rng.randrange(2) for _ in spans], np.int32),
            event=np.full(len(spans), T0 + 40, np.int32),
            ideal=np.array([T0 + target for target, _ in spans], np.int32),
            deadline=np.array([T0 + last for _, last in spans], np.int32),
            x=np.array([T0 + target for target, _ in spans], np.int32),
            floor=np.array([T0 + target for target, _ in spans], np.int32),
            ceiling=np.array([T0 + last for _, last in spans], np.int32),
            previous_day=np.full(len(spans), NO_DAY, np.int32),
            previous_ideal=np.zeros(len(spans), np.bool_),
        )
        closed = [rng.random() < 0.2 for _ in fixed]
        closed_days = frozenset(T0 + day for day, is_closed in enumerate(closed) if is_closed)
        limits = Limits(T0, cap, cap + extra, 1, 1, 1, KINDS, closed_days)
        load = Occupancy(
            np.array(fixed, np.int64),
            np.zeros(len(fixed), np.int64),
            np.zeros(0, np.int64),
            np.zeros(0, np.int32),
        )
        placed = place(aims_of(contenders, limits), load, limits, NoDayCodes(1, 2, 3))
        sent = placed.reason == 0
        room = [
            0 if is_closed else max(0, limits.ceiling - load)
            for load, is_closed in zip(fixed, closed, strict=True)
        ]
        assert sent.sum() == most(spans, room), f"seed {seed}"
        # and none for one of worse rank
        hashes = message_hashes(
            contenders.contact_id, contenders.kind, contenders.event, KINDS
        ).tolist()
        priority = [KINDS[kind].priority for kind in contenders.kind.tolist()]
        best_first = sorted(
            range(len(spans)), key=lambda n: (priority[n], spans[n][1], hashes[n], n)
        )
        for length in range(1, len(spans) + 1):
            first = best_first[:length]
            assert sent[first].sum() == most([spans[n] for n in first], room), f"seed {seed}"
        on_day = np.bincount(placed.day[sent] - T0, minlength=len(room))
        assert (on_day <= room).all()
