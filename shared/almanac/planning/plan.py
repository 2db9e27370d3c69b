"""The work of a shard: from rows of its contacts to candidates with their ranges of days.

Pure: Arrow tables and a run context in, frames out. See docs/semantics.md, Candidates to Sifting.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.checksums import mixed_checksums, table_checksum
from almanac.frames import (
    Candidates,
    Ids,
    Index,
    Removals,
    ScheduledDays,
    ShardData,
    TargetStatuses,
)
from almanac.joins import Identity, identity_keys, order_by, positions
from almanac.planning.anniversaries import (
    birthdays,
    draft_aep,
    draft_birthdays,
    draft_effective_dates,
    effective_dates,
)
from almanac.planning.audience import Audience, sent_by_instance
from almanac.planning.brief import RunContext
from almanac.planning.campaigns import (
    TargetLinks,
    converted_rows,
    draft_campaigns,
    read_targets,
    target_texts,
)
from almanac.planning.contacts import FEW_TEXTS, ContactBatch, read_contacts
from almanac.planning.drafts import Drafts
from almanac.planning.followups import draft_followups
from almanac.planning.history import History
from almanac.planning.kinds import KindTable
from almanac.planning.post_window import draft_post_windows
from almanac.planning.previous import Match, PreviousRows, match_previous
from almanac.planning.removed import WhyRemoved
from almanac.planning.sifting import Sifted, sift
from almanac.planning.texts import encoded


@dataclass(frozen=True)
class ContactPlan:
    """The drafts of some contacts and the result of sifting; `explain` reads this too."""

    batch: ContactBatch
    history: History
    drafts: Drafts
    sifted: Sifted
    links: TargetLinks
    metadata: pa.Array


@dataclass(frozen=True)
class ShardPlan:
    """The output of a shard, for the merge."""

    candidates: Candidates
    removals: Removals
    statuses: TargetStatuses
    metadata: pa.Array  # texts that candidates.details points into
    issues: pa.Table  # contact_id, issue, detail of all contacts in scope
    counts: Counter[str]  # contacts, eligible, candidates, scheduled_before, dates given by column
    contacts_checksum: int
    before_checksum: int  # of the planned rows in scope, as the snapshot has them
    history_checksum: int  # of those that stay as history, as they will be
    scheduled: ScheduledDays
    audience: Audience
    sent: Counter[int]  # messages sent or delivered, by campaign instance


def plan_contacts(data: ShardData, context: RunContext, kind_table: KindTable) -> ContactPlan:
    """Return the contacts' candidates with their ranges, or why they are skipped."""
    batch = read_contacts(data.contacts, data.suppressions, context, kind_table)
    contacts = batch.contacts
    history = History(data.committed, contacts.id, context)
    birthday, effective = birthdays(contacts, context), effective_dates(contacts, context)
    targets = read_targets(data.targets, data.legacy, contacts.id, context)
    campaigns, links = draft_campaigns(batch, targets, history, context, kind_table)
    campaigns, carried = target_texts(campaigns, data.targets["data"])
    followups, metadata = draft_followups(
        history, data.clicks, data.answers, contacts, context, kind_table
    )
    followups = followups.with_details_after(len(carried))
    drafts = Drafts.concat(
        [
            draft_birthdays(birthday, contacts, history, context, kind_table),
            draft_effective_dates(effective, contacts, history, context, kind_table),
            draft_aep(contacts, history, context, kind_table),
            draft_post_windows(
                batch, [birthday, effective], campaigns, history, context, kind_table
            ),
            campaigns,
            followups,
        ]
    )
    drafts = drafts.take(order_by(drafts.contact, drafts.kind, drafts.event))
    _silence(drafts, batch, kind_table)
    sifted = sift(drafts, batch, history, context, kind_table)
    metadata = pa.concat_arrays([carried, metadata])
    return ContactPlan(batch, history, drafts, sifted, links, metadata)


def _silence(drafts: Drafts, batch: ContactBatch, kind_table: KindTable) -> None:
    """Set the reasons of contacts who get no message, or none of a type, before all others."""
    unknown = batch.contacts.unknown_date[drafts.contact]
    silent = (unknown > 0) & kind_table.respects_windows[drafts.kind]
    drafts.reason[silent] = unknown[silent]
    suppressed = batch.suppressed.reason(drafts.contact, drafts.kind, kind_table.kinds)
    drafts.reason[suppressed > 0] = suppressed[suppressed > 0]


def plan_shard(data: ShardData, context: RunContext, kind_table: KindTable) -> ShardPlan:
    """Return the plan of a shard for its rows."""
    data = replace(data, contacts=encoded(data.contacts, FEW_TEXTS))
    plan = plan_contacts(data, context, kind_table)
    batch, drafts, sifted = plan.batch, plan.drafts, plan.sifted
    previous, match = match_snapshot(data, plan, context, kind_table)
    candidates = Candidates(
        contact_id=batch.contacts.id[drafts.contact],
        kind=drafts.kind,
        event=drafts.event,
        ideal=drafts.ideal,
        deadline=drafts.deadline,
        x=sifted.x,
        floor=sifted.floor,
        ceiling=sifted.hi,
        reason=sifted.reason,
        state=batch.contacts.state[drafts.contact].astype(np.int8),
        sms=batch.texted(drafts.contact, drafts.kind, kind_table),
        details=drafts.details,
        **match.columns,
    )
    return ShardPlan(
        candidates=candidates,
        removals=match.removals,
        statuses=_statuses(plan.links, drafts, batch.contacts.id),
        metadata=plan.metadata,
        issues=batch.issues,
        counts=Counter(
            contacts=len(batch.scope),
            eligible=len(batch.contacts),
            candidates=len(drafts),
            scheduled_before=int(previous.rows.scheduled.sum()),
            **batch.dates_given,
        ),
        contacts_checksum=table_checksum(mixed_checksums(data.contacts)),
        before_checksum=table_checksum(previous.checksums()),
        history_checksum=match.history_checksum,
        scheduled=previous.scheduled_days(civil.day_of(context.as_of)),
        audience=Audience.of(batch, data.targets, data.legacy, context, kind_table),
        sent=sent_by_instance(data.committed, batch.scope, context),
    )


def match_snapshot(
    data: ShardData, plan: ContactPlan, context: RunContext, kind_table: KindTable
) -> tuple[PreviousRows, Match]:
    """Return the planned rows of the snapshot, and their match with the drafts."""
    batch, drafts = plan.batch, plan.drafts
    previous = PreviousRows.read(
        data.planned, batch.scope, converted_rows(data.legacy, context), kind_table
    )
    ids = batch.contacts.id[drafts.contact]
    why = WhyRemoved(batch, plan.history, drafts, context, kind_table)
    return previous, match_previous(
        previous, ids, drafts, plan.metadata, batch, why, context, kind_table
    )


def _statuses(links: TargetLinks, drafts: Drafts, contact_ids: Ids) -> TargetStatuses:
    """Return the candidate of each target; targets without one are left out."""
    found = find_identity(drafts, links)
    keep = (found >= 0) | links.sent
    return TargetStatuses(
        target_id=links.row_id[keep],
        candidate=np.where(links.sent, -1, found)[keep],
        status=links.status[keep],
    )


def find_identity(drafts: Drafts, links: TargetLinks) -> Index:
    """Return the row of the draft with each link's identity, -1 without.

    Drafts are sorted by identity.
    """
    there, wanted = identity_keys(
        Identity(drafts.contact, drafts.kind, drafts.event),
        Identity(links.contact, links.kind, links.event),
    )
    return positions(there, wanted)
