"""The second step: plan a range of contact ids and write the fragment."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from almanac.database.reading import Snapshot
from almanac.frames import Ids
from almanac.messaging.messages import ShardTask
from almanac.pipeline.fragments import Fragment
from almanac.pipeline.orchestrate import in_ranges
from almanac.pipeline.parts import read_plan, snapshot_file
from almanac.pipeline.run_plan import RunPlan
from almanac.planning.brief import Brief
from almanac.planning.issues import count_by_issue, issue_changes
from almanac.planning.kinds import Vocabulary
from almanac.planning.plan import ShardData, plan_shard
from almanac.storage import layout
from almanac.storage.store import ObjectStore, write_once


def run_shard(store: ObjectStore, task: ShardTask, workspace: Path, snapshots: OpenSnapshot) -> str:
    """Plan the task's contacts and write their fragment once; the name of the fragment.

    A fragment that is there already is an earlier delivery's work, and success.
    """
    name = layout.fragment(task.org_id, task.run_id, task.shard)
    if store.stat(name) is None:
        plan = read_plan(store, task.org_id, task.run_id)
        snapshot = snapshots.of(snapshot_file(store, plan.snapshot, workspace))
        fragment = plan_range(snapshot, plan, task.first_id, task.last_id)
        write_once(store, name, fragment.to_parquet())
    return name


class OpenSnapshot:
    """The snapshot that a process read last, left open for its next shard: what has been read of
    the small tables serves that one too."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._snapshot: Snapshot | None = None

    def of(self, path: Path) -> Snapshot:
        """The snapshot at the path; another one that was open is closed."""
        if self._snapshot is None or path != self._path:
            self.close()
            self._path, self._snapshot = path, Snapshot(path)
        return self._snapshot

    def close(self) -> None:
        """Close what is open."""
        if self._snapshot is not None:
            self._snapshot.close()
            self._snapshot = None


def plan_range(snapshot: Snapshot, plan: RunPlan, first: int, last: int) -> Fragment:
    """The fragment of the contacts in scope with ids from first to last."""
    data = read_range(snapshot, plan.brief, plan.scope, first, last)
    shard = plan_shard(data, plan.brief, Vocabulary(plan.brief))
    scope: Ids = data.contacts["id"].to_numpy()
    return Fragment(
        candidates=shard.candidates,
        removals=shard.removals,
        statuses=shard.statuses,
        scheduled=shard.scheduled,
        metadata=shard.metadata,
        issues=issue_changes(snapshot.issues(first, last), shard.issues, scope),
        facts={
            **shard.counts,
            "contacts_checksum": shard.contacts_checksum,
            "before_checksum": shard.before_checksum,
            "history_checksum": shard.history_checksum,
        },
        issue_counts=Counter(count_by_issue(shard.issues)),
    )


def read_range(
    snapshot: Snapshot,
    brief: Brief,
    scope: Sequence[tuple[int, int]] | None,
    first: int,
    last: int,
) -> ShardData:
    """All rows that planning the contacts in scope from first to last needs."""
    contacts = snapshot.contacts(first, last)
    if scope is not None:
        ids = contacts["id"].to_numpy()
        contacts = contacts.filter(pa.array(np.isin(ids, in_ranges(ids, scope))))
    lookback = brief.config.timing.followup_lookback_days
    since = (brief.as_of - dt.timedelta(days=lookback)).isoformat()
    return ShardData(
        contacts=contacts,
        committed=snapshot.committed(first, last),
        planned=snapshot.planned(first, last),
        targets=snapshot.targets(first, last),
        legacy=snapshot.legacy_rate_increases(first, last),
        clicks=snapshot.clicks(first, last, since),
        answers=snapshot.answers(first, last, since),
        suppressions=snapshot.suppressions(),
    )
