"""The contacts of a database that a campaign change affects, counted before any run."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa

from almanac.campaigns.model import Affected
from almanac.campaigns.queries import CONTACTS_PER_BATCH
from almanac.campaigns.repository import Campaigns
from almanac.config import Config
from almanac.contact_ranges import EVERYONE, ContactRange, cut
from almanac.database import range_tables, selects
from almanac.database.campaigns import count_planned, planned_of, targets_of
from almanac.database.opening import map_errors
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.frames import Ids, ShardData
from almanac.organizations.brief import run_context_of
from almanac.planning.affected import affected
from almanac.progress import Progress


def impact_of(
    source: Source,
    config: Config,
    as_of: dt.date,
    after: Campaigns,
    instances: list[int],
    progress: Progress,
) -> Affected:
    """Return how many contacts a change affects, and how many planned rows they have.

    after: the campaigns as they will be; instances: the ids of the changed ones, which the
    database has as they were.
    """
    with map_errors(source.path), Snapshot(source) as snapshot:
        context = run_context_of(snapshot, config, as_of, as_of)
        before = [each for each in context.instances if each.id in instances]
        changed = {each.id: each for each in after.instances(as_of) if each.id in instances}
        context = context.model_copy(
            update={"instances": [changed.get(each.id, each) for each in context.instances]}
        )
        numbers = np.array(instances, np.int64)
        data = ShardData(
            contacts=pa.table({"id": snapshot.contact_ids(config.contacts)}),
            committed=selects.COMMITTED_SCHEMA.empty_table(),
            planned=planned_of(source, numbers),
            targets=targets_of(source, numbers),
            legacy=snapshot.read(range_tables.LEGACY, EVERYONE)
            if context.legacy_instance is not None
            else selects.PLANNED_SCHEMA.empty_table(),
            clicks=selects.CLICKS_SCHEMA.empty_table(),
            answers=selects.ANSWERS_SCHEMA.empty_table(),
            suppressions=snapshot.suppressions(),
        )
        everyone: Ids = data.contacts["id"].to_numpy()
        ranges: list[ContactRange] = []
        if any(each.target_all_contacts for each in [*before, *changed.values()]):
            ranges = cut(everyone, len(everyone), CONTACTS_PER_BATCH, None)
        parts = [] if ranges else [affected(data, context, before)]
        for done, each in enumerate(ranges):
            progress("contacts", done, len(ranges))
            part = replace(
                data,
                contacts=snapshot.read(range_tables.contacts_table(context.config.contacts), each),
            )
            parts.append(affected(part, context, before))
        ids = np.concatenate(parts)
        progress("planned rows", 0, 1)
        rows = count_planned(source.connection, ids)
        progress("planned rows", 1, 1)
    return Affected(contacts=len(ids), planned_rows=rows)
