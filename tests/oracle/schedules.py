"""Rows of email_schedules, old and new (semantics: Input database)."""

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from .database import Record, text, whole
from .dates import make_date, parse_date

PLANNED = ("pre-scheduled", "skipped")
COUNTED = ("scheduled", "processing", "sent", "delivered")
SENT = ("sent", "delivered")


@dataclass(frozen=True)
class Scheduled:
    """One row: its type lower-cased, its dates parsed."""

    id: int
    contact_id: int | None  # None: nobody's
    stored_type: str
    status: str
    send_date: date | None
    ideal: date | None
    has_ideal: bool
    event: date | None
    instance: int | None  # the column, 0 being none
    sent_at: date | None
    target: dict[str, Any] | None = None  # what its campaign target carried

    @property
    def email_type(self) -> str:
        return self.stored_type.lower()

    @property
    def planned(self) -> bool:
        return self.status in PLANNED

    @property
    def kind(self) -> str:
        """The type that an anniversary email is compared by."""
        return "post_window" if self.email_type.startswith("post_window") else self.email_type

    @property
    def is_campaign(self) -> bool:
        return self.email_type.startswith("campaign_")

    @property
    def is_followup(self) -> bool:
        return self.email_type.startswith("followup")


def read_scheduled(record: Record) -> Scheduled:
    """A row of the table as it is stored."""
    send_date = parse_date(record.get("scheduled_send_date"))
    return Scheduled(
        id=record["id"],
        contact_id=whole(record["contact_id"]),
        stored_type=str(record["email_type"]),
        status=str(record["status"]),
        send_date=send_date,
        ideal=parse_date(record.get("ideal_send_date")),
        has_ideal=record.get("ideal_send_date") not in (None, ""),
        event=make_date(*(_part(record.get(f"event_{part}")) for part in ("year", "month", "day"))),
        instance=record.get("campaign_instance_id") or None,
        sent_at=parse_date(record.get("actual_send_datetime")) or send_date,
        target=_target(record.get("metadata")),
    )


def _target(metadata: object) -> dict[str, Any] | None:
    try:
        said = json.loads(text(metadata))
    except ValueError:
        return None
    carried = said.get("target") if isinstance(said, dict) else None
    return carried if isinstance(carried, dict) else None


def campaign_instance(row: Scheduled, types_by_instance: dict[int, str]) -> int | None:
    """The instance of a campaign row: its column, or the number behind an old type's name."""
    if not row.is_campaign:
        return None
    if row.instance is not None:
        return row.instance
    old = re.fullmatch(r"campaign_(.+)_([0-9]+)", row.email_type, re.ASCII | re.DOTALL)
    if old and types_by_instance.get(int(old[2]), "").lower() == old[1]:
        return int(old[2])
    return None


def _part(value: object) -> object:
    """A year, month or day, which is a text in a column of texts."""
    is_number = isinstance(value, str) and re.fullmatch("[0-9]{1,4}", value, re.ASCII)
    return int(str(value)) if is_number else value
