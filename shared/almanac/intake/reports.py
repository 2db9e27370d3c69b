"""What reports of providers become: entries of deliveries, suppressions and activity."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any
from zoneinfo import ZoneInfo

DELIVERIES, SUPPRESSIONS, ACTIVITY = "deliveries", "suppressions", "activity"


class Reports:
    """Entries by kind of event, each with the id of its report, by which it is known again."""

    def __init__(self, source: str, zone: ZoneInfo) -> None:
        """source: the provider; zone: the organization's, for the first day of suppressions."""
        self.source = source
        self._zone = zone
        self.by_kind: defaultdict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)

    def mark(self, report: str, row: int, status: str, **more: Any) -> None:
        """Add a mark of a row; what is None is left out."""
        entry = {"id": row, "status": status, **more}
        self._add(DELIVERIES, report, entry)

    def suppress(self, report: str, reason: str, at: dt.datetime, **whom: str) -> None:
        """Add a suppression from the day of the report on."""
        since = at.astimezone(self._zone).date().isoformat()
        entry = {"action": "add", **whom, "reason": reason, "source": self.source, "since": since}
        self._add(SUPPRESSIONS, report, entry)

    def end(self, report: str, **whom: str) -> None:
        """Add the end of a suppression."""
        self._add(SUPPRESSIONS, report, {"action": "end", **whom})

    def click(self, report: str, email: str, **more: Any) -> None:
        """Add a click of the contact with the address; what is None is left out."""
        entry = {"type": "click", "email": email, **more}
        self._add(ACTIVITY, report, entry)

    def _add(self, kind: str, report: str, entry: dict[str, Any]) -> None:
        given = {key: value for key, value in entry.items() if value is not None}
        self.by_kind[kind].append((report, given))


def row_of(value: object) -> int | None:
    """Return the row that a message's reference names; None for another program's message."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
