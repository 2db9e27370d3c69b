"""The messages of a contact in a period: what became of each row, and by which rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

import apsw

from almanac import civil
from almanac.config import Config
from almanac.database.catalog import Record
from almanac.database.deliveries import marks_of
from almanac.evidence.model import EvidenceMark, EvidenceMessage, Outcome, RecordedRun
from almanac.evidence.records import Period, RunHistory, config_in
from almanac.explain.case import Case
from almanac.explain.history import planned_message, sent_message
from almanac.explain.messages import message
from almanac.explain.model import CommittedMessage, Decision, PlannedRow
from almanac.explain.windows import excluded_day
from almanac.names import date_of_run
from almanac.rulebook.model import RuleLine
from almanac.schedule_status import PLANNED_STATUSES, SENT_STATUSES, Status

PlanAsOf = Callable[[Config, dt.date], Case]

DATES = ("scheduled_send_date", "actual_send_datetime")  # of a row, the first its day


@dataclass
class ContactMessages:
    """Describes the rows of a contact; each run that wrote one is planned again once."""

    connection: apsw.Connection  # of the whole database
    history: RunHistory
    plan_as_of: PlanAsOf
    state: str | None
    today: dt.date  # the day of the last run
    _cases: dict[tuple[str, dt.date], Case] = field(default_factory=dict)

    def describe(self, row: Record) -> EvidenceMessage:
        """Return what became of a row of email_schedules, and what decided it."""
        run = self.history.run(_text(row, "scheduler_run_id"))
        config = config_in(self.history.configuration(run.configuration if run else None))
        day = civil.parse_date(_text(row, DATES[0]) or "")
        case = self._case_of(run, config)
        status = _text(row, "status") or ""
        rules = config.rules.get(self.state, ()) if config and self.state else ()
        return EvidenceMessage(
            outcome=outcome_of(status),
            what=self._what(row, status, day),
            day=day,
            email_type=_text(row, "email_type") or "",
            run=_text(row, "scheduler_run_id"),
            configuration=run.configuration if run else None,
            rules=[
                RuleLine.of(self.state, rule)
                for rule in rules
                if self.state and day and rule.is_law_on(day)
            ],
            protected=_protected(case, day),
            decisions=_decisions(case, row["id"]),
            marks=[EvidenceMark(**mark._asdict()) for mark in marks_of(self.connection, row["id"])],
            row=row,
        )

    def _case_of(self, run: RecordedRun | None, config: Config | None) -> Case | None:
        """Return the plan of the contact by the configuration of a run, as of the run's day."""
        as_of = date_of_run(run.run_id) if run else None
        if run is None or config is None or as_of is None:
            return None
        key = (run.configuration or "", as_of)
        if key not in self._cases:
            self._cases[key] = self.plan_as_of(config, as_of)
        return self._cases[key]

    def _what(self, row: Record, status: str, day: dt.date | None) -> str:
        email_type = _text(row, "email_type") or ""
        instance = row.get("campaign_instance_id")
        instance = instance if type(instance) is int else None
        if status not in PLANNED_STATUSES:
            committed = CommittedMessage(
                row_id=row["id"],
                email_type=email_type,
                campaign_instance_id=instance,
                status=status,
                scheduled_send_date=day,
                sent_date=civil.parse_date(_text(row, DATES[1]) or ""),
                counted=False,
            )
            return sent_message(committed, self.connection).what
        planned = PlannedRow(
            row_id=row["id"],
            email_type=email_type,
            campaign_instance_id=instance,
            status=status,
            scheduled_send_date=day,
            skip_reason=_text(row, "skip_reason"),
            scheduler_run_id=_text(row, "scheduler_run_id"),
        )
        if status == Status.PRE_SCHEDULED and (day is None or day >= self.today):
            return f"planned for {day or 'a date that cannot be read'}"
        return planned_message(planned).what


def in_period(row: Record, dates: tuple[str, ...], period: Period) -> bool:
    """Return whether one of the dates of a row is in the period, or none of them can be read."""
    days = [civil.parse_date(_text(row, name) or "") for name in dates]
    read = [day for day in days if day is not None]
    return not read or any(period[0] <= day <= period[1] for day in read)


def outcome_of(status: str) -> Outcome:
    """Return the outcome of a message with a status."""
    if status in SENT_STATUSES:
        return "sent"
    if status in (Status.SCHEDULED, Status.PROCESSING):
        return "with the sender"
    by_status: dict[str, Outcome] = {
        Status.PRE_SCHEDULED: "planned",
        Status.SKIPPED: "withheld",
        Status.BOUNCED: "bounced",
        Status.FAILED: "failed",
    }
    return by_status.get(status, "unknown status")


def _protected(case: Case | None, day: dt.date | None) -> str | None:
    if case is None or day is None or not case.eligible or not case.cause(civil.day_of(day)):
        return None
    return excluded_day(case, civil.day_of(day))


def _decisions(case: Case | None, row_id: int) -> list[Decision]:
    """Return the decisions on the candidate that is in a row; none if the rules give none now."""
    if case is None:
        return []
    found = [at for at, row in enumerate(case.rows) if row is not None and row.row_id == row_id]
    return message(case, found[0]).decisions if found else []


def _text(row: Record, name: str) -> str | None:
    value = row.get(name)
    return None if value in (None, "") else str(value)
