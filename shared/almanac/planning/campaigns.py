"""Campaign candidates (semantics: Campaigns).

Instances are few: the only loop is over them, and each instance's contacts are one vector.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.frames import NO_DAY, Codes, Days, Frame, Ids, Index, Mask, Small
from almanac.joins import DaysByGroup, day_keys, positions
from almanac.planning.brief import LEGACY_TRIGGER_DAYS, Instance, RunContext
from almanac.planning.contact_states import UNKNOWN
from almanac.planning.contacts import ContactBatch
from almanac.planning.deadlines import campaign_deadline
from almanac.planning.drafts import Drafts, drafts, live
from almanac.planning.history import History
from almanac.planning.kinds import KindTable
from almanac.planning.split import in_split
from almanac.planning.texts import codes, filled, lower, trimmed
from almanac.rules.states import USPS_STATES
from almanac.schedule_status import SkipCode

TARGET_STATUSES = ("", "scheduled", "skipped", "sent")
_SENT = TARGET_STATUSES.index("sent")
_FIRST_DAY = np.int32(civil.day_of(dt.date.min))


@dataclass(frozen=True)
class OpenTargets(Frame):
    """Rows of contact_campaigns that may still need a message."""

    row_id: Ids  # 0: of an old rate increase, which has no row yet
    contact: Index
    instance: Ids
    trigger: Days  # NO_DAY: the date of its creation, or the instance's default
    created: Days
    data: Codes  # index into the texts of what targets carry, -1 without
    status: Small  # index into TARGET_STATUSES; 0 for any other


@dataclass(frozen=True)
class TargetLinks(Frame):
    """The identity of the candidate of each target."""

    row_id: Ids
    contact: Index
    kind: Codes
    event: Days
    sent: Mask  # a committed row that was sent handles it
    status: Small


def read_targets(
    table: pa.Table, legacy: pa.Table, contact_ids: Ids, context: RunContext
) -> OpenTargets:
    """Return the targets of contacts that can get messages.

    They are the rows of contact_campaigns that were not sent yet, and the PRE_SCHEDULED rows
    `scheduled_rate_increase` of an older scheduler that are no such rows yet, of any status.
    """
    code = np.maximum(codes(lower(trimmed(table, "status")), list(TARGET_STATUSES)), 0)
    stored = OpenTargets(
        row_id=table["id"].to_numpy(),
        contact=positions(contact_ids, table["contact_id"].to_numpy()),
        instance=table["campaign_instance_id"].to_numpy(),
        trigger=civil.parse_dates(table["trigger_date"]),
        created=civil.parse_times(table["created_at"]),
        data=np.where(filled(table["data"]), np.arange(len(code)), -1).astype(np.int32),
        status=code.astype(np.int8),
    )
    # what cannot be read is not taken for missing
    readable = (stored.trigger != NO_DAY) | ~filled(table["trigger_date"])
    rows = stored.take(readable & (stored.status != _SENT))
    if context.legacy_instance is not None and legacy.num_rows:
        trigger = legacy_triggers(legacy)
        size = legacy.num_rows
        old = OpenTargets(
            row_id=np.zeros(size, np.int64),
            contact=positions(contact_ids, legacy["contact_id"].to_numpy()),
            instance=np.full(size, context.legacy_instance, np.int64),
            trigger=trigger,
            created=np.full(size, NO_DAY, np.int32),
            data=np.full(size, -1, np.int32),
            status=np.zeros(size, np.int8),
        )
        known = (table["campaign_instance_id"].to_numpy() == context.legacy_instance) & (
            stored.trigger != NO_DAY
        )
        there = DaysByGroup(stored.contact[known], stored.trigger[known])
        new = (trigger != NO_DAY) & ~there.any_between(old.contact, trigger, trigger)
        rows = OpenTargets.concat([rows, old.take(new)])
    return rows.take(rows.contact >= 0)


def legacy_triggers(legacy: pa.Table) -> Days:
    """Return the trigger dates of old rate increases.

    It is the event date if that is near the send date, else two weeks after the send date; NO_DAY
    if neither is a date."""
    event = civil.days_of_parts(
        legacy["event_year"].to_numpy(),
        legacy["event_month"].to_numpy(),
        legacy["event_day"].to_numpy(),
    )
    sent = civil.parse_dates(legacy["scheduled_send_date"])
    known = event != NO_DAY
    distance = np.abs(event.astype(np.int64) - sent)
    fallback = np.where(sent == NO_DAY, event, sent + np.int32(LEGACY_TRIGGER_DAYS))
    return np.where(known & (distance <= 60), event, fallback).astype(np.int32)


def converted_rows(legacy: pa.Table, context: RunContext) -> Ids:
    """Return the ids of the old rate increases that the migration turns into targets."""
    if context.legacy_instance is None:
        return np.empty(0, np.int64)
    ids: Ids = legacy["id"].to_numpy()[legacy_triggers(legacy) != NO_DAY]
    return ids


def draft_campaigns(
    batch: ContactBatch,
    targets: OpenTargets,
    history: History,
    context: RunContext,
    kind_table: KindTable,
) -> tuple[Drafts, TargetLinks]:
    """Return the campaign candidates of the shard's contacts, and the identity for each target."""
    parts: list[Drafts] = [Drafts.empty()]
    links: list[TargetLinks] = [TargetLinks.empty()]
    for position, instance in enumerate(context.instances):
        if not instance.takes_part:
            continue
        kind = kind_table.kind(instance.email_type, instance.id)
        matching, chosen = targeted(batch, instance), in_split(batch.contacts.id, instance)
        if instance.target_all_contacts:
            contact, event = _everyone(instance, batch, matching & chosen)
            named, data = np.zeros(len(contact), np.bool_), np.full(len(contact), -1, np.int32)
        else:
            mine = targets.take(targets.instance == instance.id)
            trigger = _triggers(instance, mine)
            links.append(_link(mine, trigger, kind, instance, position, batch, history, context))
            # of targets with the same date the first counts
            first = np.unique(day_keys(mine.contact, trigger), return_index=True)[1]
            contact, event = mine.contact[first], trigger[first]
            named, data = mine.trigger[first] != NO_DAY, mine.data[first]
        ideal, deadline = campaign_days(instance, batch.contacts.id[contact], event, context)
        keep = live(context, ideal, deadline)
        keep &= ~history.has_campaign(contact, position, event, ideal, named)
        reason = _reason(
            instance, batch, contact, matching, chosen, ideal, deadline, context, kind_table
        )
        parts.append(drafts(contact, kind, event, ideal, deadline, reason, data).take(keep))
    return Drafts.concat(parts), TargetLinks.concat(links)


