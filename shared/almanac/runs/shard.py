"""A shard: plan the contacts of a range and write the fragment."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa

from almanac.contact_ranges import ContactRange, in_ranges
from almanac.database.range_tables import ISSUES
from almanac.database.reading import Snapshot
from almanac.errors import RequestError
from almanac.frames import Ids, ShardData
from almanac.logs import get_log
from almanac.messaging.messages import ShardTask
from almanac.organizations.snapshots import Snapshots
from almanac.planning.affected import affected
from almanac.planning.brief import RunContext
from almanac.planning.issues import count_by_issue, issue_changes
from almanac.planning.kinds import KindTable
from almanac.planning.plan import plan_shard
from almanac.runs.fragments import Fragment
from almanac.runs.run_plan import RunPlan
from almanac.storage import layout
from almanac.storage.store import ObjectStore, write_once
from almanac.tracing import note, span, traced


def run_shard(store: ObjectStore, plan: RunPlan, task: ShardTask, snapshots: Snapshots) -> str:
    """Plan the task's contacts, write their fragment once, and return its name.

    Idempotent: an existing fragment is kept. Raises RequestError if the run has no such task.
    """
    expected = plan.shards[task.shard] if task.shard < len(plan.shards) else None
    if expected != (task.first_id, task.last_id):
        raise RequestError(
            f"run {task.run_id} of organization {task.org_id}: its shard {task.shard} is "
            f"{expected or 'none'}, not contacts {task.first_id} to {task.last_id}"
        )
    name = layout.fragment(task.org_id, task.run_id, task.shard)
    if store.stat(name) is not None:
        get_log().info("fragment exists already")
        return name
    with snapshots.open(plan.snapshot) as snapshot:
        contacts = ContactRange(task.first_id, task.last_id)
        fragment = plan_range(snapshot, plan, contacts)
        fetched = asdict(snapshot.traffic)
    with span("fragment", Fragment.to_parquet):
        data = fragment.to_parquet(plan.fragment_mark(task.shard))
        write_once(store, name, data)
    facts = {key: fragment.facts[key] for key in ("contacts", "eligible", "candidates")}
    note(**facts, fragment_bytes=len(data))
    get_log().info("shard planned", **facts, fetched=fetched, fragment_bytes=len(data))
    return name


@traced("plan")
def plan_range(snapshot: Snapshot, plan: RunPlan, contacts: ContactRange) -> Fragment:
    """Return the fragment of the contacts in scope that are in the range."""
    data = read_range(snapshot, plan.context, plan.scope, contacts)
    if plan.of_affected:
        named = in_ranges(data.contacts["id"].to_numpy(), plan.replan)
        data = of_contacts(data, np.union1d(affected(data, plan.context, plan.before), named))
    shard = plan_shard(data, plan.context, KindTable(plan.context))
    scope: Ids = data.contacts["id"].to_numpy()
    return Fragment(
        candidates=shard.candidates,
        removals=shard.removals,
        statuses=shard.statuses,
        scheduled=shard.scheduled,
        metadata=shard.metadata,
        issues=issue_changes(snapshot.read(ISSUES, contacts), shard.issues, scope),
        facts={
            **shard.counts,
            "contacts_checksum": shard.contacts_checksum,
            "before_checksum": shard.before_checksum,
            "history_checksum": shard.history_checksum,
        },
        issue_counts=Counter(count_by_issue(shard.issues)),
        audience=shard.audience,
        sent=shard.sent,
    )


@traced("read")
def read_range(
    snapshot: Snapshot,
    context: RunContext,
    scope: Sequence[ContactRange] | None,
    contacts: ContactRange,
) -> ShardData:
    """Return all rows that planning the contacts in scope that are in the range needs."""
    lookback = context.config.timing.followup_lookback_days
    data = snapshot.shard_rows(
        contacts,
        (context.as_of - dt.timedelta(days=lookback)).isoformat(),
        context.config.contacts,
    )
    if scope is None:
        return data
    return of_contacts(data, in_ranges(data.contacts["id"].to_numpy(), scope))


def of_contacts(data: ShardData, ids: Ids) -> ShardData:
    """Return the same rows with only these contacts in scope."""
    chosen = np.isin(data.contacts["id"].to_numpy(), ids)
    return replace(data, contacts=data.contacts.filter(pa.array(chosen)))
