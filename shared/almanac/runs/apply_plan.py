"""The end of a merge: choose days, and write the changes in the committer's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import apsw
import numpy as np

from almanac.contact_ranges import ContactRange
from almanac.database.changes import write_change
from almanac.database.config_versions import record_config
from almanac.database.deferred_indexes import drop_for_first_run
from almanac.database.migrations import create_early_indexes, create_indexes, migrate
from almanac.database.owners import owners
from almanac.database.run_records import (
    settle_new_targets,
    write_checkpoint,
    write_issues,
    write_target_statuses,
)
from almanac.database.undo.record import ChangeRecorder
from almanac.database.writing import ScheduleWriter, Statement
from almanac.errors import Corrupt, DatabaseError
from almanac.frames import Ids, ScheduleRows
from almanac.messaging.planned_change import PlannedChange
from almanac.planning.campaigns import TARGET_STATUSES
from almanac.progress import Progress
from almanac.report.summary import RunSummary
from almanac.runs.balance import Balanced, balance
from almanac.runs.fragment_validation import judged
from almanac.runs.outcomes import Outcome, outcomes_ahead
from almanac.runs.run_plan import RunPlan
from almanac.runs.suppression_check import check_suppressed
from almanac.runs.totals import PlanTotals
from almanac.storage.store import ObjectStore
from almanac.tracing import span, traced


class Write(Protocol):
    """Writes a run in the committer's transaction; without a connection it only sums up."""

    def __call__(
        self, connection: apsw.Connection | None, recorder: ChangeRecorder | None = None
    ) -> RunSummary: ...


class BrokenChange(DatabaseError):
    """A campaign change that the database refuses by its own constraints."""

    def __init__(self, change: PlannedChange, reason: str) -> None:
        instance = change.campaign_instance_id
        super().__init__(f"campaign_instances: change {change.event_id} of {instance}: {reason}")
        self.change = change


class Committer(Protocol):
    """Commits a run: all of its changes or none."""

    def commit(self, plan: RunPlan, write: Write) -> RunSummary:
        """Call `write` inside one transaction and commit the result.

        Raises SnapshotMoved or Superseded if another program wrote since the snapshot.
        """
        ...


def merge_run(
    store: ObjectStore, plan: RunPlan, database: Path, committer: Committer, progress: Progress
) -> RunSummary:
    """Place every message of a run whose fragments are all there, and commit the result.

    database: the snapshot's file. Raises BadFragment, and what the committer raises.
    """
    return commit_run(store, balance(store, plan, database, progress), committer, progress)


def commit_run(
    store: ObjectStore, balanced: Balanced, committer: Committer, progress: Progress
) -> RunSummary:
    """Commit a run whose messages have their days; raises as `merge_run`."""

    def write(
        connection: apsw.Connection | None, recorder: ChangeRecorder | None = None
    ) -> RunSummary:
        return write_run(store, balanced, connection, progress, recorder)

    return committer.commit(balanced.plan, write)


@traced("write")
def write_run(
    store: ObjectStore,
    balanced: Balanced,
    connection: apsw.Connection | None,
    progress: Progress,
    recorder: ChangeRecorder | None = None,
) -> RunSummary:
    """Write all changes of the run inside the caller's transaction, and return its summary.

    Without a connection nothing is written: the summary is that of a dry run. recorder: what keeps
    the changes, so that they can be undone.
    """
    plan, kind_table = balanced.plan, balanced.kind_table
    totals = PlanTotals(balanced)
    writer = None
    migrations: list[str] = []
    deferred: list[str] = []
    affected: list[Ids] = []
    if connection is not None:
        progress("migrate", 0, 1)
        migrations = migrate(connection, plan.context.legacy_instance, plan.timestamp)
        deferred = drop_for_first_run(connection, len(balanced.placement.day))
        migrations += create_early_indexes(connection)
        _write_changes(connection, plan)
        writer = ScheduleWriter(
            connection,
            kind_table.kinds,
            kind_table.reasons,
            plan.context.send_time,
            plan.run_id,
            plan.timestamp,
            recorder.inserts if recorder else None,
        )
    progress("write", 0, len(balanced.fragments))
    with outcomes_ahead(store, balanced, lambda found: _prepared(totals, writer, found)) as parts:
        for done, part in enumerate(parts):
            if connection is not None and writer is not None:
                with judged(done, balanced.fragments[done].name):
                    _check_owners(connection, part.outcome, plan.shards[done])
                _write(connection, writer, part, plan.timestamp)
                if recorder is not None:
                    recorder.watch()
                if plan.of_affected:
                    affected.append(np.unique(part.outcome.fragment.candidates.contact_id))
            progress("write", done + 1, len(balanced.fragments))
    summary = totals.summary(migrations)
    if connection is not None:
        progress("index", 0, 1)
        with span("index", create_indexes):
            summary.migrations += create_indexes(connection, deferred)
        check_suppressed(connection, balanced, np.concatenate(affected) if affected else None)
        if plan.context.legacy_instance is not None:
            settle_new_targets(connection, plan.context.legacy_instance, plan.timestamp)
        record_config(connection, plan.context.config.canonical(), plan.timestamp)
        write_checkpoint(connection, **_checkpoint(plan, summary))
        progress("index", 1, 1)
    return summary


