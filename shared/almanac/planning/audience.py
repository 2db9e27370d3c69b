"""Who can get messages, who cannot, and whom campaigns reach: counts of a range of contacts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.frames import NO_DAY, Ids
from almanac.joins import positions
from almanac.planning.brief import Instance, RunContext
from almanac.planning.campaigns import legacy_triggers, reached
from almanac.planning.contacts import ContactBatch
from almanac.planning.history import CAMPAIGN, read_committed
from almanac.planning.kinds import KindTable
from almanac.rules.protected import protected_contacts
from almanac.rules.states import USPS_STATES
from almanac.schedule_status import SENT_STATUSES


@dataclass(frozen=True)
class Audience:
    """Counts of contacts who can get messages, and of the others."""

    states: Counter[str]  # by USPS code, "" where it is unknown
    reach: Counter[int]  # by instance id: contacts that it targets, also if it was sent
    suppressed: Counter[str]  # by the skip reason of their suppression
    left_out: Counter[str]  # those who can get none, by why
    # by state with rules: contacts that are protected on the first day of each of context.weeks
    protected: dict[str, list[int]]

    @classmethod
    def of(
        cls,
        batch: ContactBatch,
        targets: pa.Table,
        legacy: pa.Table,
        context: RunContext,
        kind_table: KindTable,
    ) -> Self:
        """Count the batch; the tables are those of ShardData."""
        states = np.bincount(batch.contacts.state + 1, minlength=len(USPS_STATES) + 1)
        held = batch.contacts.suppressed[batch.contacts.suppressed > 0]
        suppressed = np.bincount(held, minlength=len(kind_table.reasons))
        reach = {i.id: _reach(i, batch, targets, legacy, context) for i in context.instances}
        return cls(
            states=_named(["", *USPS_STATES], states),
            reach=+Counter(reach),
            suppressed=_named(kind_table.reasons, suppressed),
            left_out=batch.left_out,
            protected=_protected(batch, context),
        )


def sent_by_instance(committed: pa.Table, contact_ids: Ids, context: RunContext) -> Counter[int]:
    """Count the messages sent or delivered to the contacts by instance, without follow-ups."""
    sent = pc.is_in(committed["status"], value_set=pa.array(SENT_STATUSES, pa.string()))
    campaigns = pc.starts_with(committed["email_type"], "campaign_", ignore_case=True)
    rows = read_committed(committed.filter(pc.and_(sent, campaigns)), contact_ids, context)
    instances = rows.instance[(rows.type == CAMPAIGN) & (rows.instance >= 0)]
    counts = np.bincount(instances, minlength=len(context.instances)).tolist()
    return +Counter({i.id: n for i, n in zip(context.instances, counts, strict=True)})


def _protected(batch: ContactBatch, context: RunContext) -> dict[str, list[int]]:
    contacts = batch.contacts
    days = np.array([civil.day_of(day) for day in context.weeks], np.int32)
    return protected_contacts(
        context.config, contacts.state, contacts.birth, contacts.effective, days
    )


def _reach(
    instance: Instance,
    batch: ContactBatch,
    targets: pa.Table,
    legacy: pa.Table,
    context: RunContext,
) -> int:
    """Return the number of contacts that an instance targets; 0 if it is not understood."""
    if not instance.understood:
        return 0
    matching = reached(batch, instance)
    if instance.target_all_contacts:
        return int(matching.sum())
    mine = targets["campaign_instance_id"].to_numpy() == instance.id
    named = targets["contact_id"].to_numpy()[mine]
    if instance.id == context.legacy_instance:
        converted = legacy_triggers(legacy) != NO_DAY
        named = np.concatenate([named, legacy["contact_id"].to_numpy()[converted]])
    contact = np.unique(positions(batch.contacts.id, named))
    return int(matching[contact[contact >= 0]].sum())


def _named(names: list[str], counts: np.ndarray) -> Counter[str]:
    return +Counter(dict(zip(names, counts.tolist(), strict=True)))
