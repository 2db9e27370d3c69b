"""The history of contacts: an older scheduler's rows, clicks, answers and suppressions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.civil import anniversary, date_of, day_of, month_day_of, year_of
from almanac.frames import Days
from almanac.generation import facts
from almanac.generation.contacts import ContactChunk
from almanac.generation.draws import Draws, Mask, Numbers, constant, dates, join, pick
from almanac.generation.shape import Shape
from almanac.schedule_status import SENT_STATUSES

BIRTHDAY_LEAD = 14  # days before the birthday
EFFECTIVE_DATE_LEAD = 30
SENT = pa.array(SENT_STATUSES, pa.string())
SKIP_REASONS = {"birthday window": 50, "effective date window": 10, "year round state": 40}

Batches = dict[str, pa.RecordBatch]


def history(draws: Draws, contacts: ContactChunk, as_of: int, shape: Shape) -> Batches:
    """Return email_schedules, tracking_clicks and contact_events of a chunk of contacts.

    email_schedules is in the order of contacts; a contact has each type at most once, as the old
    unique indexes require.
    """
    committed = _committed(draws, contacts, as_of, shape)
    leftover = _leftover(draws, contacts, as_of)
    rows = pa.concat_tables([committed, leftover])
    rows = _one_of_a_type(rows)
    sent = _recently_sent(rows, as_of)
    return {
        "email_schedules": _schedules(draws, rows, as_of),
        "tracking_clicks": _clicks(draws, sent, as_of, shape.clicks),
        "contact_events": _events(draws, sent, as_of, shape.answers),
    }


def _committed(draws: Draws, contacts: ContactChunk, as_of: int, shape: Shape) -> pa.Table:
    """Return the committed rows of the past year."""
    types, weights = list(shape.history_types), list(shape.history_types.values())
    per_contact = draws.codes(shape.history_rows or facts.HISTORY_ROWS, len(contacts.ids))
    if shape.history_rows:  # none is lost since a contact has its type already
        per_contact = np.minimum(per_contact, len(types))
        kind = draws.distinct(weights, per_contact)
    else:
        kind = draws.codes(weights, int(per_contact.sum()))
    row = np.repeat(np.arange(len(contacts.ids)), per_contact)
    day = as_of - draws.between(1, 365, len(row))
    lead = np.zeros(len(row), np.int64)
    real = np.ones(len(row), np.bool_)
    for name, anchors, days_before in (
        ("birthday", contacts.birth, BIRTHDAY_LEAD),
        ("effective_date", contacts.effective, EFFECTIVE_DATE_LEAD),
    ):
        mine = np.isin(kind, [i for i, text in enumerate(types) if text.lower() == name])
        anchor = anchors[row[mine]]
        day[mine] = _last_mail(anchor, days_before, as_of)
        lead[mine] = days_before
        real[mine] = day[mine] + days_before > anchor
    aep = np.isin(kind, [i for i, text in enumerate(types) if text.lower() == "aep"])
    day[aep] = _last_aep(as_of) + draws.below(4, int(aep.sum()))
    status = draws.words(shape.history_statuses, len(row))
    waiting = pc.equal(status, "scheduled").to_numpy(zero_copy_only=False)
    soon = as_of + draws.between(-1, 3, len(row))
    day = np.where(waiting, soon, np.minimum(day, as_of - 1))
    table = _table(contacts.ids[row], pick(types, kind), status, day, lead)
    return table.filter(pa.array(real))


def _leftover(draws: Draws, contacts: ContactChunk, as_of: int) -> pa.Table:
    """Return planned rows of the older scheduler: most of the next year, some overdue."""
    ids = contacts.ids[draws.chance(facts.LEFTOVER_SHARE, len(contacts.ids))]
    overdue = draws.chance(0.1, len(ids))
    offset = np.where(overdue, -draws.between(1, 60, len(ids)), draws.between(0, 330, len(ids)))
    types = draws.words(facts.LEFTOVER_TYPES, len(ids))
    rate = pc.equal(pc.utf8_lower(types), "scheduled_rate_increase")
    lead = np.where(rate.to_numpy(zero_copy_only=False), 14, 0)
    status = draws.words(facts.LEFTOVER_STATUSES, len(ids))
    return _table(ids, types, status, as_of + offset, lead)


def _table(
    ids: Numbers, types: pa.Array, status: pa.Array, day: Numbers, lead: Numbers
) -> pa.Table:
    """Return the rows as a table; lead: days from the message to its event, 0 without an event."""
    columns = [pa.array(ids), types, status, pa.array(day), pa.array(lead)]
    return pa.table(columns, ["contact_id", "email_type", "status", "day", "lead"])


def _last_mail(anchor: Days, days_before: int, as_of: int) -> Numbers:
    """Return the last day before as_of on which the message for an anniversary was due."""
    month_day = month_day_of(anchor)
    year = year_of(np.full(len(anchor), as_of + days_before, np.int32))
    mail = anniversary(month_day, year) - days_before
    earlier = anniversary(month_day, year - 1) - days_before
    return np.where(mail < as_of, mail, earlier).astype(np.int64)


def _last_aep(as_of: int) -> int:
    """Return the last 15 September that is at least 5 days before as_of."""
    date = date_of(as_of - 5)
    day = day_of(date.replace(month=9, day=15))
    return day if day <= as_of - 5 else day_of(date.replace(year=date.year - 1, month=9, day=15))


def _one_of_a_type(rows: pa.Table) -> pa.Table:
    """Return the rows in the order of contacts, one for each contact and type."""
    coded = rows.column("email_type").combine_chunks().dictionary_encode()
    kind = coded.indices.to_numpy().astype(np.int64)
    key = rows.column("contact_id").to_numpy() * 64 + kind
    order = np.argsort(key, kind="stable")
    first = np.ones(len(key), np.bool_)
    first[1:] = key[order][1:] != key[order][:-1]
    return rows.take(pa.array(order[first]))


def _schedules(draws: Draws, rows: pa.Table, as_of: int) -> pa.RecordBatch:
    """Return the rows with all columns of the older scheduler."""
    count = len(rows)
    rows = rows.combine_chunks()
    day = rows.column("day").to_numpy()
    status = rows.column("status").combine_chunks()
    types = rows.column("email_type").combine_chunks()
    lower = pc.utf8_lower(types)
    sent = pc.is_in(status, SENT).to_numpy(zero_copy_only=False)
    promo = pc.equal(types, "campaign_seasonal_promo").to_numpy(zero_copy_only=False)
    year, month, day_of_month = _event_columns(draws, day + rows.column("lead").to_numpy())
    planned_on = np.minimum(day, as_of) - draws.between(2, 30, count)
    run = join("run_", pc.replace_substring(dates(planned_on), "-", ""))
    actual = pc.if_else(pa.array(sent), draws.stamps(day), pa.scalar(None, pa.string()))
    reason = draws.words(SKIP_REASONS, count)
    columns = {
        "contact_id": rows.column("contact_id").combine_chunks(),
        "email_type": types,
        "scheduled_send_date": dates(day),
        "scheduled_send_time": draws.words({"08:30:00": 9, "09:00:00": 1}, count),
        "status": status,
        "skip_reason": pc.if_else(pc.equal(status, "skipped"), reason, pa.scalar(None, "string")),
        "created_at": draws.stamps(planned_on),
        "updated_at": draws.stamps(np.minimum(day, as_of - 1)),
        "batch_id": run,
        "event_year": pa.array(year),
        "event_month": pa.array(month),
        "event_day": pa.array(day_of_month),
        "actual_send_datetime": actual,
        "campaign_instance_id": pa.array(np.full(count, 3), pa.int64(), mask=~promo),
        "email_template": join(lower, "_template"),
        "scheduler_run_id": run,
    }
    return pa.RecordBatch.from_pydict(columns)


def _event_columns(draws: Draws, event: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return year, month and day of the event; for many rows 1 January of a year instead."""
    date = event.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    year = month.astype("datetime64[Y]").astype(np.int64) + 1970
    dull = draws.chance(facts.MEANINGLESS_EVENT_SHARE, len(event))
    return (
        np.where(dull, year - draws.below(2, len(event)), year),
        np.where(dull, 1, month.astype(np.int64) % 12 + 1),
        np.where(dull, 1, (date - month.astype("datetime64[D]")).astype(np.int64) + 1),
    )


