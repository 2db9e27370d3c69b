"""The commit of a run in a store: publish the next version of the database, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from almanac.database.catalog import describe, scalar
from almanac.database.census import Census, take_census
from almanac.database.change_sets.rows import record_changes
from almanac.database.indexes import indexed_by
from almanac.database.opening import map_errors, open_database, quick_check, transaction
from almanac.database.scanning import Scan
from almanac.database.schema import PRE_SCHEDULED, STATUS_INDEX
from almanac.errors import Corrupt, SnapshotMoved, Superseded
from almanac.organizations.changed_snapshots import SnapshotChange
from almanac.organizations.kept_columns import KeptColumns
from almanac.organizations.kept_days import days_to_keep
from almanac.organizations.organizations import census_of
from almanac.organizations.version_changes import CHANGES_OF_ALL, WITHOUT_CHANGES
from almanac.planning.contacts import ISSUE_ADVICE
from almanac.processes import beside
from almanac.report.events import RunEvents
from almanac.report.page import report_files
from almanac.report.page_data import Numbers, page_of_summary
from almanac.report.summary import RunSummary
from almanac.runs.absorb import (
    CHANGES_BYTES,
    LATE_OBJECTS,
    NEW_TABLES,
    TOO_LARGE,
    Late,
    absorb_late,
)
from almanac.runs.apply_plan import Write
from almanac.runs.run_plan import RunPlan
from almanac.runs.services import Services
from almanac.runs.version_facts import version_facts
from almanac.schedule_status import Status
from almanac.statistics.database_counts import survey
from almanac.statistics.settings_in_words import setting_lines
from almanac.storage import layout
from almanac.storage.publish import NewVersion, publish
from almanac.storage.versions import Current, current_since, manifest_of
from almanac.tracing import traced


@dataclass
class StoreCommitter:
    """Writes into a private copy of the snapshot's database, and publishes the copy.

    database is the copy, with the pages of `change` in it if there are any; the store may take the
    file away. late: what came meanwhile and was applied in the commit.
    """

    services: Services
    database: Path
    columns: KeptColumns
    seconds: Callable[[], dict[str, float]] = dict  # by step so far, and in all
    change: SnapshotChange | None = None
    late: Late | None = field(default=None, init=False)
    without_changes: str = field(default="", init=False)
    _session: apsw.Session | None = field(default=None, init=False)
    _writing: apsw.Connection | None = field(default=None, init=False)

    @traced("commit")
    def commit(self, plan: RunPlan, write: Write) -> RunSummary:
        """See Committer. Raises Corrupt if the copy does not hold what the run wrote."""
        parent = parent_of(self.services, plan)
        manifest = manifest_of(self.services.store, parent[0].folder)
        connection = open_database(self.database, writable=True)
        try:
            with map_errors(self.database):
                counted = census_of(manifest) if manifest else None
                old = counted or take_census(connection, plan.as_of, plan.context.config.contacts)
                committed = old.committed
                if counted is not None and self.change is not None:
                    committed += self.change.absorbed.committed
            # no other process has the file, and after a crash it is discarded
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("PRAGMA synchronous = OFF")
            with transaction(connection, self.database):
                before = _scheduled(connection)
                self.columns.begin(connection)
                summary = self._write(plan, write, connection)
                self.late = self._absorb_late(plan, connection)
                summary = summary.model_copy(update={"events": self.events})
                scheduled = before - summary.scheduled_before + summary.planned_total
                if self.late is not None:
                    scheduled -= self.late.pre_scheduled
                    committed += self.late.committed
                if plan.context.legacy_instance is not None:
                    scheduled = _scheduled(connection)  # old rate increases have become targets
            changes = self._changes(summary)
            self.columns.end(connection)
        except SnapshotMoved as error:
            raise Corrupt(
                f"run {plan.run_id}: {error}; its fragments are not of its snapshot"
            ) from error
        finally:
            self._end_session()
            connection.close()
        self._publish(
            plan, parent, summary, changes, lambda: self._checked(plan, committed, scheduled)
        )
        self.services.progress("publish", 1, 1)
        return summary

    def watch(self) -> None:
        """Give up the change set if it has grown too large; to be called during the write."""
        if self._writing is not None:
            # the journal keeps pages in memory: of what was written until now none is needed
            self._writing.execute("COMMIT")
            self._writing.execute("BEGIN IMMEDIATE")
        self.columns.watch()
        if self._session is not None and self._session.memory_used > CHANGES_BYTES:
            self.without_changes = TOO_LARGE
            self._end_session()

    def _write(self, plan: RunPlan, write: Write, connection: apsw.Connection) -> RunSummary:
        if plan.context.legacy_instance is not None:
            self.without_changes = "old rate increases became campaign targets"
        else:
            self._session = record_changes(connection)
        self._writing = connection
        try:
            return write(connection)
        finally:
            self._writing = None

    @property
    def events(self) -> RunEvents:
        """What was taken from the inbox, before planning and in the commit."""
        before = self.change.absorbed.counts if self.change is not None else RunEvents()
        return before.plus(self.late.counts) if self.late is not None else before

    def _absorb_late(self, plan: RunPlan, connection: apsw.Connection) -> Late | None:
        known = self.change.absorbed.objects if self.change is not None else []
        return absorb_late(self.services, plan, connection, known)

    def _changes(self, summary: RunSummary) -> bytes | None:
        """Return the change set of the version, in the format of SQLite's session extension.

        None, with the reason in `without_changes`, if it is too large, or if columns or tables were
        added, which it cannot express.
        """
        if self.change is not None and self.change.changes is None:
            self.without_changes = self.change.without_changes
        elif self._migrated(summary):
            self.without_changes = NEW_TABLES
        elif self._session is not None:
            return self._with_absorbed(self._session.changeset())
        return None

    def _migrated(self, summary: RunSummary) -> bool:
        """Return whether the commit has changed the schema."""
        return bool(summary.migrations) or (self.late is not None and self.late.new_tables)

    def _with_absorbed(self, changes: bytes) -> bytes:
        """Return the change set of what was absorbed before planning, and of the run."""
        if self.change is None or self.change.changes is None:
            return changes
        builder: Any = apsw.ChangesetBuilder()  # type: ignore[no-untyped-call]
        builder.add(self.services.store.read(self.change.changes).data)
        builder.add(changes)
        return bytes(builder.output())

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _of_changes(self, changes: bytes | None) -> dict[str, Any]:
        """Return what the manifest says of the change set, and what of the inbox is in it late."""
        return {
            LATE_OBJECTS: list(self.late.objects) if self.late is not None else [],
            WITHOUT_CHANGES: self.without_changes,
            CHANGES_OF_ALL: changes is not None,
        }

    @traced("check")
    def _checked(self, plan: RunPlan, committed: int, scheduled: int) -> Census:
        """Check that the new database is sound and has the expected counts; return its census.

        committed: the expected number of rows that no run changes; scheduled: of PRE_SCHEDULED
        rows. Raises Corrupt.
        """
        quick_check(self.database)
        connection = open_database(self.database, writable=False)
        try:
            with map_errors(self.database):
                census = take_census(connection, plan.as_of, plan.context.config.contacts)
        finally:
            connection.close()
        found = census.statuses.get(Status.PRE_SCHEDULED, 0)
        expected = {
            f"{Status.PRE_SCHEDULED} rows": (scheduled, found),
            "contacts": (plan.total_contacts, census.contacts),
            "rows of the sender": (committed, census.committed),
        }
        for what, (wanted, there) in expected.items():
            if there != wanted:
                raise Corrupt(
                    f"run {plan.run_id}: the new database has {there} {what} where {wanted} were "
                    "to be"
                )
        return census

    def _numbers(self, plan: RunPlan) -> Numbers:
        """Count the new database for its report page, if the run planned only some contacts."""
        with Scan(self.database) as scan:
            return survey(scan, plan.context, self.services.progress)

    @traced("publish")
    def _publish(
        self,
        plan: RunPlan,
        parent: tuple[Current, int],
        summary: RunSummary,
        changes: bytes | None,
        check: Callable[[], Census],
    ) -> None:
        @cache  # for a second number
        def checked() -> tuple[Census, Numbers | None, dict[str, bytes]]:
            self.services.progress("check", 0, 1)
            with beside(self.columns.make):
                census = check()
            numbers = None if summary.of_all_contacts else self._numbers(plan)
            days = days_to_keep(self.database, plan.as_of, plan.context.config.contacts)
            self.services.progress("publish", 0, 1)
            return census, numbers, days

        def attachments(number: int) -> dict[str, bytes]:
            _, numbers, days = checked()
            page = page_of_summary(
                summary.model_copy(update={"seconds": self.seconds()}),
                plan.org_id,
                ISSUE_ADVICE,
                plan.context.horizon,
                settings=setting_lines(plan.context.config),
                whole=numbers,
                version=(number, parent[0].version),
            )
            return {
                layout.REPORT_JSON: summary.model_dump_json(indent=2).encode(),
                **report_files(page, layout.REPORT_HTML, layout.REPORT_TABLES),
                **days,
                **({} if changes is None else {layout.CHANGES: changes}),
            }

        store = self.services.store
        publish(
            store,
            plan.org_id,
            self.database,
            NewVersion(
                run_id=plan.run_id,
                parent=parent,
                as_of=plan.as_of,
                now=self.services.clock(),
                manifest_extra=version_facts(store, plan, parent[0].folder, summary)
                | self._of_changes(changes),
                check=lambda: {"census": checked()[0].model_dump(mode="json")},
                attachments=attachments,
                files=lambda: self.columns.files(checked()[0].planned),
                timed=(layout.REPORT_HTML, f"{layout.REPORT_TABLES}/seconds.csv"),
            ),
            move=True,
        )


def parent_of(services: Services, plan: RunPlan) -> tuple[Current, int]:
    """Return the current version if the run was planned on it; else raise Superseded."""
    there = current_since(services.store, plan.org_id, plan.snapshot.pointer)
    if there is None or there[1] != plan.snapshot.pointer:
        found = f"version {there[0].version} of run {there[0].run_id}" if there else "no version"
        raise Superseded(
            f"organization {plan.org_id}: {found} is current, run {plan.run_id} was planned on "
            f"version {plan.snapshot.version}"
        )
    return there


def _scheduled(connection: apsw.Connection) -> int:
    """Count the PRE_SCHEDULED rows of all contacts."""
    table = describe(connection, "email_schedules")
    if table is None:
        return 0
    if "status" not in table.columns:  # the migration adds one that says so of every row
        return int(scalar(connection, "SELECT count(*) FROM main.email_schedules"))
    by = indexed_by(connection, STATUS_INDEX)
    rows = f"main.email_schedules {by} WHERE {PRE_SCHEDULED}"
    return int(scalar(connection, f"SELECT count(*) FROM {rows}"))
