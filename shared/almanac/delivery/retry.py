"""Whether a failed message can be planned again: until its deadline, and once (semantics:
Candidates)."""

from __future__ import annotations

import datetime as dt

import apsw
import numpy as np

from almanac import civil
from almanac.config import FOLLOWUP_TYPES, Config, first_send_date
from almanac.database import retries
from almanac.database.keyed import keyed_records
from almanac.database.retries import RetriedRow
from almanac.database.suppressions import CAMPAIGN
from almanac.errors import RequestError
from almanac.frames import Days
from almanac.planning.brief import Instance, make_run_context
from almanac.planning.deadlines import (
    aep_deadline,
    anniversary_deadline,
    campaign_deadline,
    followup_deadline,
    post_window_deadline,
)


class Retries:
    """The failed rows that marks make planned rows again, by the configuration and the clock."""

    def __init__(self, connection: apsw.Connection, config: Config, now: dt.datetime) -> None:
        self._connection = connection
        self._config = config
        self._today = now.astimezone(config.zone).date()
        self._first_day = first_send_date(self._today, now, config)
        self._instances: dict[int, Instance] | None = None
        self._retried: dict[tuple[object, ...], int] = {}  # rows of this file by identity

    def check(self, row_id: int) -> None:
        """Raise RequestError if a failed row cannot be planned again; else note its identity."""
        row = retries.planned_row(self._connection, row_id)
        if row is None or not row.ideal:
            raise RequestError("was planned by another scheduler, so that no run plans it again")
        last = self._deadline(row)
        if last < self._first_day:
            raise RequestError(
                f"cannot be sent any more: its last day was {last}, and the next day of sending is "
                f"{self._first_day}"
            )
        other = retries.twin(self._connection, row_id, row)
        if other is None and row.identity in self._retried:
            other = (self._retried[row.identity], "planned again")
        if other is not None:
            raise RequestError(f"its message has another row, {other[0]}, which is {other[1]}")
        self._retried[row.identity] = row_id

    def _deadline(self, row: RetriedRow) -> dt.date:
        """Return the last day on which a row is of use, by its own event and ideal date."""
        timing, kind = self._config.timing, row.email_type.strip().lower()
        ideal = civil.parse_date(row.ideal)
        event = _date_of(row)
        if ideal is None:
            raise RequestError(f"its ideal date {row.ideal!r} is not a date")
        if kind in ("birthday", "effective_date") and event is not None:
            return _date(anniversary_deadline(_days(event), getattr(timing, f"{kind}_days_before")))
        if kind == "aep":
            return _date(aep_deadline(_days(event or ideal), self._config))
        if kind == "post_window":
            return _date(post_window_deadline(_days(ideal), timing))
        if kind in FOLLOWUP_TYPES:
            return _date(followup_deadline(_days(ideal), timing))
        if kind.startswith(CAMPAIGN):
            # without an event it is not before one
            days, instance = (_days(ideal), _days(event or ideal)), self._instance(row.instance)
            return _date(campaign_deadline(instance, *days, timing))
        raise RequestError(f"is of type {row.email_type!r}, which no run plans")

    def _instance(self, number: int) -> Instance:
        """Return the instance of a row; raise RequestError if it takes no part in a run."""
        if self._instances is None:
            types, rows = (
                keyed_records(self._connection, f"campaign_{name}")
                for name in ("types", "instances")
            )
            context = make_run_context(
                as_of=self._today,
                t0=self._first_day,
                config=self._config,
                campaign_types=types,
                campaign_instances=rows,
            )
            self._instances = {each.id: each for each in context.instances}
        found = self._instances.get(number)
        if found is None or not found.takes_part:
            what = "does not exist" if found is None else found.problem or "is not active"
            raise RequestError(f"its campaign, instance {number}: {what}")
        return found


def _date_of(row: RetriedRow) -> dt.date | None:
    try:
        return dt.date(row.event_year, row.event_month, row.event_day)
    except ValueError:
        return None


def _days(day: dt.date) -> Days:
    return np.array([civil.day_of(day)], np.int32)


def _date(days: Days) -> dt.date:
    """Return the only day, at most the last that a date can be."""
    return civil.date_of(min(int(days[0]), civil.day_of(dt.date.max)))
