"""A run for a day far from that of the file's last run, which probably is a mistyped date."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from almanac.database.reading import Snapshot
from almanac.names import date_of_run
from almanac.plurals import plural

FAR = 31  # days after the last run's


@dataclass(frozen=True)
class DayJump:
    """A run for another day than an operator would expect, and what it loses."""

    last: dt.date  # the day of the file's last run
    as_of: dt.date
    lost: int  # planned messages that the run would drop or move

    def in_words(self) -> str:
        """Return what is unusual and what follows, in a sentence without a full stop."""
        days = (self.as_of - self.last).days
        where = f"{plural(abs(days), 'day')} {'before' if days < 0 else 'after'} it"
        text = f"the file's last run was for {self.last}, and this one is for {self.as_of}, {where}"
        if not self.lost:
            return text
        messages = plural(self.lost, "planned message")
        if days < 0:
            follows = f"it would remove {messages} beyond its horizon"
        else:
            follows = f"it would drop or move {messages} dated before {self.as_of}"
        return f"{text}: {follows}; a run for {self.last} would bring back what is lost"


def day_jump(snapshot: Snapshot, as_of: dt.date, horizon_days: int) -> DayJump | None:
    """Return the jump from the last run's day, if it is one to ask about.

    It is one back, or ahead by more than FAR days. A file without an earlier run has none.
    """
    run = snapshot.last_run()
    last = date_of_run(str(run.get("scheduler_run_id"))) if run else None
    if last is None or last <= as_of <= last + dt.timedelta(days=FAR):
        return None
    if as_of > last:
        column, first, end = "scheduled_send_date", last, as_of - dt.timedelta(days=1)
    else:
        column, first = "ideal_send_date", as_of + dt.timedelta(days=horizon_days + 1)
        end = dt.date.max
    return DayJump(
        last, as_of, snapshot.planned_between(column, first.isoformat(), end.isoformat())
    )
