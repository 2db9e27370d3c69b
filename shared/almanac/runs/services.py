"""The one place where a run's services, real or fake, come together."""

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
from almanac.progress import Progress
from almanac.storage.store import ObjectStore


class Job(Protocol):
    """Something that runs beside the functions, and may take longer than they."""

    def start(self, arguments: Sequence[str]) -> None:
        """Start it once with these arguments, and do not wait for its end.

        Raises TransientError if it was not started, OutcomeUnknown.
        """
        ...


@dataclass(frozen=True)
class Services:
    """What the steps of the pipeline work with."""

    store: ObjectStore
    bus: Bus
    snapshots: Snapshots
    workspace: Path  # a folder for files that nobody else sees
    shard_contacts: int = 50_000
    lease_seconds: int = 3600
    topics: Topics = field(default_factory=Topics)
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    progress: Progress = field(default=lambda step, done, all_: None)
    # what each delivery calls itself where others of the same run may be at work
    new_holder: Callable[[], str] = lambda: uuid.uuid4().hex[:12]
    merge_job: Job | None = None  # where runs are merged, if not by who gets the last word