def _write_changes(connection: apsw.Connection, plan: RunPlan) -> None:
    for change in plan.changes:
        try:
            write_change(
                connection,
                event_id=change.event_id,
                instance_id=change.campaign_instance_id,
                changes=change.changes,
                changed_by=change.changed_by,
                now=plan.timestamp,
            )
        except (apsw.ConstraintError, apsw.SQLError, DatabaseError) as error:
            raise BrokenChange(change, str(error)) from error


def _check_owners(connection: apsw.Connection, outcome: Outcome, contacts: ContactRange) -> None:
    """Check that every row to change belongs to the claimed contact; raise Corrupt.

    A target that was sent comes without its contact: it must belong to the shard's contacts.
    """
    candidates, removals = outcome.fragment.candidates, outcome.fragment.removals
    claimed = outcome.changed & (candidates.previous_id != 0)
    for row_ids, expected in (
        (candidates.previous_id[claimed], candidates.contact_id[claimed]),
        (removals.previous_id, removals.contact_id),
    ):
        if not np.array_equal(owners(connection, "email_schedules", row_ids), expected):
            raise Corrupt("it names planned rows that are not its contacts'")
    statuses = outcome.fragment.statuses
    of = owners(connection, "contact_campaigns", statuses.target_id)
    first, last = contacts
    if len(of) != len(statuses) or not ((of >= first) & (of <= last)).all():
        raise Corrupt("it names campaign targets that are not its contacts'")


@dataclass(frozen=True)
class _Prepared:
    """An outcome, and what is written of it."""

    outcome: Outcome
    rows: list[Statement]
    targets: dict[str, Ids]  # by the status in contact_campaigns that they get


def _prepared(totals: PlanTotals, writer: ScheduleWriter | None, outcome: Outcome) -> _Prepared:
    """Add an outcome to the totals, and prepare what is written of it; writer: None in a dry run.

    No connection is used: meanwhile SQLite writes what was prepared before.
    """
    totals.add(outcome)
    if writer is None:
        return _Prepared(outcome, [], {})
    candidates = outcome.fragment.candidates
    rows = ScheduleRows(
        row_id=candidates.previous_id,
        contact_id=candidates.contact_id,
        kind=candidates.kind,
        event=candidates.event,
        ideal=candidates.ideal,
        day=outcome.day,
        reason=outcome.reason,
        sms=candidates.sms,
        details=candidates.details,
    ).take(outcome.changed)
    return _Prepared(outcome, writer.prepared(rows, outcome.fragment.metadata), _targets(outcome))


def _targets(outcome: Outcome) -> dict[str, Ids]:
    """Return the targets whose status the plan changes."""
    statuses = outcome.fragment.statuses
    scheduled, skipped, sent = (TARGET_STATUSES.index(s) for s in ("scheduled", "skipped", "sent"))
    reason = np.append(outcome.reason, 0)[statuses.candidate]  # -1, of a sent one, is the last
    planned = np.where(reason == 0, scheduled, skipped)
    status = np.where(statuses.candidate < 0, sent, planned)
    differs = status != statuses.status
    return {
        TARGET_STATUSES[code]: statuses.target_id[differs & (status == code)]
        for code in np.unique(status[differs]).tolist()
    }


def _write(connection: apsw.Connection, writer: ScheduleWriter, part: _Prepared, now: str) -> None:
    removals, issues = part.outcome.fragment.removals, part.outcome.fragment.issues
    writer.remove(removals.previous_id[~removals.history])
    writer.expire(removals.previous_id[removals.history & removals.scheduled])
    writer.write(part.rows)
    write_issues(connection, issues.gone, issues.written, now)
    write_target_statuses(connection, part.targets, now)


def _checkpoint(plan: RunPlan, summary: RunSummary) -> dict[str, str | int | None]:
    return {
        "run_timestamp": plan.timestamp,
        "scheduler_run_id": plan.run_id,
        "contacts_checksum": summary.checksums.contacts,
        "schedules_before_checksum": summary.checksums.schedules_before,
        "schedules_after_checksum": summary.checksums.schedules_after,
        "contacts_processed": summary.contacts_in_scope,
        "emails_scheduled": summary.planned_total,
        "emails_skipped": summary.skipped_total,
        "status": "completed",
        "completed_at": plan.timestamp,
    }
