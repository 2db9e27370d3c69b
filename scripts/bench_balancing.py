"""Time of choosing days only, when whole campaigns compete for the same few days.

python -m scripts.bench_balancing [CONTACTS] [--ratios FILE]        (default: 250000)
"""

from __future__ import annotations

import statistics
import time
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from almanac.balancing.occupancy import Limits, Occupancy
from almanac.balancing.place import NoDayCodes, place
from almanac.balancing.targets import aims_of
from almanac.config import Config
from almanac.frames import NO_DAY, Contenders, Days, Kind, Placement
from scripts.bench_ratios import arguments, floor, record

KINDS = [
    Kind("aep", 0, 30, None, None),
    Kind("campaign_a", 1, 10, None, None),
    Kind("campaign_b", 2, 10, None, None),
]
T0 = 20_000
NOTHING = Occupancy(
    np.zeros(1, np.int64), np.zeros(1, np.int64), np.empty(0, np.int64), np.empty(0, np.int32)
)


TIMES, REPEATED = 5, 250_000


def main(contacts: int, ratios: Path | None) -> None:
    """Print one row for each case; the daily cap is 7% of the contacts."""
    print("messages  seconds  x floor  placed  what")
    row = partial(_row, ratios)
    one_day = np.full(contacts, T0 + 10)
    row("AEP on one day, valid 30 days", contacts, np.zeros(contacts), one_day, 30)
    row("a campaign on one day, valid 10 days", contacts, np.ones(contacts), one_day, 10)
    kinds, days = np.tile([1, 2], contacts), np.tile([T0 + 10, T0 + 11], contacts)
    placed = row("two campaigns, one day apart, valid 20 days", contacts, kinds, days, 20)
    row("the same once more, all kept", contacts, kinds, days, 20, placed.day)
    spread = np.random.default_rng(1).integers(T0, T0 + 100, 2 * contacts)
    row("two campaigns on any of 100 days, valid 5 days", contacts, kinds, spread, 5)


def _row(
    ratios: Path | None,
    what: str,
    contacts: int,
    kind: npt.NDArray[np.generic],
    ideal: npt.NDArray[np.generic],
    valid: int,
    previous: Days | None = None,
) -> Placement:
    size = len(kind)
    days = ideal.astype(np.int32)
    contenders = Contenders(
        contact_id=np.repeat(np.arange(1, contacts + 1), size // contacts),
        kind=kind.astype(np.int32),
        event=days,
        ideal=days,
        deadline=days + np.int32(valid),
        x=days,
        floor=days,
        ceiling=days + np.int32(valid),
        previous_day=np.full(size, NO_DAY, np.int32) if previous is None else previous,
        previous_ideal=np.full(size, previous is not None),
    )
    limits = Limits.of(Config(), T0, contacts, KINDS)
    codes = NoDayCodes(daily_cap=1, conflict=2, no_sending_day=3)
    seconds = []
    for _ in range(TIMES if contacts <= REPEATED else 1):
        started = time.process_time()
        placement = place(aims_of(contenders, limits), NOTHING, limits, codes)
        seconds.append(time.process_time() - started)
    share = float((placement.reason == 0).mean())
    middle = statistics.median(seconds)
    ratio = middle / floor(times=3)
    record(ratios, {f"balancing {contacts:,} contacts: {what}": ratio})
    print(f"{size:>8}  {middle:7.1f}  {ratio:7.2f}  {share:5.0%}   {what}", flush=True)
    return placement


if __name__ == "__main__":
    chosen, ratios_file = arguments("CONTACTS", __doc__)
    main(chosen[0] if chosen else 250_000, ratios_file)
