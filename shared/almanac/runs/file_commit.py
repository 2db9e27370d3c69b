"""How the run of a file ends: its changes in one transaction, or none."""

from __future__ import annotations

from dataclasses import dataclass

from almanac.config import Config
from almanac.database.config_versions import open_record
from almanac.database.older_plans import adopt_scheduled
from almanac.database.open_file import OpenFile
from almanac.database.opening import transaction
from almanac.database.undo.entries import WritingCommand
from almanac.database.undo.record import undoable
from almanac.errors import AlmanacError, DatabaseError
from almanac.organizations.carried_rows import CarriedRows
from almanac.organizations.recorded_config import parsed
from almanac.report.summary import RunSummary
from almanac.runs.apply_plan import Write
from almanac.runs.run_options import RunOptions
from almanac.runs.run_plan import RunPlan
from almanac.tracing import traced


@dataclass(frozen=True)
class FileCommitter:
    """Changes the user's file in one transaction if no other program wrote to it meanwhile.

    carried: told whose rows that changes.
    """

    file: OpenFile
    options: RunOptions
    carried: CarriedRows

    @traced("commit")
    def commit(self, plan: RunPlan, write: Write) -> RunSummary:
        try:
            with transaction(self.file.connection, self.file.path):
                self.file.check_unmoved()
                if self.options.of_the_file:
                    self._check_recorded(plan.context.config)
                self.carried.begin(self.file.connection, plan.total_contacts)
                summary = self._write(plan, write)
                self.carried.end(self.file.connection)
                return summary
        except DatabaseError as error:
            if str(self.file.path) in str(error):
                raise
            raise DatabaseError(f"{self.file.path}: {error}") from error

    def _write(self, plan: RunPlan, write: Write) -> RunSummary:
        """Write, and keep what that changes, so that it can be undone."""
        event = plan.changes[0].event_id if plan.changes else self.options.event_id
        command = WritingCommand.CAMPAIGN_SET if plan.changes else WritingCommand.RUN
        detail = f"for {plan.as_of}"
        with undoable(self.file.connection, command, detail, event) as recorder:
            if self.options.adopt_scheduled:
                adopt_scheduled(
                    self.file.connection,
                    plan.as_of.isoformat(),
                    plan.scope,
                    plan.context.config.contacts,
                )
            summary = write(self.file.connection, recorder)
        return summary.model_copy(update={"not_undoable": recorder.refused})

    def _check_recorded(self, config: Config) -> None:
        """Raise AlmanacError if another configuration was recorded while the run planned."""
        row = open_record(self.file.connection)
        text = str(row["config_data"]) if row else ""
        if (parsed(text, str(self.file.path)) if text else Config()) != config:
            raise AlmanacError(
                f"{self.file.path}: another configuration was recorded while the run planned; "
                "nothing was changed; run again"
            )


@dataclass(frozen=True)
class DryCommitter:
    """Writes nothing."""

    def commit(self, plan: RunPlan, write: Write) -> RunSummary:
        return write(None).model_copy(update={"dry_run": True})
