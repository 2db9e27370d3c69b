"""The services that the steps of a run work with."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from almanac.messaging.bus import Bus
from almanac.messaging.topics import Topics
from almanac.organizations.snapshots import Snapshots
from almanac.progress import Progress, silent
from almanac.storage.store import ObjectStore


class Job(Protocol):
    """A job that runs beside the functions and may take longer than they may."""

    def start(self, arguments: Sequence[str]) -> None:
        """Start the job once with these arguments, without waiting for its end.

        Raises TransientError (it was not started), OutcomeUnknown.
        """
        ...


@dataclass(frozen=True)
class Services:
    """The services of a run: store, bus, snapshots, clock. Tests pass fakes."""

    store: ObjectStore
    bus: Bus
    snapshots: Snapshots
    workspace: Path  # a folder for private files
    shard_contacts: int = 50_000
    lease_seconds: int = 3600
    topics: Topics = field(default_factory=Topics)
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    progress: Progress = silent
    merge_seconds: float | None = None  # after which a merge gives up; None: it does not
    at_once: int = 1  # organizations that are looked at at the same time
    # returns the name of a delivery, which distinguishes it from others of the same run
    new_holder: Callable[[], str] = lambda: uuid.uuid4().hex[:12]
    merge_job: Job | None = (
        None  # merges runs; None: the function does that receives the last ShardDone
    )
