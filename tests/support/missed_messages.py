"""What `almanac missed` says, and what `almanac explain` says of the same messages."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from almanac.explain.lookup import Question
from almanac.explain.model import Absence, Explanation
from almanac.missed.asked import AskedFor
from almanac.missed.missed import MissedMessage, missed_of
from almanac.organizations.agency_database import FileDatabase
from almanac.progress import silent
from tests.support.explanations import explain_contact

ON_THE_WAY = ("scheduled", "processing", "sent", "delivered")
FOLLOWED_UP = "what was sent has a follow-up, or its campaign has no follow-ups"
Sentences = dict[int, Counter[str]]  # by contact


def missed_rows(path: Path, **asked: str) -> list[MissedMessage]:
    """The missed messages of a file."""
    with missed_of(FileDatabase(path), AskedFor(**asked), Question()) as found:
        return list(found.rows(silent))


def sentences(rows: list[MissedMessage]) -> Sentences:
    """The sentences about each contact."""
    found: Sentences = {}
    for row in rows:
        found.setdefault(row.contact_id, Counter())[row.sentence] += 1
    return found


class Explained:
    """What explain says of each contact of a file, asked once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[int, Explanation] = {}

    def of(self, contact: int) -> Explanation:
        if contact not in self._known:
            self._known[contact] = explain_contact(self._path, contact)
        return self._known[contact]

    def missed(self, contact: int, name: str, *, campaign: bool) -> Counter[str]:
        """The sentences about the messages that the contact misses of a type or a campaign.

        Of contacts that get nothing, a campaign's targets are not known here: see the test.
        """
        found = self.of(contact)
        if not found.contact.eligible:
            return Counter([str(found.contact.why_not)])
        said: Counter[str] = Counter()
        for message in found.messages:
            mine = message.name == name
            if name == "followup":
                mine = message.email_type.startswith(name)
            if mine and message.outcome != "planned":
                said[message.last.why] += 1
        pattern = re.escape(name) + ("( for .*)?" if campaign else "")
        for absence in found.absent:
            if re.fullmatch(pattern, absence.name, re.DOTALL) and not _on_the_way(absence):
                said[absence.why] += 1
        return said


def _on_the_way(absence: Absence) -> bool:
    status: Any = absence.inputs.get("status")
    return status in ON_THE_WAY or absence.why.startswith(("it was sent according", FOLLOWED_UP))
