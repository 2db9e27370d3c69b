"""What the manifest of a run's version says of the run."""

from __future__ import annotations

from typing import Any

from almanac.organizations.organizations import LAST_RUN, last_whole_run
from almanac.report.summary import RunSummary
from almanac.runs.run_plan import RunPlan
from almanac.storage.store import ObjectStore


def version_facts(
    store: ObjectStore, plan: RunPlan, parent: str, summary: RunSummary
) -> dict[str, Any]:
    """Return the keys of the manifest by name; parent: the folder of the version before."""
    facts: dict[str, Any] = {
        "rows": {"planned": summary.planned_total, "skipped": summary.skipped_total},
        "t0": plan.t0,
        "config_digest": summary.config_digest,
        "reason": plan.reason,
        "events": [change.event_id for change in plan.changes],
        "events_applied": sum(summary.events.applied.values()),
        "entries_refused": summary.events.refused,
    }
    # `status` then need not walk back over all changes and pushes to find it
    if not plan.of_all_contacts:
        whole = last_whole_run(store, parent)
        facts[LAST_RUN] = whole.model_dump(mode="json") if whole else None
    return facts