def _everyone(instance: Instance, batch: ContactBatch, chosen: Mask) -> tuple[Index, Days]:
    """Return the contacts of an instance for all, and the trigger date of each."""
    contact = np.flatnonzero(chosen)
    if not instance.when_created:
        day = civil.day_of(instance.default_trigger)
        return contact, np.full(len(contact), day, np.int32)
    created = batch.contacts.created[contact]
    start = instance.active_start
    since = civil.day_of(start) if start is not None else NO_DAY
    known = (created != NO_DAY) & (created >= since)
    return contact[known], created[known]


def _triggers(instance: Instance, mine: OpenTargets) -> Days:
    """Return the trigger date of each target: its own, that of its creation, or the instance's."""
    default = civil.day_of(instance.default_trigger)
    start = civil.day_of(instance.active_start) if instance.active_start is not None else NO_DAY
    later = (mine.created != NO_DAY) & (mine.created > start)
    own = np.where(later, mine.created, default)
    trigger: Days = np.where(mine.trigger == NO_DAY, own, mine.trigger).astype(np.int32)
    return trigger


def target_texts(drafts: Drafts, data: pa.ChunkedArray) -> tuple[Drafts, pa.Array]:
    """Return the drafts with details that point into the metadata texts, and these texts."""
    carried = np.unique(drafts.details[drafts.details >= 0])
    place = np.searchsorted(carried, drafts.details).astype(np.int32)
    details = np.where(drafts.details >= 0, place, np.int32(-1)).astype(np.int32)
    texts = data.take(pa.array(carried)).combine_chunks()
    texts = pc.binary_join_element_wise('{"target": ', texts, "}", "")
    return replace(drafts, details=details), texts


