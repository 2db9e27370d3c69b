"""Campaign types, instances around as_of, and their targets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from almanac.civil import text_of
from almanac.generation.campaign_rows import TYPES, instances
from almanac.generation.contacts import ContactChunk
from almanac.generation.draws import Draws, constant, dates
from almanac.generation.shape import Shape


def campaign_tables(as_of: int, count: int) -> dict[str, pa.RecordBatch]:
    """Return all rows of campaign_types, and so many campaign_instances."""
    created = f"{text_of(as_of - 400)} 12:00:00"
    types = [vars(t) | {"created_at": created, "updated_at": created} for t in TYPES]
    campaigns = [
        {
            "id": number,
            "campaign_type": i.type,
            "instance_name": i.name,
            "email_template": f"{i.name}_email",
            "sms_template": f"{i.name}_sms" if number % 2 else None,
            "active_start_date": _text(as_of, i.active[0]),
            "active_end_date": _text(as_of, i.active[1]),
            "spread_start_date": _text(as_of, i.spread[0] if i.spread else None),
            "spread_end_date": _text(as_of, i.spread[1] if i.spread else None),
            "target_states": i.states,
            "target_carriers": i.carriers,
            "metadata": i.metadata,
            "created_at": f"{text_of(as_of - 210 + number)} 15:20:00",
            "updated_at": f"{text_of(as_of - 90 + number)} 09:05:00",
        }
        for number, i in enumerate(instances(count), 1)
    ]
    return {
        "campaign_types": pa.RecordBatch.from_pylist(types),
        "campaign_instances": pa.RecordBatch.from_pylist(campaigns),
    }


def _text(as_of: int, offset: int | None) -> str | None:
    return None if offset is None else text_of(as_of + offset)


def targets(draws: Draws, contacts: ContactChunk, as_of: int, shape: Shape) -> pa.RecordBatch:
    """Return the contact_campaigns of a chunk: at most one row per contact and instance."""
    campaigns = instances(shape.campaigns)
    chosen = contacts.ids[draws.chance(shape.targets, len(contacts.ids))]
    ids = np.repeat(chosen, 1 + draws.chance(shape.second_targets, len(chosen)))
    instance = draws.codes([i.targets for i in campaigns], len(ids))
    key = np.unique(ids * len(campaigns) + instance)
    ids, instance = key // len(campaigns), key % len(campaigns)
    count = len(ids)
    first = np.array([i.triggers[0] for i in campaigns], np.int64)[instance]
    last = np.array([i.triggers[1] for i in campaigns], np.int64)[instance]
    trigger = as_of + first + draws.below(last - first + 1, count)
    undated = np.array([i.no_trigger for i in campaigns])
    if shape.no_trigger is not None:
        undated[:] = shape.no_trigger
    no_trigger = draws.chance(undated[instance], count)
    orphans = draws.chance(shape.orphans, count)
    ids = np.where(orphans, contacts.first_free_id + np.cumsum(orphans) - 1, ids)
    created = draws.stamps(as_of - draws.between(1, 60, count))
    columns = {
        "contact_id": pa.array(ids),
        "campaign_instance_id": pa.array(instance + 1),
        "trigger_date": dates(trigger, missing=no_trigger),
        "status": draws.words(shape.target_statuses, count),
        "metadata": constant(None, count),
        "created_at": created,
        "updated_at": created,
    }
    return pa.RecordBatch.from_pydict(columns)