def _recently_sent(rows: pa.Table, as_of: int) -> pa.Table:
    recent = pc.greater_equal(rows.column("day"), as_of - facts.RECENT_DAYS)
    return rows.filter(pc.and_(recent, pc.is_in(rows.column("status"), SENT)))


def _answered(draws: Draws, sent: pa.Table, share: float, as_of: int) -> tuple[pa.Array, Numbers]:
    """Return contacts who react to a sent message, and the day: the same or one of the next."""
    some: Mask = draws.chance(share, len(sent))
    sent = sent.filter(pa.array(some))
    day = sent.column("day").to_numpy()
    wait = draws.below(10, len(sent)) * draws.below(2, len(sent))
    return sent.column("contact_id").combine_chunks(), np.minimum(day + wait, as_of)


def _clicks(draws: Draws, sent: pa.Table, as_of: int, share: float) -> pa.RecordBatch:
    contact, day = _answered(draws, sent, share, as_of)
    columns = {
        "contact_id": contact,
        "clicked_at": draws.stamps(day),
        "url": draws.words(
            {"https://example.com/quote": 70, "https://example.com/call-me": 30}, len(day)
        ),
    }
    return pa.RecordBatch.from_pydict(columns)


def _events(draws: Draws, sent: pa.Table, as_of: int, share: float) -> pa.RecordBatch:
    contact, day = _answered(draws, sent, share, as_of)
    columns = {
        "contact_id": contact,
        "event_type": draws.words(facts.EVENT_TYPES, len(day)),
        "created_at": pc.replace_substring(draws.stamps(day), " ", "T"),
        "metadata": draws.words(facts.ANSWERS, len(day)),
    }
    return pa.RecordBatch.from_pydict(columns)


