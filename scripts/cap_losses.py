"""The share of messages lost to the daily cap, beside the least that any plan would lose.

    python scripts/cap_losses.py [DATABASE [AS_OF]]     (default: a generated agency)

"by rank" is how days were filled before messages were admitted together: each day in rank order,
and what is late takes what is left. The least is by a maximum flow of networkx, which does not
know that two campaign messages of a contact never share a day. The database is not changed.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import networkx as nx
import numpy as np

from almanac.balancing.occupancy import Limits, Occupancy, padded
from almanac.balancing.place import NoDayCodes, place
from almanac.balancing.targets import Aims, rank
from almanac.config import Config
from almanac.frames import PLACEMENT_STEPS, Index, Placement
from almanac.generation import generate
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions

DAY = dt.date(2026, 11, 21)
CONTACTS, SEED = 2000, 1
CAPS = (0.07, 0.03, 0.02, 0.015)
KEPT = PLACEMENT_STEPS.index("kept")


@dataclass(frozen=True)
class Contest:
    """The new messages of a run in rank order, and how many stand on each day from T0 on."""

    spans: list[tuple[int, int]]  # target and last day
    campaign_of: list[int]  # the contact of a campaign message, else 0
    load: list[int]
    taken: set[tuple[int, int]]  # contact and day of campaign messages that stand
    limits: Limits
    lost: int  # by the rules in force


def main(database: Path | None, as_of: dt.date) -> None:
    """Print one row for each cap."""
    with tempfile.TemporaryDirectory(prefix="almanac-cap-") as folder:
        path = database
        if path is None:
            path = Path(folder) / "agency.sqlite3"
            generate(path, CONTACTS, SEED, as_of)
        print("cap     messages   lost by rank          lost         least")
        for cap in CAPS:
            contest = _contest(path, as_of, cap)
            number = len(contest.spans)
            least = number - _most(contest)
            shares = (f"{n:5d} {n / max(1, number):6.2%}" for n in
                      (_lost_by_rank(contest), contest.lost, least))  # fmt: skip
            print(f"{cap:5.1%}  {number:9d}  {'  '.join(shares)}")


def _contest(path: Path, as_of: dt.date, cap: float) -> Contest:
    """Plan without writing, and see what competed for days."""
    found: list[Contest] = []

    def seen(aims: Aims, fixed: Occupancy, limits: Limits, skip: NoDayCodes) -> Placement:
        placement = place(aims, fixed, limits, skip)
        found.append(_seen(aims, fixed, limits, placement))
        return placement

    config = Config.model_validate({"load_balancing": {"daily_send_percentage_cap": cap}})
    with patch("almanac.runs.balance.place", seen):
        run_file(path, config, RunOptions(as_of=as_of, workers=1, dry_run=True))
    return found[0]


def _seen(aims: Aims, fixed: Occupancy, limits: Limits, placement: Placement) -> Contest:
    target, last = aims.target, aims.due
    days = int(max(last.max(), target.max())) + 1
    kept = placement.step == KEPT
    load = padded(fixed.days, days)[:days].copy()
    load += np.bincount(placement.day[kept] - limits.t0, minlength=days)[:days]
    campaign = limits.is_campaign[aims.kind]
    owner = np.where(campaign, aims.contact_id, 0)
    own = kept & campaign
    taken = {*zip(owner[own].tolist(), (placement.day[own] - limits.t0).tolist(), strict=True)}
    taken |= {
        *zip(
            fixed.campaign_contacts.tolist(),
            (fixed.campaign_days - limits.t0).tolist(),
            strict=True,
        )
    }
    new: Index = np.flatnonzero(~kept)
    new = new[rank(aims, new, limits)]
    return Contest(
        spans=list(zip(target[new].tolist(), last[new].tolist(), strict=True)),
        campaign_of=owner[new].tolist(),
        load=load.tolist(),
        taken=taken,
        limits=limits,
        lost=int((placement.reason != 0).sum()),
    )


def _most(contest: Contest) -> int:
    """The number of messages that a plan could send at most."""
    graph = nx.DiGraph()
    graph.add_nodes_from(["messages", "days"])
    for (target, last), number in Counter(contest.spans).items():
        graph.add_edge("messages", (target, last), capacity=number)
        for day in range(target, last + 1):
            graph.add_edge((target, last), day, capacity=number)
    for day, load in enumerate(contest.load):
        graph.add_edge(day, "days", capacity=max(0, contest.limits.ceiling - load))
    return int(nx.maximum_flow_value(graph, "messages", "days"))


def _lost_by_rank(contest: Contest) -> int:
    """How many are lost if each day is filled in rank order."""
    cap, ceiling = contest.limits.cap, contest.limits.ceiling
    load, taken = list(contest.load), set(contest.taken)
    without = set(range(len(contest.spans)))  # their order is the ranking

    def put(messages: list[int], day: int, below: int) -> None:
        for one in messages:
            owner = contest.campaign_of[one]
            if load[day] < below and not (owner and (owner, day) in taken):
                load[day] += 1
                without.discard(one)
                if owner:
                    taken.add((owner, day))

    by_target: dict[int, list[int]] = {}
    for one, (target, _) in enumerate(contest.spans):
        by_target.setdefault(target, []).append(one)
    waiting: list[int] = []
    for day in range(len(load)):
        own = by_target.get(day, [])
        put(own, day, cap if len(own) + load[day] > ceiling else ceiling)
        put(waiting, day, cap)
        waiting = sorted(
            one for one in (*waiting, *own) if one in without and contest.spans[one][1] > day
        )
    for one in sorted(without):
        target, last = contest.spans[one]
        for day in range(target, last + 1):
            if one in without:
                put([one], day, ceiling)
    return len(without)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        Path(arguments[0]) if arguments else None,
        dt.date.fromisoformat(arguments[1]) if len(arguments) > 1 else DAY,
    )
