"""Write the outbox of a day: the messages planned for that day that may still be sent.

Contacts may have unsubscribed or left since the last run. Their messages are left out here, and the
next run skips or removes them (semantics: Contacts).
"""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any, Literal, TextIO, assert_never

import apsw
from pydantic import BaseModel

from almanac.config import Config
from almanac.database import sending
from almanac.database.catalog import Record
from almanac.delivery.exclusions import CLOSED, DueExclusions
from almanac.delivery.hours import Clock, Moments
from almanac.errors import RequestError
from almanac.json_text import json_text

Format = Literal["jsonl", "csv"]
FIELDS = (
    "id",
    "contact_id",
    "email",
    "phone",
    "email_type",
    "campaign_instance_id",
    "campaign_name",
    "email_template",
    "sms_template",
    "scheduled_send_date",
    "scheduled_send_time",
    "email_at",
    "sms_at",
    "sms_until",
    "priority",
    "event_date",
    "ideal_send_date",
    "metadata",
)


_BATCH = 4_000  # rows whose places are looked up at once


class DueMessages(BaseModel):
    """How many messages of a day a sender gets, and how many are left out."""

    day: dt.date
    messages: int = 0
    left_out: dict[str, int] = {}  # by reason
    without_text: int = 0  # of the messages, those whose text message may not go out
    without_hours: int = 0  # of the messages, those whose text message has no allowed hour
    earlier: int = 0  # planned for earlier days and not claimed: the next run replans them


def hand_out(
    connection: apsw.Connection,
    day: dt.date,
    today: dt.date,
    claimed: bool,
    columns: Sequence[str],
    config: Config,
    format_: Format,
    out: TextIO,
    earlier: int | None = None,
) -> DueMessages:
    """Write the messages of the day, one a line, and count them.

    claimed: write the claimed rows of the day and earlier days instead of the unclaimed rows of the
    day. columns: of contacts, for templates. config: how contacts are read, and the hours.
    earlier: how many are planned for earlier days; by default they are counted. Raise RequestError
    for an unknown column.
    """
    names = [name.strip().lower() for name in columns if name.strip()]
    known = sending.contact_columns(connection)
    if unknown := [name for name in names if name not in known]:
        raise RequestError(
            f"contacts has no column {', '.join(unknown)}; it has {', '.join(sorted(known))}"
        )
    result = DueMessages(day=day)
    if day <= today and not claimed:
        result.earlier = sending.count_before(connection, str(day)) if earlier is None else earlier
    left_out: Counter[str] = Counter()
    write = _writer(format_, names, out)
    settings, clock = config.contacts, Clock(config)
    exclusions = DueExclusions(connection, day, settings)
    # a day that was closed after the last run; what is claimed is the sender's
    closed = not claimed and config.load_balancing.closed.why(day)
    rows = sending.rows_to_send(connection, str(day), names, settings, claimed=claimed)
    while batch := list(islice(rows, _BATCH)):
        for row, moments in zip(batch, clock.moments(batch), strict=True):
            why = CLOSED if closed else exclusions.reason(row)
            if why is not None:
                left_out[why] += 1
                continue
            if row["sms_template"]:
                _without_text(row, moments, exclusions, result)
            write(_message(row, moments), {name: row[f"chosen.{name}"] for name in names})
            result.messages += 1
    result.left_out = dict(sorted(left_out.items()))
    return result


def _without_text(
    row: Record, moments: Moments, exclusions: DueExclusions, result: DueMessages
) -> None:
    """Remove the template of a text message that must not go out, and count it."""
    if exclusions.without_text(row):
        result.without_text += 1
    elif moments.sms_at is None:
        result.without_hours += 1
    else:
        return
    row["sms_template"] = None


def _message(row: Record, moments: Moments) -> dict[str, Any]:
    """Return a row as a sender sees it, with FIELDS."""
    message = {name: row.get(name) for name in FIELDS}
    message["email_at"] = moments.email_at
    if row["sms_template"]:
        message["sms_at"], message["sms_until"] = moments.sms_at, moments.sms_until
    message["email"] = str(row["contact.email"]).strip()
    message["phone"] = (row["contact.phone_number"] or None) if row["sms_template"] else None
    message["event_date"] = _event_date(row)
    message["metadata"] = _parsed(row["metadata"])
    return message


def _event_date(row: Record) -> str | None:
    try:
        return str(dt.date(row["event_year"], row["event_month"], row["event_day"]))
    except (TypeError, ValueError):
        return None


def _parsed(metadata: object) -> object:
    """Return the value of JSON text, or other text as it is."""
    try:
        return json.loads(metadata) if isinstance(metadata, str) else metadata
    except (ValueError, RecursionError):
        return metadata


def _writer(format_: Format, names: list[str], out: TextIO) -> Any:
    """Return a function that writes a message and the columns of its contact as a line."""
    match format_:
        case "jsonl":
            return lambda message, contact: out.write(
                json_text(message | ({"contact": contact} if names else {})) + "\n"
            )
        case "csv":
            return _csv_writer(names, out)
        case _:
            assert_never(format_)


def _csv_writer(names: list[str], out: TextIO) -> Any:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*FIELDS, *(f"contact.{name}" for name in names)])

    def write_csv(message: dict[str, Any], contact: dict[str, Any]) -> None:
        if message["metadata"] is not None and not isinstance(message["metadata"], str):
            message["metadata"] = json_text(message["metadata"])
        writer.writerow([*message.values(), *contact.values()])

    return write_csv
