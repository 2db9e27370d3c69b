"""What makes the planned rows in columns of the version that a run publishes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from almanac.organizations.changed_snapshots import SnapshotChange
from almanac.organizations.kept_columns import KeptColumns
from almanac.runs.run_plan import RunPlan
from almanac.storage.store import ObjectStore


def columns_of_run(
    store: ObjectStore, plan: RunPlan, database: Path, change: SnapshotChange | None
) -> KeptColumns:
    """Return the columns of a run; change: what was absorbed into the database before."""
    return KeptColumns(
        store,
        database,
        plan.snapshot.folder,
        plan.snapshot.planned,
        plan.total_contacts,
        shards=plan.shards if plan.of_all_contacts else None,
        absorbed=np.empty(0, np.int64) if change is None else change.changed_contacts(),
    )
