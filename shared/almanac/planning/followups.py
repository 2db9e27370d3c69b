"""Follow-ups: answers to what a contact did after a sent message (semantics: Follow-ups)."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.config import FOLLOWUP_TYPES
from almanac.frames import NO_DAY, Ids, Mask
from almanac.joins import DaysByGroup, group_starts, order_by, positions
from almanac.planning.brief import RunContext
from almanac.planning.contacts import Contacts
from almanac.planning.deadlines import followup_deadline
from almanac.planning.drafts import Drafts, drafts, live
from almanac.planning.history import (
    AEP,
    BIRTHDAY,
    CAMPAIGN,
    EFFECTIVE_DATE,
    TYPE_CODES,
    Committed,
    History,
)
from almanac.planning.kinds import KindTable
from almanac.rules.windows import FAR
from almanac.schedule_status import SkipCode


def draft_followups(
    history: History,
    clicks: pa.Table,
    answers: pa.Table,
    contacts: Contacts,
    context: RunContext,
    kind_table: KindTable,
) -> tuple[Drafts, pa.Array]:
    """Return at most one follow-up for each contact, and the metadata texts by `details`."""
    parents = _latest(history.rows.take(_may_have_followups(history.rows, context)))
    waiting = ~history.followups.any_between(
        parents.contact, parents.sent + np.int32(1), np.full(len(parents), FAR, np.int32)
    )
    parents = parents.take(waiting)
    timing = context.config.timing
    ideal = parents.sent + np.int32(timing.followup_delay_days)
    deadline = followup_deadline(ideal, timing)
    exists = live(context, ideal, deadline)
    parents, ideal, deadline = parents.take(exists), ideal[exists], deadline[exists]
    contact_ids = contacts.id

    clicked = _since(parents, clicks["contact_id"], clicks["clicked_at"], contact_ids)
    answered = _since(parents, answers["contact_id"], answers["created_at"], contact_ids)
    yes = answers.filter(
        pc.or_(pc.not_equal(answers["yes"], 0), pc.not_equal(answers["medical_conditions"], 0))
    )
    medical = _since(parents, yes["contact_id"], yes["created_at"], contact_ids)
    behaviour = np.select([medical, answered, clicked], [3, 2, 1], 0)
    codes = np.array(
        [
            [kind_table.kind(name, instance) for name in FOLLOWUP_TYPES]
            for instance in (*(i.id for i in context.instances), 0)
        ]
    )
    kind = codes[parents.instance, behaviour]
    own_event = np.isin(parents.type, (BIRTHDAY, EFFECTIVE_DATE)) & (parents.event != NO_DAY)
    event = np.where(own_event, parents.event, parents.sent)
    details = np.arange(len(parents), dtype=np.int32)
    carried = history.carried.take(pa.array(parents.carried))
    texts = _metadata(parents, clicked, answered, medical, carried, context)
    reason = np.zeros(len(parents), np.int32)
    if context.config.organization.exclude_failed_underwriting_global:
        barred = contacts.failed[parents.contact] & ~_about_aep(parents, context)
        reason[barred] = kind_table.reason(SkipCode.UNDERWRITING_GLOBAL)
    return drafts(parents.contact, kind, event, ideal, deadline, reason, details), texts


def _about_aep(parents: Committed, context: RunContext) -> Mask:
    campaigns = np.array([*(i.type_name == "aep" for i in context.instances), False])
    about: Mask = np.where(
        parents.type == CAMPAIGN, campaigns[parents.instance], parents.type == AEP
    )
    return about


def _may_have_followups(rows: Committed, context: RunContext) -> Mask:
    as_of = civil.day_of(context.as_of)
    recent = (rows.sent >= as_of - context.config.timing.followup_lookback_days) & (
        rows.sent <= as_of
    )
    wanted = [i.understood and i.enable_followups for i in context.instances]
    campaign = (rows.type == CAMPAIGN) & np.array([*wanted, False])[rows.instance]
    may: Mask = rows.is_sent & recent & (campaign | np.isin(rows.type, list(TYPE_CODES.values())))
    return may


def _latest(rows: Committed) -> Committed:
    """Return the row sent last for each contact; of equals the one with the highest id."""
    rows = rows.take(order_by(rows.contact, rows.sent, rows.row_id))
    last = group_starts(rows.contact[::-1])[::-1]
    # a row that is not of a campaign may have an instance id: its follow-up has none
    latest = rows.take(last)
    instance = np.where(latest.type == CAMPAIGN, latest.instance, -1)
    return Committed(**{**latest.__dict__, "instance": instance})


def _since(parents: Committed, contact: pa.Array, when: pa.Array, contact_ids: Ids) -> Mask:
    """Whether each parent's contact did it on the day the parent was sent, or later."""
    did = DaysByGroup(positions(contact_ids, contact.to_numpy()), civil.parse_times(when))
    return did.any_between(parents.contact, parents.sent, np.full(len(parents), FAR, np.int32))


def _metadata(
    parents: Committed,
    clicked: Mask,
    answered: Mask,
    medical: Mask,
    carried: pa.Array,
    context: RunContext,
) -> pa.Array:
    """Return one JSON text for each parent, joined from vectors of its parts."""
    starts = {(code, -1): json.dumps(name) for name, code in TYPE_CODES.items()} | {
        (CAMPAIGN, i): f'{json.dumps(x.email_type)}, "campaign_name": {json.dumps(x.name)}'
        for i, x in enumerate(context.instances)
    }
    lookup = np.zeros((CAMPAIGN + 1, len(context.instances) + 1), np.int64)
    for index, (code, instance) in enumerate(starts):
        lookup[code, instance] = index
    start = pa.array(list(starts.values())).take(pa.array(lookup[parents.type, parents.instance]))
    flags = clicked * 4 + answered * 2 + medical
    behaviours = pa.array(
        [
            json.dumps(
                {"clicked": bool(f & 4), "answered": bool(f & 2), "medical_conditions": bool(f & 1)}
            )
            for f in range(8)
        ]
    ).take(pa.array(flags))
    return pc.binary_join_element_wise(
        '{"initial_comm_log_id": ',
        pa.array(parents.row_id).cast(pa.string()),
        ', "initial_email_type": ',
        start,
        ', "followup_behavior": ',
        behaviours,
        pc.if_else(
            pc.equal(carried, ""), "", pc.binary_join_element_wise(', "target": ', carried, "")
        ),
        "}",
        "",
    )