def side_tables(draws: Draws, contacts: ContactChunk, as_of: int, share: float) -> Batches:
    """Return suppressions and the agency's own call_notes of a chunk of contacts.

    share: of suppressed contacts.
    """
    chosen = pa.array(draws.chance(share, len(contacts.ids)))
    ids = pa.array(contacts.ids).filter(chosen)
    by_address = draws.chance(0.5, len(ids))
    since = as_of - draws.between(1, 700, len(ids))
    until = since + draws.between(30, 400, len(ids))
    nothing = constant(None, len(ids))
    suppressions = {
        "email": pc.if_else(pa.array(by_address), contacts.email.filter(chosen), nothing),
        "contact_id": pc.if_else(pa.array(by_address), nothing.cast(pa.int64()), ids),
        "reason": draws.words(facts.SUPPRESSION_REASONS, len(ids)),
        "source": draws.words(facts.SUPPRESSION_SOURCES, len(ids)),
        "since": dates(since),
        "until": dates(until, missing=draws.chance(0.8, len(ids))),
    }
    noted = draws.chance(facts.NOTE_SHARE, len(contacts.ids))
    count = int(noted.sum())
    notes = {
        "contact_id": pa.array(contacts.ids[noted]),
        "agent_id": pa.array(contacts.agent[noted]),
        "called_at": draws.stamps(as_of - draws.between(1, 900, count)),
        "note": draws.words(facts.NOTES, count).cast(pa.binary()),
    }
    return {
        "suppressions": pa.RecordBatch.from_pydict(suppressions),
        "call_notes": pa.RecordBatch.from_pydict(notes),
    }
