"""Whether a failed message can be planned again: until its deadline, and once (semantics:
Candidates)."""

from __future__ import annotations

import datetime as dt

import apsw

from almanac import civil
from almanac.config import FOLLOWUP_TYPES, Config, first_send_date
from almanac.database import retries
from almanac.database.catalog import small_table
from almanac.database.retries import RetriedRow
from almanac.errors import RequestError
from almanac.planning.brief import Instance, make_run_context

CAMPAIGN = "campaign_"  # what the types of campaigns begin with


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
            lead = getattr(timing, f"{kind}_days_before")
            return event - dt.timedelta(days=1 if lead > 0 else 0)
        if kind == "aep":
            return _after(event or ideal, self._config.aep.valid_days)
        if kind == "post_window":
            return _after(ideal, timing.post_window_valid_days)
        if kind in FOLLOWUP_TYPES:
            return _after(ideal, timing.followup_lookback_days - timing.followup_delay_days)
        if kind.startswith(CAMPAIGN):
            return self._campaign_deadline(row, ideal, event)
        raise RequestError(f"is of type {row.email_type!r}, which no run plans")

    def _campaign_deadline(self, row: RetriedRow, ideal: dt.date, event: dt.date | None) -> dt.date:
        instance = self._instance(row.instance)
        valid = _after(ideal, self._config.timing.campaign_valid_days)
        if instance.spread is not None:
            last = max(instance.spread[1], valid)
        elif instance.days_before_event > 0 and event is not None and ideal < event:
            last = event - dt.timedelta(days=1)
        else:
            last = valid
        return min(last, instance.active_end or last)

    def _instance(self, number: int) -> Instance:
        """Return the instance of a row; raise RequestError if it takes no part in a run."""
        if self._instances is None:
            types, rows = (
                small_table(self._connection, f"campaign_{name}") for name in ("types", "instances")
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


def _after(day: dt.date, days: int) -> dt.date:
    """Return the day so many days later, at most the last that a date can be."""
    return day + dt.timedelta(days=min(days, (dt.date.max - day).days))
