"""Who gets what on a day: the rows of the day with the names of their contacts."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import apsw

from almanac.config import Config
from almanac.database.catalog import Record
from almanac.database.day_rows import count_days, rows_on
from almanac.delivery.exclusions import CLOSED, DueExclusions
from almanac.schedule_status import Status

NOT_SENT = "Not sent: the next run finds it another day, or skips it"


class DayRow(NamedTuple):
    """A message on a day. Texts are '' and numbers None where there is nothing."""

    date: str
    time: str  # of the agency, or where the contact lives, by delivery.zone
    contact_id: int
    first_name: str
    last_name: str
    email: str
    phone: str
    email_type: str
    campaign: str
    campaign_instance_id: int | None
    channel: str  # email, or email+sms
    status: str
    note: str  # why it will not go out as it is planned
    row_id: int

    @property
    def name(self) -> str:
        """Return the name of the contact."""
        return f"{self.first_name} {self.last_name}".strip()


class DayCount(NamedTuple):
    """The number of messages on a day."""

    date: dt.date
    planned: int
    of_sender: dict[str, int]  # by status: rows that a sender has taken or reported
    closed: str  # why nothing is sent on the day, or ''

    @property
    def messages(self) -> int:
        """Return the number of all messages."""
        return self.planned + sum(self.of_sender.values())


def day_counts(
    connection: apsw.Connection, first: dt.date, last: dt.date, config: Config
) -> list[DayCount]:
    """Return the counts of each day from first to last, without skipped messages."""
    found: dict[str, Counter[str]] = {}
    for date, status, count in count_days(connection, first, last):
        found.setdefault(date, Counter())[status] += count
    closed = config.load_balancing.closed
    counts = []
    for number in range((last - first).days + 1):
        day = first + dt.timedelta(days=number)
        by_status = found.get(str(day), Counter())
        planned = by_status.pop(Status.PRE_SCHEDULED, 0)
        of_sender = dict(sorted(by_status.items()))
        counts.append(DayCount(day, planned, of_sender, closed.why(day) or ""))
    return counts


def day_rows(
    connection: apsw.Connection,
    day: dt.date,
    today: dt.date,
    config: Config,
    limit: int | None = None,
) -> Iterator[DayRow]:
    """Yield the messages of a day: those that are planned, then the sender's, at most `limit`.

    A planned message that `almanac due` would leave out has a note that says why. Only the rows
    that are yielded are read, by the index of status and date.
    """
    settings = config.contacts
    closed = bool(config.load_balancing.closed.why(day))
    exclusions = None
    for record in rows_on(connection, day, settings, limit):
        exclusions = exclusions or DueExclusions(connection, day, settings)
        note = ""
        if record["status"] == Status.PRE_SCHEDULED:
            note = _note(record, exclusions, closed=closed, past=day < today)
        row = _row(record, exclusions, note)
        yield row if row.time else row._replace(time=config.send_time)


def _note(record: Record, exclusions: DueExclusions, *, closed: bool, past: bool) -> str:
    """Return why a planned message does not go out; '' if nothing is known against it."""
    if past:
        return NOT_SENT
    return CLOSED if closed else exclusions.reason(record) or ""


def _row(record: Record, exclusions: DueExclusions, note: str) -> DayRow:
    texts = {name: str(value) for name, value in record.items() if isinstance(value, str)}
    text_message = bool(texts["sms_template"]) and not exclusions.without_text(record)
    return DayRow(
        date=texts["scheduled_send_date"][:10],
        time=texts["scheduled_send_time"][:5],
        contact_id=record["contact_id"],
        first_name=texts.get("contact.first_name", "").strip(),
        last_name=texts.get("contact.last_name", "").strip(),
        email=texts.get("contact.email", "").strip(),
        phone=texts.get("contact.phone_number", "").strip(),
        email_type=texts["email_type"],
        campaign=texts["campaign_name"],
        campaign_instance_id=record["campaign_instance_id"] or None,
        channel="email+sms" if text_message else "email",
        status=texts["status"],
        note=note,
        row_id=record["id"],
    )
