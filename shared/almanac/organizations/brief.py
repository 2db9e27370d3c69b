"""The run context: what holds for all contacts of a run, from the small tables of its snapshot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from almanac.config import Config
from almanac.database.oddities import Oddities
from almanac.database.reading import Snapshot
from almanac.planning.brief import (
    LEGACY_NAME,
    LEGACY_TYPE,
    Instance,
    RunContext,
    make_run_context,
)
from almanac.report.summary import LeftOut, Unreadable


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
    Raises ConfigError if the configuration maps columns that contacts does not have, DatabaseError
    if it has no id or email.
    """
    snapshot.contact_columns(config.contacts)  # first: without an id nothing else can be read
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
    context = make_run_context(
        as_of=as_of,
        t0=t0,
        config=config,
        campaign_types=snapshot.campaign_types(),
        campaign_instances=instances,
        suppression_reasons=snapshot.suppressions()["reason"].unique().to_pylist(),
        legacy_instance=legacy,
    )
    closed = config.load_balancing.closed.between(as_of, context.last_day)
    return context.model_copy(update={"closed_days": closed})


def left_out(context: RunContext) -> list[LeftOut]:
    """Return the campaign instances that take no part because their data is not valid."""
    return [
        LeftOut(instance_id=i.id, name=i.name, problem=i.problem)
        for i in context.instances
        if i.problem is not None
    ]


def aep_in_words(context: RunContext) -> str:
    """Return which AEP message holds."""
    names = [_named(i) for i in context.instances if i.takes_part and i.type_name == "aep"]
    if names:
        return f"replaced by {' and '.join(names)}"
    if not context.config.aep.enabled:
        return "disabled by the configuration (aep.enabled)"
    if context.aep_lender is None:
        return "built-in"
    return f"built-in, with templates and priority of {_named(context.aep_lender)}"


def split_overlaps(context: RunContext) -> list[str]:
    """Return which instances of one split group share contacts."""
    found = []
    splits = [(i, i.split) for i in context.instances if i.takes_part and i.split is not None]
    for (first, one), (second, other) in combinations(splits, 2):
        if one.group == other.group and one.first < other.end and other.first < one.end:
            found.append(
                f"{_named(first)} ({one.first} to {one.end}) and {_named(second)} "
                f"({other.first} to {other.end}) share contacts of the split group {one.group!r}"
            )
    return found


def no_usable_id(contacts: int, examples: Sequence[str]) -> str:
    """Return why a file without a usable id is refused."""
    return (
        f"table contacts: none of the {contacts:,} ids is a whole number, which Almanac needs; "
        f"found {', '.join(examples)}"
    )


def _named(instance: Instance) -> str:
    return f"campaign {instance.id} {instance.name!r}"


def unreadable(found: Oddities) -> dict[str, Unreadable]:
    """Return what cannot be read, by the names of RunSummary."""
    return {
        name: Unreadable(count=sample.count, examples=list(sample.examples))
        for name, sample in vars(found).items()
    }
