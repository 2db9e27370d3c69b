"""Targets, and contacts of a campaign for all, without a candidate of the campaign."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.frames import NO_DAY, Days, Ids, Index, Mask
from almanac.joins import day_keys
from almanac.missed.asked import Subject
from almanac.missed.block import Block
from almanac.missed.candidates import targeting_facts
from almanac.missed.names import Names
from almanac.missed.rows import (
    CAMPAIGN,
    INACTIVE,
    LEFT_OUT,
    NO_TRIGGER,
    NOT_DUE,
    NOT_SENT,
    PAST,
    TARGET,
    UNREADABLE,
    Facts,
    Missing,
    Reasons,
    missing,
)
from almanac.planning.brief import Instance
from almanac.planning.campaigns import campaign_days, targeted
from almanac.planning.history import CAMPAIGN as CAMPAIGN_TYPE
from almanac.planning.history import read_committed
from almanac.planning.split import in_split, split_share
from almanac.planning.texts import filled
from almanac.schedule_status import SkipCode

SENT = "sent"  # the status of a target


def listed(block: Block, instance: Instance) -> Ids:
    """Return the ids of all contacts that an instance is about, sorted."""
    scope = block.plan.batch.scope
    if instance.target_all_contacts:
        return scope
    return np.intersect1d(
        scope, block.data.targets["contact_id"].to_numpy()[_mine(block, instance)]
    )


def not_sent_to(block: Block, ids: Ids, subject: Subject) -> Ids:
    """Return those of some contacts that can get no messages whom no message was sent to."""
    rows = read_committed(block.data.committed, ids, block.basis.context)
    mine = (rows.type == CAMPAIGN_TYPE) & (rows.instance == subject.position) & rows.is_sent
    return np.delete(ids, np.unique(rows.contact[mine]))


def absent_from(
    block: Block, subject: Subject, number: int, reasons: Reasons, names: Names
) -> Missing:
    """Return who has no candidate of an instance, and no row of it that is on its way."""
    instance = subject.instance
    assert instance is not None, "a campaign"
    kind = block.basis.kind_table.kind(instance.email_type, instance.id)
    drafts = block.plan.drafts
    planned = drafts.kind == kind
    if instance.takes_part and not instance.target_all_contacts:
        events = day_keys(drafts.contact[planned], drafts.event[planned])
        return _targets(block, subject, instance, number, events, reasons, names)
    contact = np.setdiff1d(block.positions(listed(block, instance)), [-1])
    contact = np.setdiff1d(contact, drafts.contact[planned]).astype(np.intp)
    if not instance.takes_part:
        rows = block.plan.history.rows
        mine = (rows.type == CAMPAIGN_TYPE) & (rows.instance == subject.position)
        contact = np.setdiff1d(contact, rows.contact[mine & block.on_the_way])
        why = LEFT_OUT if instance.problem is not None else INACTIVE
        ids = block.ids[contact]
        return missing(ids, CAMPAIGN, contact, number, reasons.code(why))
    return _everyone(block, subject, instance, number, contact, reasons, names)


def _mine(block: Block, instance: Instance) -> Mask:
    mine: Mask = block.data.targets["campaign_instance_id"].to_numpy() == instance.id
    return mine


def _targets(
    block: Block,
    subject: Subject,
    instance: Instance,
    number: int,
    planned: Ids,
    reasons: Reasons,
    names: Names,
) -> Missing:
    """Return the targets whose date has no candidate; of those with one date the first."""
    table = block.data.targets
    contact = block.positions(table["contact_id"].to_numpy())
    row = np.flatnonzero(_mine(block, instance) & (contact >= 0))
    trigger = civil.parse_dates(table["trigger_date"])[row]
    contact, named = contact[row], trigger != NO_DAY
    odd = ~named & filled(table["trigger_date"])[row]
    texts = names.codes(table["trigger_date"].take(pa.array(row)).to_pylist())[: len(row)]
    parts = []
    first = np.flatnonzero(odd)
    first = first[np.unique(np.stack([contact[odd], texts[odd]]), axis=1, return_index=True)[1]]
    parts.append(
        missing(
            *(block.ids[contact[first]], TARGET, row[first], number),
            *(reasons.code(UNREADABLE), texts[first]),
        )
    )
    event = np.where(named, trigger, _default(block, instance)[row]).astype(np.int32)
    dated = np.flatnonzero(~odd)
    keys = day_keys(contact[dated], event[dated])
    distinct, at = np.unique(keys, return_index=True)
    first = dated[at[~np.isin(distinct, planned)]]
    statuses = table["status"].take(pa.array(row[first])).to_pylist()
    first = first[np.array([text.strip().lower() != SENT for text in statuses], np.bool_)]
    return Missing.concat(
        [
            *parts,
            _of_dates(
                *(block, subject, instance, number, TARGET, row[first]),
                *(contact[first], event[first], named[first], reasons),
            ),
        ]
    )


def _default(block: Block, instance: Instance) -> Days:
    """Return the date of each row of the targets that has none of its own."""
    created = civil.parse_times(block.data.targets["created_at"])
    start = civil.day_of(instance.active_start) if instance.active_start is not None else NO_DAY
    own = (created != NO_DAY) & (created > start)
    return np.where(own, created, civil.day_of(instance.default_trigger)).astype(np.int32)


def _everyone(
    block: Block,
    subject: Subject,
    instance: Instance,
    number: int,
    contact: Index,
    reasons: Reasons,
    names: Names,
) -> Missing:
    """Return the contacts of an instance for all that have no candidate."""
    kind_table, parts = block.basis.kind_table, []

    def left_out(mask: Mask, reason: int, *facts: Facts) -> None:
        nonlocal contact
        ids = block.ids[contact[mask]]
        parts.append(missing(ids, CAMPAIGN, contact[mask], number, reason, *facts))
        contact = contact[~mask]

    other = ~targeted(block.plan.batch, instance)[contact]
    place = targeting_facts(block, contact[other], names)
    left_out(other, kind_table.reason(SkipCode.OUTSIDE_TARGETING), *place)
    if instance.split is not None:
        outside = ~in_split(block.ids[contact], instance)
        share = split_share(block.ids[contact[outside]], instance.split.group)
        left_out(outside, kind_table.reason(SkipCode.OUTSIDE_SPLIT), share)
    event = np.full(len(contact), civil.day_of(instance.default_trigger), np.int32)
    if instance.when_created:
        start = civil.day_of(instance.active_start) if instance.active_start else NO_DAY
        created = block.plan.batch.contacts.created[contact]
        early = (created == NO_DAY) | (created < start)
        left_out(early, reasons.code(NO_TRIGGER), created[early])
        event = created[~early]
    named = np.zeros(len(contact), np.bool_)
    of_dates = _of_dates(
        block, subject, instance, number, CAMPAIGN, contact, contact, event, named, reasons
    )
    return Missing.concat([*parts, of_dates])


def _of_dates(
    block: Block,
    subject: Subject,
    instance: Instance,
    number: int,
    what: int,
    at: Index,
    contact: Index,
    event: Days,
    named: Mask,
    reasons: Reasons,
) -> Missing:
    """Return those whose date is handled by a row that was not sent, or is not due."""
    context, history = block.basis.context, block.plan.history
    ideal, deadline = campaign_days(instance, block.ids[contact], event, context)
    asked = (contact, subject.position, event, ideal, named)
    handled, sent = history.has_campaign(*asked), history.has_sent_campaign(*asked)
    later = ideal > civil.day_of(context.horizon)
    due = np.where(later, reasons.code(NOT_DUE), reasons.code(PAST))
    reason = np.where(handled, reasons.code(NOT_SENT), due).astype(np.int32)
    found = missing(
        *(block.ids[contact], what, at, number, reason, ideal, deadline),
        event=event,
        alone=handled,
        judge=handled,
    )
    return found.take(~sent)
