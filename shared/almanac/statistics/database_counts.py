"""The figures of a whole database: one pass over its contacts, and one over its rows.

A database that no program writes to is read in this process, a large file that may be in use by
worker processes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np

from almanac.database.opening import live_uri
from almanac.database.scanning import Scan
from almanac.errors import AlmanacError
from almanac.frames import Ids, Small
from almanac.planning.brief import RunContext
from almanac.processes import worker_pool
from almanac.progress import Progress
from almanac.report.page_data import Numbers
from almanac.statistics.range_counts import Counts, Surveyor, hand_over, make_known, warm_up
from almanac.statistics.range_counts import ask as ask_surveyor
from almanac.statistics.shared_addresses import shared_addresses
from almanac.workspaces import workspace

WORKERS = 2

# (name of a method of Surveyor, arguments of each call) -> results of the calls, in order
Ask = Callable[[str, Sequence[tuple[int, ...]]], Iterable[Any]]


def survey(scan: Scan, context: RunContext, progress: Progress) -> Numbers:
    """Return the numbers of a database that no program writes to meanwhile."""
    here = Surveyor(scan, context)

    def ask(name: str, arguments: Sequence[tuple[int, ...]]) -> Iterator[Any]:
        return (getattr(here, name)(*each) for each in arguments)

    return _survey(ask, here.know, context, progress)


def survey_live(path: Path, context: RunContext, progress: Progress) -> Numbers:
    """Return the numbers of a file that the caller holds open, read by worker processes.

    They are consistent if no program wrote to it meanwhile; the caller checks that.
    """
    with (
        workspace() as name,
        worker_pool(WORKERS, warm_up) as pool,
    ):
        folder = Path(name)
        hand_over(folder, context)
        uri = live_uri(path)

        def ask(method: str, arguments: Sequence[tuple[int, ...]]) -> Iterator[Any]:
            return pool.map(functools.partial(ask_surveyor, path, uri, folder, method), arguments)

        try:
            return _survey(ask, functools.partial(make_known, folder), context, progress)
        except BrokenProcessPool as error:
            raise AlmanacError(
                f"{path}: a worker process that read it ended unexpectedly, perhaps for lack of "
                "memory"
            ) from error


def _survey(
    ask: Ask, know: Callable[[Ids, Small], None], context: RunContext, progress: Progress
) -> Numbers:
    progress("contacts", 0, 1)
    (ranges,) = ask("contact_ranges", [()])
    found = Counts()
    (found.figures.entries,) = ask("suppressions", [()])
    (moved,) = ask("moved_off_closed", [()])
    ids, states = [np.empty(0, np.int64)], [np.empty(0, np.int8)]
    addresses = [np.empty(0, np.uint64)]
    for done, (some, codes, hashes, part) in enumerate(ask("contacts", ranges)):
        progress("contacts", done, len(ranges))
        ids.append(some)
        states.append(codes)
        addresses.append(hashes)
        found.add(part)
    progress("contacts", 1, 1)
    know(np.concatenate(ids), np.concatenate(states))
    (ranges,) = ask("row_ranges", [()])
    for done, part in enumerate(ask("rows", ranges)):
        progress("messages", done, len(ranges))
        found.add(part)
    progress("messages", 1, 1)
    return Numbers(
        eligible=found.figures.states.total(),
        days=found.days(),
        issues=dict(sorted(found.issues.items())),
        moved_off_closed=moved,
        shared_addresses=shared_addresses(np.concatenate(ids), np.concatenate(addresses)),
        **found.figures.lines(context),
    )