def reached(batch: ContactBatch, instance: Instance) -> Mask:
    """Return which contacts can get the instance's messages, listed as targets or not."""
    mask = targeted(batch, instance) & in_split(batch.contacts.id, instance)
    if instance.target_all_contacts:
        contact, _ = _everyone(instance, batch, mask)
        mask = np.isin(np.arange(len(batch.contacts)), contact)
    return mask


def targeted(batch: ContactBatch, instance: Instance) -> Mask:
    """Return which contacts match the instance's states and carriers."""
    match = np.ones(len(batch.contacts), np.bool_)
    if instance.target_states is not None or instance.target_carriers is not None:
        match &= batch.contacts.state != UNKNOWN
    if instance.target_states is not None:
        wanted = [i for i, state in enumerate(USPS_STATES) if state in instance.target_states]
        match &= np.isin(batch.contacts.state, wanted)
    if instance.target_carriers is not None:
        wanted = [i for i, name in enumerate(batch.carriers) if name in instance.target_carriers]
        match &= np.isin(batch.contacts.carrier, wanted)
    return match


def campaign_days(
    instance: Instance, ids: Ids, event: Days, context: RunContext
) -> tuple[Days, Days]:
    """Return the ideal date and the deadline of each candidate."""
    if instance.spread is not None:
        first, last = (civil.day_of(day) for day in instance.spread)
        ideal = (first + ids % (last - first + 1)).astype(np.int32)
    else:
        # not before the first date
        ideal = np.maximum(event - np.int32(instance.days_before_event), _FIRST_DAY)
        if instance.active_start is not None:
            ideal = np.maximum(ideal, np.int32(civil.day_of(instance.active_start)))
    return ideal, campaign_deadline(instance, ideal, event, context.config.timing)


def _reason(
    instance: Instance,
    batch: ContactBatch,
    contact: Index,
    targeted: Mask,
    chosen: Mask,
    ideal: Days,
    deadline: Days,
    context: RunContext,
    kind_table: KindTable,
) -> Codes:
    """Return why the rules skip each candidate; the first test is written last, so that it wins."""
    reason = np.zeros(len(contact), np.int32)
    failed = batch.contacts.failed[contact]
    exclude_all = context.config.organization.exclude_failed_underwriting_global
    if exclude_all and instance.type_name != "aep":
        reason[failed] = kind_table.reason(SkipCode.UNDERWRITING_GLOBAL)
    elif instance.skip_failed_underwriting:
        reason[failed] = kind_table.reason(SkipCode.UNDERWRITING_CAMPAIGN)
    reason[deadline < ideal] = kind_table.reason(SkipCode.OUTSIDE_DATES)
    reason[~chosen[contact]] = kind_table.reason(SkipCode.OUTSIDE_SPLIT)
    reason[~targeted[contact]] = kind_table.reason(SkipCode.OUTSIDE_TARGETING)
    return reason


def _link(
    mine: OpenTargets,
    trigger: Days,
    kind: int,
    instance: Instance,
    position: int,
    batch: ContactBatch,
    history: History,
    context: RunContext,
) -> TargetLinks:
    ideal, _ = campaign_days(instance, batch.contacts.id[mine.contact], trigger, context)
    links = TargetLinks(
        row_id=mine.row_id,
        contact=mine.contact,
        kind=np.full(len(mine), kind, np.int32),
        event=trigger,
        sent=history.has_sent_campaign(
            mine.contact, position, trigger, ideal, mine.trigger != NO_DAY
        ),
        status=mine.status,
    )
    return links.take(mine.row_id != 0)
