"""A trial for `almanac check`: plan a private copy of the file, write the plan to it, and undo it.

What it finds a run would meet: constraints, triggers, views and types of the agency.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import apsw
import numpy as np

from almanac.config import Config
from almanac.database.catalog import scalar
from almanac.database.opening import map_errors, open_database
from almanac.database.schema import PRE_SCHEDULED
from almanac.database.writing import ScheduleWriter
from almanac.errors import AlmanacError, DatabaseBusy, DatabaseError
from almanac.organizations.findings import Findings
from almanac.progress import Progress, silent
from almanac.report.summary import RunSummary
from almanac.runs.apply_plan import Write, merge_run
from almanac.runs.planned_file import opened
from almanac.runs.run_options import RunOptions
from almanac.runs.run_plan import RunPlan

_MACHINE_ERRORS = (apsw.FullError, apsw.IOError, apsw.NoMemError)


def tried(path: Path, config: Config, found: Findings, progress: Progress = silent) -> Findings:
    """Return the findings with the error that a run would end with, if any; nothing is changed.

    Raises DatabaseBusy, and an error of the machine, such as a full disk.
    """
    if not found.usable:
        return found
    try:
        summary = _try(path, config, progress)
    except DatabaseBusy:
        raise
    except AlmanacError as error:
        if isinstance(error.__cause__, _MACHINE_ERRORS):
            raise
        text = str(error).removeprefix(f"{path}: ")
        return found.model_copy(update={"usable": False, "run_fails": text})
    shared = summary.shared_addresses
    return found.model_copy(update={"shared_addresses": shared}) if shared else found


def _try(path: Path, config: Config, progress: Progress) -> RunSummary:
    options = RunOptions(dry_run=True)
    with opened(path, config, options, progress) as copy:
        plan = copy.planned(config, options, progress)
        return merge_run(copy.store, plan, copy.database, TrialCommitter(copy.database), progress)


@dataclass(frozen=True)
class TrialCommitter:
    """Writes to the copy that the run was planned on, in a transaction that is undone."""

    copy: Path

    def commit(self, plan: RunPlan, write: Write) -> RunSummary:
        connection = open_database(self.copy, writable=True)
        try:
            with map_errors(self.copy):
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("BEGIN IMMEDIATE")
                try:
                    summary = write(connection)
                    _next_run(connection, plan)
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
        finally:
            connection.close()
        return summary


def _next_run(connection: apsw.Connection, plan: RunPlan) -> None:
    """Change and remove a planned row, as later runs will."""
    sql = f"SELECT max(id) FROM email_schedules WHERE {PRE_SCHEDULED} AND scheduler_run_id = ?"
    row = scalar(connection, sql, plan.run_id)
    if row is None:
        return
    ids = np.array([row], np.int64)
    writer = ScheduleWriter(connection, (), (), plan.context.send_time, plan.run_id, plan.timestamp)
    try:
        writer.expire(ids)
        writer.remove(ids)
    except DatabaseError:
        raise
    except (apsw.Error, AlmanacError) as error:
        raise DatabaseError(
            f"a planned row can be written, but not changed later: {error}"
        ) from error
