"""The program that sends what is due: it owns every row that it has touched."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

from tests.support.outside import Record, opened, schedules

FATES = ["sent"] * 12 + ["delivered"] * 5 + ["failed"] * 2 + ["processing"] * 2


class Sender:
    """Marks each day's due rows; random by seed."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._rng = random.Random(f"sender:{seed}")
        self._stuck: list[Record] = []

    def send(self, day: dt.date, share: float = 1.0) -> list[Record]:
        """Send what is due on the day to contacts that exist; the rows as they were before.

        `share` is how much of it gets out before the sender breaks down.
        """
        due = [
            row
            for row in schedules(self._path)
            if row["status"] == "pre-scheduled" and row["scheduled_send_date"] == day.isoformat()
        ]
        with opened(self._path) as connection, connection:
            known = {one for (one,) in connection.execute("SELECT id FROM contacts")}
            due = [row for row in due if row["contact_id"] in known]
            self._rng.shuffle(due)
            done = due[: int(len(due) * share)]
            for row in done:
                fate = self._rng.choice(FATES)
                moment = None if fate in ("failed", "processing") else f"{day} 08:31:00"
                connection.execute(
                    "UPDATE email_schedules SET status = ?, actual_send_datetime = ?"
                    " WHERE id = ? AND status = 'pre-scheduled'",
                    (fate, moment, row["id"]),
                )
                if fate == "processing":
                    self._stuck.append(row)
        return done

    def finish(self, day: dt.date) -> set[int]:
        """What hung yesterday goes out today; the contacts."""
        with opened(self._path) as connection, connection:
            connection.executemany(
                "UPDATE email_schedules SET status = 'sent', actual_send_datetime = ?"
                " WHERE id = ? AND status = 'processing'",
                [(f"{day} 07:00:00", row["id"]) for row in self._stuck],
            )
        finished, self._stuck = {row["contact_id"] for row in self._stuck}, []
        return finished
