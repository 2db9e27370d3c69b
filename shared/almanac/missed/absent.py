"""Contacts without a candidate of a built-in type, and contacts that can get no messages."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.frames import NO_DAY, Days, Ids, Index
from almanac.joins import positions
from almanac.missed.asked import FOLLOWUP
from almanac.missed.block import Block
from almanac.missed.names import Names
from almanac.missed.rows import (
    CONTACT,
    DISABLED,
    NO_ADDRESS,
    NO_BIRTH_DATE,
    NO_EFFECTIVE_DATE,
    NO_STATE,
    NO_WINDOW,
    NOT_ACTIVE,
    NOT_DUE,
    NOT_SENT,
    NOTHING_SENT,
    TYPE,
    Facts,
    Missing,
    Reasons,
    missing,
)
from almanac.planning import history as types
from almanac.planning.anniversaries import aep_days, birthdays, effective_dates
from almanac.planning.contacts import INVALID_EMAIL, is_active
from almanac.planning.deadlines import grace
from almanac.planning.history import ANNIVERSARY_DAYS
from almanac.planning.texts import trimmed
from almanac.rules.windows import rows_with_windows
from almanac.schedule_status import SkipCode


def missed_contacts(
    block: Block, ids: Ids, subject: int, reasons: Reasons, names: Names
) -> Missing:
    """Return a missed message for each of some contacts that can get none at all."""
    table, context = block.data.contacts, block.basis.context
    at = positions(table["id"].to_numpy(), ids)
    table = table.take(pa.array(at))
    issues = block.plan.batch.issues
    invalid = issues["contact_id"].to_numpy()[
        np.array(issues["issue"].to_pylist(), object) == INVALID_EMAIL
    ]
    active, valid = is_active(table, context), ~np.isin(ids, invalid)
    reason = np.where(valid, reasons.code(NO_STATE), reasons.code(NO_ADDRESS))
    reason = np.where(active, reason, reasons.code(NOT_ACTIVE))
    statuses = trimmed(table, "status").dictionary_encode()
    known = names.codes(statuses.dictionary.to_pylist())
    status = np.where(active, 0, known[statuses.indices.to_numpy(zero_copy_only=False)])
    return missing(
        *(ids, CONTACT, at, subject, reason.astype(np.int32), status), alone=active & ~valid
    )


def without_candidate(block: Block, email_type: str, reasons: Reasons) -> Missing:
    """Return the contacts that have no candidate of a built-in type, and no row on its way."""
    kinds, drafts = block.basis.kind_table.kinds, block.plan.drafts
    of_type = np.array([kind.email_type.startswith(email_type) for kind in kinds])
    there = np.zeros(len(block.ids), np.bool_)
    there[drafts.contact[of_type[drafts.kind]]] = True
    contact = np.flatnonzero(~there)
    match email_type:
        case "birthday":
            return _yearly(block, contact, types.BIRTHDAY, reasons)
        case "effective_date":
            return _yearly(block, contact, types.EFFECTIVE_DATE, reasons)
        case "aep":
            return _aep(block, contact, reasons)
        case "post_window":
            return _post_window(block, contact, reasons)
        case _:
            assert email_type == FOLLOWUP, f"{email_type}: no built-in type"
            return _followup(block, contact, reasons)


def _rows(block: Block, contact: Index, reason: int, *facts: Facts, **more: bool) -> Missing:
    return missing(block.ids[contact], TYPE, contact, 0, reason, *facts, **more)


def _yearly(block: Block, contact: Index, code: int, reasons: Reasons) -> Missing:
    contacts, context = block.plan.batch.contacts, block.basis.context
    is_birth = code == types.BIRTHDAY
    dates = contacts.birth if is_birth else contacts.effective
    dated = dates[contact] != NO_DAY
    no_date = reasons.code(NO_BIRTH_DATE if is_birth else NO_EFFECTIVE_DATE)
    days = (birthdays if is_birth else effective_dates)(contacts, context)
    days = days.take(positions(days.contact, contact[dated]))
    event = days.first_event(civil.day_of(context.t0) + grace(days.lead))
    return Missing.concat(
        [
            _rows(block, contact[~dated], no_date),
            _handled_or_later(block, contact[dated], code, event, days.ideal(event), reasons),
        ]
    )


def _handled_or_later(
    block: Block, contact: Index, code: int, event: Days, ideal: Days, reasons: Reasons
) -> Missing:
    """Return those whose row was not sent, and those whose message is due after the horizon."""
    near = block.plan.history.has_type_near(code, contact, ideal, ANNIVERSARY_DAYS)
    around = ideal - ANNIVERSARY_DAYS, ideal + ANNIVERSARY_DAYS
    lost = near & ~block.days_on_the_way(code).any_between(contact, *around)
    parts = []
    for mask, text, alone in ((lost, NOT_SENT, True), (~near, NOT_DUE, False)):
        facts = (event[mask], ideal[mask])
        ids, reason = block.ids[contact[mask]], reasons.code(text)
        parts.append(
            missing(ids, TYPE, contact[mask], 0, reason, *facts, event=event[mask], alone=alone)
        )
    return Missing.concat(parts)


def _aep(block: Block, contact: Index, reasons: Reasons) -> Missing:
    context, aep = block.basis.context, block.basis.context.config.aep
    if context.aep_replaced or not aep.enabled:
        return _rows(block, contact, reasons.code(DISABLED))
    earliest = context.t0 - dt.timedelta(days=aep.valid_days)
    days = aep_days(context, earliest, context.horizon + dt.timedelta(days=366))
    day = next((day for day in days if day >= civil.day_of(earliest)), None)
    if day is None:
        return _rows(block, contact, reasons.code(NOT_DUE))
    ideal = np.full(len(contact), day, np.int32)
    return _handled_or_later(block, contact, types.AEP, ideal, ideal, reasons)


def _post_window(block: Block, contact: Index, reasons: Reasons) -> Missing:
    settings, batch = block.basis.context.config.organization, block.plan.batch
    windowed = np.isin(contact, rows_with_windows(batch.exclusions))
    parts = [_rows(block, contact[~windowed], reasons.code(NO_WINDOW), 0)]
    contact = contact[windowed]
    if not settings.enable_post_window_emails:
        return Missing.concat([*parts, _rows(block, contact, reasons.code(DISABLED))])
    failed = batch.contacts.failed[contact] & settings.exclude_failed_underwriting_global
    excluded = block.basis.kind_table.reason(SkipCode.UNDERWRITING_GLOBAL)
    parts.append(_rows(block, contact[failed], excluded))
    others = contact[~failed]
    parts.append(_rows(block, others, reasons.code(NO_WINDOW), 1, alone=True, judge=True))
    return Missing.concat(parts)


def _followup(block: Block, contact: Index, reasons: Reasons) -> Missing:
    rows, context = block.plan.history.rows, block.basis.context
    since = civil.day_of(context.as_of) - context.config.timing.followup_lookback_days
    is_followup = rows.type == types.FOLLOWUP
    recent = np.isin(contact, rows.contact[rows.is_sent & (rows.sent >= since) & ~is_followup])
    followed = np.isin(contact, rows.contact[is_followup & block.on_the_way])
    left = contact[~(recent & followed)]
    return _rows(block, left, reasons.code(NOTHING_SENT), np.isin(left, contact[recent]))
