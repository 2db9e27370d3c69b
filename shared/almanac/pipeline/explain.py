"""Why one contact gets what it gets: the rules of a run, applied to its rows alone.

The contact's rows are copied out of the file, whatever its size, and planned by the same code as
in a run; what only a whole run can decide, the day, is read from the row that the last run wrote.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from almanac import civil
from almanac.balancing.load import Limits as DayLimits
from almanac.config import Config, load_config
from almanac.database.extract import Extract, extract_contact
from almanac.database.reading import Snapshot
from almanac.errors import RequestError
from almanac.pipeline.briefing import brief_of, date_of_run
from almanac.pipeline.explaining.absences import absences
from almanac.pipeline.explaining.case import Case, date_or_none, plural
from almanac.pipeline.explaining.facts import contact_facts, window_spans
from almanac.pipeline.explaining.messages import message
from almanac.pipeline.orchestrate import first_send_date
from almanac.pipeline.shard import read_range
from almanac.planning.kinds import Vocabulary
from almanac.planning.plan import hold_against_snapshot, plan_contacts
from almanac.report.explanation import CommittedMessage, Explanation, Limits, PlannedRow


@dataclass(frozen=True)
class Moment:
    """Which day, and with which configuration, a contact is explained for."""

    as_of: dt.date
    t0: dt.date
    config: Config
    configuration: str  # in words: where the configuration comes from
    last_run: str | None


def explain_contact(
    path: Path,
    contact_id: int,
    config: Config | None = None,
    as_of: dt.date | None = None,
    now: dt.datetime | None = None,
) -> Explanation:
    """Every candidate of the contact, and the step that decided on each.

    By default the configuration is the one that the file's last run recorded (else the defaults),
    as_of that of the last run (else today), and T0 is as_of unless `now` is past its send time.
    The file is only read. RequestError names the nearest ids where there is no such contact;
    DatabaseError and DatabaseBusy as `open_database` raises them.
    """
    if not -(1 << 63) <= contact_id < 1 << 63:
        raise RequestError(f"contact {contact_id}: ids are whole numbers of at most 64 bits")
    with tempfile.TemporaryDirectory(prefix="almanac-") as folder:
        copy = Path(folder) / "contact.sqlite3"
        extract = extract_contact(path, contact_id, copy)
        if not extract.found:
            near = ", ".join(map(str, extract.nearest))
            hint = f"the nearest ids are {near}" if near else "the table is empty"
            raise RequestError(f"contact {contact_id}: {path} has none with this id; {hint}")
        with Snapshot(copy) as snapshot:
            moment = _moment(path, snapshot, config, as_of, now)
            return _explain(snapshot, extract, moment, contact_id)


def _moment(
    path: Path,
    snapshot: Snapshot,
    config: Config | None,
    as_of: dt.date | None,
    now: dt.datetime | None,
) -> Moment:
    recorded = snapshot.open_config()
    words = "the one given"
    if config is None and recorded is not None:
        config = load_config(recorded, f"{path}: config_versions")
        words = "the one recorded by the last run"
    elif config is None:
        config, words = Config(), "the defaults"
    run = snapshot.last_run()
    last_run = str(run["scheduler_run_id"]) if run and run.get("scheduler_run_id") else None
    if now is not None and now.tzinfo is None:
        now = now.replace(tzinfo=config.zone)
    if as_of is None and now is None:
        as_of = date_of_run(last_run)
    if as_of is None:
        as_of = (now or dt.datetime.now(dt.UTC)).astimezone(config.zone).date()
    t0 = as_of if now is None else first_send_date(as_of, now, config)
    return Moment(as_of, t0, config, words, last_run)


def _explain(snapshot: Snapshot, extract: Extract, moment: Moment, contact_id: int) -> Explanation:
    brief = brief_of(snapshot, moment.config, moment.as_of, moment.t0)
    words = Vocabulary(brief)
    data = read_range(snapshot, brief, None, contact_id, contact_id)
    plan = plan_contacts(data, brief, words)
    limits = DayLimits.of(
        brief.config, civil.day_of(moment.t0), extract.total_contacts, words.kinds
    )
    _, match = hold_against_snapshot(data, plan, brief, words)
    rows = _planned_rows(data.planned, extract.run_ids)
    case = Case(
        brief=brief,
        words=words,
        plan=plan,
        data=data,
        limits=limits,
        standing=extract.standing,
        rows=[rows.get(int(row)) for row in match.columns["previous_id"]],
    )
    messages = [message(case, row) for row in range(len(plan.drafts))]
    claimed = {int(row) for row in match.columns["previous_id"]}
    facts = contact_facts(case)
    messages.sort(key=lambda m: (m.outcome == "skipped", m.day or m.ideal_date, m.email_type))
    result = Explanation(
        contact_id=contact_id,
        as_of=moment.as_of,
        first_send_date=moment.t0,
        horizon=brief.horizon,
        configuration=moment.configuration,
        last_run=moment.last_run,
        verdict="",
        contact=facts,
        windows=window_spans(case),
        committed=_committed(case),
        messages=messages,
        absent=absences(case),
        other_rows=[row for row in rows.values() if row.row_id not in claimed],
        limits=Limits(
            daily_cap=limits.cap,
            ceiling=limits.ceiling,
            effective_date_limit=limits.effective_date_limit,
            max_emails=brief.config.frequency.max_emails,
            period_days=brief.config.frequency.period_days,
        ),
    )
    result.verdict = _verdict(result)
    result.notes = _notes(result)
    return result


def _planned_rows(table: pa.Table, run_ids: dict[int, str]) -> dict[int, PlannedRow]:
    days = civil.parse_dates(table["scheduled_send_date"])
    return {
        row["id"]: PlannedRow(
            row_id=row["id"],
            email_type=row["email_type"],
            campaign_instance_id=row["campaign_instance_id"] or None,
            status="pre-scheduled" if row["scheduled"] else "skipped",
            scheduled_send_date=date_or_none(int(day)),
            skip_reason=row["skip_reason"] or None,
            scheduler_run_id=run_ids.get(row["id"]) or None,
        )
        for row, day in zip(table.to_pylist(), days, strict=True)
    }


def _committed(case: Case) -> list[CommittedMessage]:
    """The rows that the sender owns, oldest first."""
    table = case.data.committed
    days = civil.parse_dates(table["scheduled_send_date"])
    actual = civil.parse_dates(table["actual_send_datetime"])
    history = case.plan.history.rows
    counted = set(history.row_id[history.counted].tolist())
    messages = [
        CommittedMessage(
            row_id=row["id"],
            email_type=row["email_type"],
            campaign_instance_id=row["campaign_instance_id"] or None,
            status=row["status"],
            scheduled_send_date=date_or_none(int(day)),
            sent_date=date_or_none(int(sent)),
            counted=row["id"] in counted,
        )
        for row, day, sent in zip(table.to_pylist(), days, actual, strict=True)
    ]
    return sorted(messages, key=lambda m: (m.scheduled_send_date or dt.date.min, m.row_id))


def _verdict(found: Explanation) -> str:
    who = f"Contact {found.contact_id}"
    if not found.contact.eligible:
        return f"{who} gets nothing: {found.contact.why_not}."
    sent = [m for m in found.messages if m.outcome != "skipped"]
    skipped = [m for m in found.messages if m.outcome == "skipped"]
    if not found.messages:
        return f"{who} gets nothing: no message is due up to {found.horizon}."
    if not sent:
        reasons = list(dict.fromkeys(str(m.skip_reason) for m in skipped))
        number = "its one message is" if len(skipped) == 1 else f"all {len(skipped)} messages are"
        return f"{who} gets nothing: {number} skipped ({'; '.join(reasons)})."
    number = plural(len(sent), "message")
    also = f"; {plural(len(skipped), 'other')} skipped" if skipped else ""
    return f"{who} gets {number} up to {found.horizon}{also}."


def _notes(found: Explanation) -> list[str]:
    notes = []
    if found.last_run is None:
        notes.append("No run has planned this file yet: the days are still to be chosen.")
    elif date_of_run(found.last_run) not in (None, found.as_of):
        notes.append(
            f"The file's last run was {found.last_run}; this is what the rules give as of "
            f"{found.as_of}."
        )
    if any(m.note for m in found.messages):
        notes.append("The file's plan is older than what the rules give now: see the messages.")
    return notes
