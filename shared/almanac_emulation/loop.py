"""What happens between two runs, on a local cloud: contacts, marks, a click and an unsubscribe come
in over HTTP, and the example of a sender sends the day's messages to a mail server."""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from almanac.database.schema import PRE_SCHEDULED
from almanac.errors import AlmanacError
from almanac.intake import inbox
from almanac.organizations.agency_database import StoreDatabase
from almanac.plurals import plural
from almanac.storage.store import ObjectStore
from almanac_emulation.mail import Mail, MailServer

_PROGRAM = [sys.executable, "-c", "from almanac.commands.main import main; main()"]
_FROM = "news@agency.example"
_DAYS_BEFORE = 14  # a birthday
NEW = ("Ada", "Ben", "Cleo")
# what the table of a generated agency needs
_NEW_CONTACT = {
    "last_name": "New",
    "state": "TX",
    "zip_code": "78701",
    "gender": "F",
    "tobacco_user": 0,
    "current_carrier": "Example",
    "plan_type": "G",
}

Happened = tuple[str, str]  # what, and how it came out


@dataclass
class Between:
    """An organization between the runs of two days; day: when messages are sent."""

    store: ObjectStore
    org: str
    intake: str  # URL of the function
    settings: Mapping[str, str]  # the environment of commands
    day: dt.date
    mails: list[Mail] = field(default_factory=list)

    def send_contacts(self) -> Happened:
        """Post new contacts, who have a birthday two weeks after the day."""
        event = self.day + dt.timedelta(days=_DAYS_BEFORE)
        everyone = _NEW_CONTACT | {
            "birth_date": f"1960-{event:%m-%d}".replace("-02-29", "-03-01"),
            "effective_date": str(self.day - dt.timedelta(days=200)),
        }
        contacts = [everyone | {"first_name": name, "email": _address(name)} for name in NEW]
        answer = self._post("contacts", contacts)
        return "contacts by HTTP", f"{plural(answer['accepted'], 'new contact')} accepted"

    def send_messages(self, example: Path) -> list[Happened]:
        """Send the messages of the day by the example of a sender, which marks over HTTP."""
        with MailServer() as server:
            command = [sys.executable, str(example), "--org", self.org, "--on", str(self.day)]
            command += ["--smtp", server.address, "--from", _FROM, "--at-once"]
            self._called([*command, "--intake", self.intake])
            self.mails = server.mails
        waiting = inbox.read(self.store, inbox.waiting(self.store, self.org))
        marks = sum(len(each.event["entries"]) for each in waiting)
        sent = plural(len(self.mails), "mail")
        greeted = sum(each.to in map(_address, NEW) for each in self.mails)
        return [
            ("sent by SMTP", f"{sent} of {self.day}, {greeted} of them to new contacts"),
            ("marks by HTTP", f"{marks} claims and outcomes wait in the inbox"),
            ("left to send on that day", str(self._due())),
        ]

    def answer_messages(self) -> list[Happened]:
        """Post a click of the first who got a mail, and an unsubscribe of the second."""
        clicked, unsubscribed = self._two()
        row = int(clicked.header("X-Almanac-Id"))
        self._post("activity", [{"type": "click", "email": clicked.to, "message": row}])
        reason = {"email": unsubscribed.to, "reason": "unsubscribe"}
        self._post("suppressions", [reason])
        return [
            ("a click by HTTP", f"{clicked.to}, message {row}"),
            ("an unsubscribe by HTTP", unsubscribed.to),
        ]

    def outcome(self) -> list[Happened]:
        """Return what the run after it made of it all."""
        clicked, unsubscribed = self._two()
        planned = f"{PRE_SCHEDULED} AND contact_id IN (SELECT id FROM contacts WHERE email = ?)"
        with StoreDatabase(self.store, self.org).open() as source:
            query = source.connection.execute
            ((marked,),) = query("SELECT count(DISTINCT schedule_id) FROM message_deliveries")
            ((left,),) = query(
                f"SELECT count(*) FROM email_schedules WHERE {planned}", (unsubscribed.to,)
            )
            found = query(
                "SELECT email_type || ' on ' || scheduled_send_date FROM email_schedules "
                f"WHERE email_type LIKE 'followup%' AND {planned}",
                (clicked.to,),
            )
            followups = ", ".join(text for (text,) in found) or "none"
        waiting = len(inbox.waiting(self.store, self.org))
        return [
            ("rows marked now", f"{marked}; {plural(waiting, 'object')} left in the inbox"),
            ("follow-up of the click", followups),
            ("planned for the other one", str(left)),
        ]

    def _two(self) -> tuple[Mail, Mail]:
        """Return two mails, those to new contacts first."""
        new = set(map(_address, NEW))
        first, second, *_ = sorted(self.mails, key=lambda mail: (mail.to not in new, mail.to))
        return first, second

    def _due(self) -> int:
        command = [*_PROGRAM, "due", "--org", self.org, "--on", str(self.day)]
        return self._called(command).count("\n")

    def _called(self, command: list[str]) -> str:
        environment = {**os.environ, **self.settings, "ALMANAC": shlex.join(_PROGRAM)}
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise AlmanacError(f"{Path(command[1]).name}: {ended.stderr.strip()}")
        return ended.stdout

    def _post(self, kind: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.intake}/orgs/{self.org}/{kind}",
            json.dumps(entries).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


def _address(name: str) -> str:
    return f"{name.lower()}@new.example"
