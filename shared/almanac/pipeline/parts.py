"""The one place where a run's parts, real or fake, come together."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import apsw

from almanac.errors import RequestError
from almanac.messaging.bus import Bus
from almanac.messaging.topics import Topics
from almanac.pipeline.run_plan import RunPlan, SnapshotRef
from almanac.report.summary import RunSummary
from almanac.storage import layout
from almanac.storage.store import ObjectStore

Write = Callable[[apsw.Connection | None], RunSummary]


class Committer(Protocol):
    """Makes a plan the organization's next state, in one step or not at all."""

    def commit(self, plan: RunPlan, write: Write) -> RunSummary:
        """Call `write` inside one transaction and publish the result.

        Raises SnapshotMoved or Superseded where somebody else wrote since the snapshot.
        """
        ...


@dataclass(frozen=True)
class Parts:
    """What the steps of the pipeline work with."""

    store: ObjectStore
    bus: Bus
    committer: Committer
    workspace: Path  # a folder for files that nobody else sees
    shard_contacts: int = 50_000
    topics: Topics = field(default_factory=Topics)
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    progress: Callable[[str, int, int], None] = field(default=lambda step, done, all_: None)


def snapshot_file(store: ObjectStore, snapshot: SnapshotRef, workspace: Path) -> Path:
    """A local file with the snapshot's database, verified: in place where the store has files."""
    local = store.open_local(snapshot.name)
    if local is not None:
        return local
    path = workspace / f"{snapshot.crc32c.encode().hex()}-{snapshot.generation}.sqlite3"
    if not path.exists():
        partial = path.with_suffix(".partial")
        store.fetch_file(snapshot.name, partial, snapshot.generation)
        partial.replace(path)
    return path


@functools.lru_cache(maxsize=4)
def _parse_plan(data: bytes) -> RunPlan:
    return RunPlan.model_validate_json(data)


def read_plan(store: ObjectStore, org_id: str, run_id: str) -> RunPlan:
    """The run's plan.json; RequestError if there is no such run."""
    name = layout.plan(org_id, run_id)
    if store.stat(name) is None:
        raise RequestError(
            f"run {run_id} of organization {org_id}: no such run ({name} is missing)"
        )
    return _parse_plan(store.read(name).data)
