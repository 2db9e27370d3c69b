"""Messages, and what contacts did after them, one by one (docs/results.md)."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.oracle.database import Database, Record, text, whole
from tests.oracle.dates import parse_date, parse_time
from tests.oracle.followups import _says_yes

SENT = ("sent", "delivered", "bounced")
Counts = Counter[str]


@dataclass
class Message:
    """A row of email_schedules that is not skipped."""

    id: int
    contact: int | None
    status: str
    day: date
    email_type: str
    campaign: str | None
    instance: int | None
    template: str
    parent: str | None
    did: set[str] = field(default_factory=set)

    @property
    def was_sent(self) -> bool:
        return self.status in SENT


class Book:
    """One database, and the messages of some days."""

    def __init__(self, path: Path, first: date, last: date, within: int) -> None:
        self.first, self.last, self.within = first, last, within
        with Database(path) as database:
            tables = (
                *("contacts", "email_schedules", "message_deliveries", "tracking_clicks"),
                *("contact_events", "suppressions", "campaign_instances", "campaign_types"),
                "contact_campaigns",
            )
            self.tables = {name: database.records(name) for name in tables}
        self.ignored: Counter[tuple[str, str]] = Counter()
        self.contacts: dict[int, Record] = {}
        for row in self.tables["contacts"]:
            number = whole(row["id"])
            if number is not None:
                self.contacts.setdefault(number, row)
        self.instances = {int(row["id"]): row for row in self.tables["campaign_instances"]}
        self.messages = self._messages()

    def _messages(self) -> list[Message]:
        found = []
        for row in self.tables["email_schedules"]:
            status = row.get("status", "pre-scheduled")
            if status == "skipped":
                continue
            day = parse_date(row.get("scheduled_send_date"))
            actual = parse_date(row.get("actual_send_datetime"))
            if status in SENT and actual is not None:
                day = actual
            if day is None:
                self.ignored["messages", "no date"] += 1
                continue
            found.append(self._message(row, status or "", day))
        return found

    def _message(self, row: Record, status: str, day: date) -> Message:
        kind = text(row.get("email_type")).lower()
        instance = whole(row.get("campaign_instance_id")) or None
        campaign = parent = None
        if kind.startswith("campaign_"):
            campaign = kind.removeprefix("campaign_")
            head, _, tail = campaign.rpartition("_")
            numbered = int(tail) if tail.isdecimal() else None
            known = self.instances.get(numbered) if numbered is not None else None
            if known is not None and text(known["campaign_type"]).lower() == head:
                instance = instance or numbered
                if instance == numbered:
                    campaign = head
            kind = f"campaign_{campaign}"
        elif kind.startswith("post_window"):
            kind = "post_window"
        elif kind.startswith("followup"):
            parent = self._parent(row.get("metadata"))
        return Message(
            id=int(row["id"]),
            contact=whole(row.get("contact_id")) or None,
            status=status,
            day=day,
            email_type=kind,
            campaign=campaign,
            instance=instance,
            template=text(row.get("email_template")).replace("\x1f", " ") or "no template",
            parent=parent,
        )

    def _parent(self, metadata: Any) -> str:
        try:
            return str(json.loads(metadata)["initial_email_type"]).lower()
        except (TypeError, ValueError, KeyError):
            return "unknown"

    def owner(self, contact: int | None, day: date, named: int | None = None) -> Message | None:
        """The message that something a contact did belongs to."""
        theirs = [m for m in self.messages if m.was_sent and m.contact == contact and m.day <= day]
        if contact is None or not theirs:
            return None
        for message in theirs:
            if message.id == named:
                return message
        return max(theirs, key=lambda message: (message.day, message.id))

    def give(self, what: str, day: date | None, contact: int | None, named: int | None) -> str:
        """Count something for its message; why not, or '' where it counts."""
        if day is None:
            return "no time"
        if not self.first <= day <= self.last + timedelta(self.within):
            return "elsewhere"
        if contact is None:
            return "no contact"
        message = self.owner(contact, day, named)
        if message is None:
            return "nothing before"
        if not self.first <= message.day <= self.last:
            return "elsewhere"
        if (day - message.day).days > self.within:
            return "late"
        repeated = what in message.did
        message.did.add(what)
        return "repeated" if repeated else ""

    def note(self, table: str, why: str) -> None:
        if why not in ("", "elsewhere"):
            self.ignored[table, why] += 1

    def read_activity(self) -> None:
        """Give clicks and answers to their messages."""
        for row in self.tables["tracking_clicks"]:
            contact, day = whole(row["contact_id"]) or None, parse_time(row["clicked_at"])
            self.note("clicks", self.give("clicked", day, contact, _named(row)))
        for row in self.tables["contact_events"]:
            if row["event_type"] != "eligibility_answered":
                continue
            contact, day = whole(row["contact_id"]) or None, parse_time(row["created_at"])
            why = self.give("answered", day, contact, _named(row))
            self.note("answers", why)
            if why in ("", "repeated") and _says_yes(row["metadata"]):
                self.give("yes", day, contact, _named(row))

    def read_marks(self) -> None:
        """Give complaints and unsubscriptions to their messages."""
        by_id = {message.id: message for message in self.messages}
        marked = {
            whole(row["schedule_id"])
            for row in self.tables["message_deliveries"]
            if row["status"] == "complaint"
        }
        for number in marked:
            message = by_id.get(number or 0)
            if message is None or not message.was_sent:
                self.note("complaints", "not sent")
            else:
                message.did.add("complaints")
        for row, contacts in self.leavers():
            day = parse_date(row["since"])
            owners = [(self.owner(c, day), c) for c in contacts if day is not None]
            best = max(
                ((m.day, m.id, c) for m, c in owners if m is not None and c is not None),
                default=None,
            )
            contact = best[2] if best else next(iter(contacts), None)
            self.note("unsubscriptions", self.give("unsubscribed", day, contact, None))

    def leavers(self) -> list[tuple[Record, list[int]]]:
        """The suppressions by which contacts unsubscribe, with these contacts."""
        found = []
        for row in self.tables["suppressions"]:
            word = "".join(c for c in text(row["reason"]).lower() if c.isalnum())
            if not word.startswith(("unsubscri", "optout", "optedout")):
                continue
            if text(row.get("channel")).lower() == "sms" or text(row.get("phone")):
                continue
            named = whole(row["contact_id"])
            address = text(row["email"]).lower()
            contacts = [named] if named else []
            contacts += [
                number
                for each in self.tables["contacts"]
                for number in [whole(each["id"])]
                if address and number is not None and text(each["email"]).lower() == address
            ]
            found.append((row, contacts))
        return found


def _named(row: Record) -> int | None:
    try:
        metadata = json.loads(row.get("metadata") or "")
    except ValueError:
        return None
    if not isinstance(metadata, dict):
        return None
    for key in ("message", "schedule_id", "almanac_id"):
        if metadata.get(key) is not None:
            found = str(metadata[key])
            return int(found) if found.isdecimal() else None
    return None
