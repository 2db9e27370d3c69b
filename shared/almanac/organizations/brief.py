"""The run context: what holds for all contacts of a run, from the small tables of its snapshot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from almanac.config import Config
from almanac.database.reading import Snapshot
from almanac.planning.brief import LEGACY_NAME, LEGACY_TYPE, RunContext, make_run_context
from almanac.report.summary import LeftOut


def run_context_of(
    snapshot: Snapshot,
    config: Config,
    as_of: dt.date,
    t0: dt.date,
    changes: Mapping[int, Mapping[str, Any]] | None = None,
    rate_increases: bool | None = None,
) -> RunContext:
    """Return the context of a run on the snapshot, with its campaigns and suppression reasons.

    changes: by instance the columns that the run will change, with their new values.
    rate_increases: whether there are rows to turn into targets, if that is known.
    """
    instances = [
        row | dict((changes or {}).get(row["id"], {})) for row in snapshot.campaign_instances()
    ]
    legacy = None
    if rate_increases is None:
        rate_increases = snapshot.has_legacy_rate_increases()
    if rate_increases:
        known = [
            int(row["id"])
            for row in instances
            if (row["campaign_type"], row["instance_name"]) == (LEGACY_TYPE, LEGACY_NAME)
        ]
        legacy = known[0] if known else snapshot.next_instance_id()
    return make_run_context(
        as_of=as_of,
        t0=t0,
        config=config,
        campaign_types=snapshot.campaign_types(),
        campaign_instances=instances,
        suppression_reasons=snapshot.suppressions()["reason"].unique().to_pylist(),
        legacy_instance=legacy,
    )


def left_out(context: RunContext) -> list[LeftOut]:
    """Return the campaign instances that take no part because their data is not valid."""
    return [
        LeftOut(instance_id=i.id, name=i.name, problem=i.problem)
        for i in context.instances
        if i.problem is not None
    ]
