"""Write the outbox of a day: the messages planned for that day that may still be sent.

Contacts may have unsubscribed or left since the last run. Their messages are left out here, and the
next run skips or removes them (semantics: Contacts).
"""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from itertools import compress
from typing import Literal, TextIO, assert_never

import apsw
from pydantic import BaseModel

from almanac.config import Config
from almanac.database import sending
from almanac.database.catalog import Batch, Record
from almanac.delivery.exclusions import CLOSED, DueExclusions
from almanac.delivery.hours import Clock, Moments
from almanac.errors import RequestError
from almanac.json_text import json_lines, json_text

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
    for rows in sending.rows_to_send(connection, str(day), names, settings, claimed=claimed):
        count = len(rows["id"])
        why = dict.fromkeys(range(count), CLOSED) if closed else exclusions.reasons(rows)
        left_out.update(why.values())
        kept = _without(rows, why.keys()) if why else rows
        moments = clock.moments(kept)
        _remove_texts(kept, moments, exclusions, result)
        write(_messages(kept, moments), {name: kept[f"chosen.{name}"] for name in names})
        result.messages += count - len(why)
    result.left_out = dict(sorted(left_out.items()))
    return result


def _without(rows: Batch, places: Collection[int]) -> Batch:
    """Return the rows but those at some places."""
    kept = [at not in places for at in range(len(rows["id"]))]
    return {name: list(compress(values, kept)) for name, values in rows.items()}


def _remove_texts(
    rows: Batch, moments: Sequence[Moments], exclusions: DueExclusions, result: DueMessages
) -> None:
    """Remove the templates of text messages that must not go out, and count them."""
    templates = rows["sms_template"]
    if not any(templates):
        return
    without_texts = exclusions.without_texts(rows)
    for at, (template, moment) in enumerate(zip(templates, moments, strict=True)):
        if template and at in without_texts:
            templates[at] = None
            result.without_text += 1
        elif template and moment.sms_at is None:
            templates[at] = None
            result.without_hours += 1


def _messages(rows: Batch, moments: Sequence[Moments]) -> Batch:
    """Return rows as a sender sees them, with FIELDS."""
    nothing = [None] * len(moments)
    messages = {name: rows.get(name, nothing) for name in FIELDS}
    texts = [bool(template) for template in rows["sms_template"]]
    messages["email_at"] = [moment.email_at for moment in moments]
    for name in ("sms_at", "sms_until"):
        at = Moments._fields.index(name)
        messages[name] = [
            moment[at] if text else None for moment, text in zip(moments, texts, strict=True)
        ]
    messages["email"] = [str(email).strip() for email in rows["contact.email"]]
    phones = zip(rows["contact.phone_number"], texts, strict=True)
    messages["phone"] = [(phone or None) if text else None for phone, text in phones]
    parts = (rows[f"event_{name}"] for name in ("year", "month", "day"))
    messages["event_date"] = list(map(_event_date, *parts))
    messages["metadata"] = [_parsed(text) for text in rows["metadata"]]
    return messages


@lru_cache(maxsize=10_000, typed=True)
def _event_date(year: object, month: object, day: object) -> str | None:
    try:
        return str(dt.date(year, month, day))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _parsed(metadata: object) -> object:
    """Return the value of JSON text, or other text as it is."""
    try:
        return json.loads(metadata) if isinstance(metadata, str) else metadata
    except (ValueError, RecursionError):
        return metadata


def _writer(format_: Format, names: list[str], out: TextIO) -> Callable[[Batch, Batch], object]:
    """Return a function that writes messages and the columns of their contacts as lines."""
    match format_:
        case "jsonl":
            return lambda messages, contacts: out.write(
                json_lines(messages | ({"contact": _records(contacts)} if names else {}))
            )
        case "csv":
            return _csv_writer(names, out)
        case _:
            assert_never(format_)


def _records(columns: Batch) -> list[Record]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _csv_writer(names: list[str], out: TextIO) -> Callable[[Batch, Batch], object]:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*FIELDS, *(f"contact.{name}" for name in names)])

    def write_csv(messages: Batch, contacts: Batch) -> None:
        messages["metadata"] = [
            value if value is None or isinstance(value, str) else json_text(value)
            for value in messages["metadata"]
        ]
        writer.writerows(zip(*messages.values(), *contacts.values(), strict=True))

    return write_csv
