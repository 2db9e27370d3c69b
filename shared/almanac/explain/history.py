"""A past day of a contact: what is recorded of it, and what cannot be known any more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import apsw

from almanac.database.catalog import Record
from almanac.database.deliveries import marks_of
from almanac.explain.case import Case
from almanac.explain.model import (
    CommittedMessage,
    DayExplanation,
    DayHistory,
    PastMessage,
    PlannedRow,
)
from almanac.names import date_of_run
from almanac.schedule_status import SENT_STATUSES, SkipCode, Status, parse_code

UNRECORDED = (
    "A run replaces planned rows: what was planned for the day and then moved, changed or removed "
    "by a later run is not recorded."
)
AS_NOW = (
    "Windows and closed days are by the contact, the configuration and the suppressions as they "
    "are now, which may have been others then."
)


def day_history(
    case: Case,
    on: DayExplanation,
    email_type: str | None,
    connection: apsw.Connection,
    runs: Sequence[Record],
    configs: Sequence[Record],
) -> DayHistory:
    """Return what is recorded of a day before the first send date.

    connection: of the whole database, for the marks of a sender. runs, configs: the rows of
    scheduler_checkpoints and of config_versions, the oldest first.
    """
    rows = [row for row in (*case.rows, *case.other_rows) if row is not None]
    planned = [
        planned_message(row)
        for row in rows
        if row.scheduled_send_date == on.day and email_type in (None, row.email_type)
    ]
    return DayHistory(
        messages=[sent_message(row, connection) for row in on.committed] + planned,
        run=_run_of(on.day, runs),
        unknown=[*_changes(on.day, configs), UNRECORDED, AS_NOW],
    )


def sent_message(row: CommittedMessage, connection: apsw.Connection) -> PastMessage:
    """Return what became of a row that a sender has or had, with its marks."""
    marks = marks_of(connection, row.row_id)
    words = [row.status or "no status"]
    words += [f"on {row.sent_date}"] if row.sent_date and row.status in SENT_STATUSES else []
    return PastMessage(
        email_type=row.email_type,
        row_id=row.row_id,
        status=row.status,
        what=" ".join(words),
        marks=[
            f"{mark.status} {mark.at}{f' ({mark.detail})' if mark.detail else ''}" for mark in marks
        ],
    )


def planned_message(row: PlannedRow) -> PastMessage:
    """Return what became of a row of the plan."""
    by = f", by the run {row.scheduler_run_id}" if row.scheduler_run_id else ""
    if row.status == Status.PRE_SCHEDULED:
        what = f"planned for the day{by}; no sender has taken it, and no run has planned it since"
    elif parse_code(row.skip_reason) is SkipCode.NOT_SENT:
        what = f"planned for the day and not sent by its deadline{by}"
    else:
        what = f"skipped: {row.skip_reason or 'no reason recorded'}{by}"
    return PastMessage(
        email_type=row.email_type, row_id=row.row_id, status=row.status, what=what, marks=[]
    )


def _run_of(day: dt.date, runs: Sequence[Record]) -> str:
    """Return which run planned on the day, or the last one before it."""
    dated = [(date_of_run(str(run.get("scheduler_run_id"))), run) for run in runs]
    earlier = [(date, run) for date, run in dated if date is not None and date <= day]
    if not earlier:
        return "no run is recorded up to that day"
    date, run = max(earlier, key=lambda pair: pair[0])
    name = run["scheduler_run_id"]
    return f"planned by the run {name}" if date == day else f"the last run before it was {name}"


def _changes(day: dt.date, configs: Sequence[Record]) -> list[str]:
    """Return that the configuration has changed since, if it has."""
    since = [str(row.get("valid_from"))[:10] for row in configs]
    later = [date for date in since if date > str(day)]
    return (
        [f"The configuration that this is explained by was recorded later, on {later[-1]}."]
        if later
        else []
    )
