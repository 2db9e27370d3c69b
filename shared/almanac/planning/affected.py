"""The contacts that a campaign change affects (semantics: Campaign changes)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.frames import Ids, Mask, ShardData
from almanac.planning.brief import Instance, RunContext
from almanac.planning.campaigns import targeted
from almanac.planning.contacts import read_contacts
from almanac.planning.kinds import KindTable


def affected(data: ShardData, context: RunContext, before: Sequence[Instance]) -> Ids:
    """Return the sorted ids of the shard's contacts that the changed instances affect.

    before: the instances before the change; the context has them after it. Affected are contacts
    that an instance targets before or after, and those with a planned row of it.
    """
    changed = pa.array([instance.id for instance in before], pa.int64())
    contacts = data.contacts["id"].to_numpy()
    concerned: Mask = np.isin(contacts, _with_rows(data.planned, changed))
    after = {instance.id: instance for instance in context.instances}
    versions = [*before, *(after[each.id] for each in before)]
    if any(not each.target_all_contacts for each in versions):
        open_targets = data.targets.filter(
            pc.not_equal(pc.utf8_lower(pc.utf8_trim_whitespace(data.targets["status"])), "sent")
        )
        concerned |= np.isin(contacts, _with_rows(open_targets, changed))
    if context.legacy_instance in after and context.legacy_instance in changed.to_pylist():
        concerned |= np.isin(contacts, data.legacy["contact_id"].to_numpy())
    for_all = [each for each in versions if each.target_all_contacts]
    if for_all:
        batch = read_contacts(data.contacts, data.suppressions, context, KindTable(context))
        for instance in for_all:
            concerned |= np.isin(contacts, batch.contacts.id[targeted(batch, instance)])
    ids: Ids = contacts[concerned]
    return ids


def _with_rows(table: pa.Table, instances: pa.Array) -> Ids:
    """Return the contacts of the rows that belong to one of the instances."""
    mine = table.filter(pc.is_in(table["campaign_instance_id"], instances))
    ids: Ids = mine["contact_id"].to_numpy()
    return ids
