"""A run on one machine over a plain SQLite file: `almanac run`.

The same steps as in the cloud: a folder holds plan and fragments, worker processes plan the
shards, and the commit changes the user's file in one transaction.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import apsw

from almanac.config import Config
from almanac.contact_ranges import ContactRange
from almanac.database.backup import backup, errors_naming
from almanac.database.config_versions import open_record
from almanac.database.older_plans import adopt_scheduled
from almanac.database.opening import data_version, map_errors, open_database, transaction
from almanac.database.undo.entries import WritingCommand
from almanac.database.undo.record import undoable
from almanac.errors import AlmanacError, DatabaseError, SnapshotMoved
from almanac.messaging.bus import Delivery
from almanac.messaging.local import LocalBus
from almanac.messaging.planned_change import PlannedChange
from almanac.names import change_run_id, manual_run_id
from almanac.organizations.kept_copies import KeptCopies
from almanac.organizations.recorded_config import parsed
from almanac.organizations.snapshots import SnapshotRef, check_unchanged, reference_to
from almanac.processes import worker_pool
from almanac.progress import Progress, Stopwatch, silent
from almanac.report.summary import RunSummary
from almanac.runs.apply_plan import Write, merge_run
from almanac.runs.plan import PlanRequest, plan_run
from almanac.runs.run_plan import RequestOrigin, RunPlan
from almanac.runs.services import Services
from almanac.runs.tasks import ask_for_shards
from almanac.runs.workers import ShardWorker, snapshots_at, store_at, warm_up
from almanac.storage.folder import FolderStore
from almanac.tracing import Span, adopt, traced
from almanac.workspaces import workspace

ORG = "local"
ATTEMPTS = 5
SMALL = 5_000  # contacts that are not worth starting worker processes for


@dataclass(frozen=True)
class RunOptions:
    """Options of a run; the run chooses what is None."""

    as_of: dt.date | None = None
    now: dt.datetime | None = None  # aware, or in the organization's zone
    shards: int | None = None
    workers: int | None = None
    scope: Sequence[ContactRange] | None = None
    changes: Sequence[PlannedChange] = ()  # of campaigns: only contacts they affect are planned
    dry_run: bool = False
    event_id: str = ""  # of a change made before, with which the run is undone
    of_the_file: bool = False  # the configuration is the recorded one, and must still be
    adopt_scheduled: bool = False  # see `almanac.database.older_plans`
    busy_seconds: float = 5.0  # how long to wait for a lock on the file
    shard_contacts: int = 50_000
    copies: KeptCopies | None = None  # where a copy of the file goes before it is changed


@dataclass(frozen=True)
class FileCommitter:
    """Changes the user's file in one transaction if no other program wrote to it since the copy."""

    path: Path
    connection: apsw.Connection
    version: int
    options: RunOptions

    @traced("commit")
    def commit(self, plan: RunPlan, write: Write) -> RunSummary:
        try:
            with transaction(self.connection, self.path):
                if data_version(self.connection) != self.version:
                    raise SnapshotMoved(f"{self.path}: another program wrote to it")
                if self.options.of_the_file:
                    self._check_recorded(plan.context.config)
                return self._write(plan, write)
        except DatabaseError as error:
            if str(self.path) in str(error):
                raise
            raise DatabaseError(f"{self.path}: {error}") from error

    def _write(self, plan: RunPlan, write: Write) -> RunSummary:
        """Write, and keep what that changes, so that it can be undone."""
        event = plan.changes[0].event_id if plan.changes else self.options.event_id
        command = WritingCommand.CAMPAIGN_SET if plan.changes else WritingCommand.RUN
        detail = f"for {plan.as_of}"
        with undoable(self.connection, command, detail, event) as recorder:
            if self.options.adopt_scheduled:
                adopt_scheduled(
                    self.connection,
                    plan.as_of.isoformat(),
                    plan.scope,
                    plan.context.config.contacts,
                )
            summary = write(self.connection, recorder)
        return summary.model_copy(update={"not_undoable": recorder.refused})

    def _check_recorded(self, config: Config) -> None:
        """Raise AlmanacError if another configuration was recorded while the run planned."""
        row = open_record(self.connection)
        text = str(row["config_data"]) if row else ""
        if (parsed(text, str(self.path)) if text else Config()) != config:
            raise AlmanacError(
                f"{self.path}: another configuration was recorded while the run planned; nothing "
                "was changed; run again"
            )


@dataclass(frozen=True)
class DryCommitter:
    """Writes nothing."""

    def commit(self, plan: RunPlan, write: Write) -> RunSummary:
        return write(None).model_copy(update={"dry_run": True})


def run_file(
    path: Path, config: Config, options: RunOptions, progress: Progress | None = None
) -> RunSummary:
    """Plan the database file in place; after any error it is unchanged.

    Raises DatabaseError, DatabaseBusy, SnapshotMoved (other programs wrote to it during each of 5
    attempts).
    """
    report = progress or silent
    # of one day, even if midnight passes
    options = replace(options, as_of=as_of(config, options))
    for _ in range(ATTEMPTS):
        try:
            return _run_once(path, config, options, report)
        except SnapshotMoved as error:
            moved = error
    raise SnapshotMoved(
        f"{path}: other programs wrote to it during each of {ATTEMPTS} attempts; "
        "nothing was changed; run again when it is quieter"
    ) from moved


def _run_once(path: Path, config: Config, options: RunOptions, progress: Progress) -> RunSummary:
    watch = Stopwatch(progress)
    with copied(path, config, options, watch) as copy:
        committer = (
            DryCommitter()
            if options.dry_run
            else FileCommitter(path, copy.connection, copy.data_version, options)
        )
        plan = copy.planned(config, options, watch)
        summary = merge_run(copy.store, plan, copy.database, committer, watch)
        update = {"seconds": watch.seconds(), "adopted": copy.adopted}
        return summary.model_copy(update=update)


@dataclass(frozen=True)
class Copy:
    """A private copy of a file, and what plans on it."""

    connection: apsw.Connection  # to the file itself
    data_version: int  # of the file when it was copied
    database: Path  # the copy
    adopted: int  # rows of the copy that options.adopt_scheduled has made planned rows
    reference: SnapshotRef  # to the copy
    store: FolderStore  # of plans and fragments
    pool: Executor | None  # None: shards are planned in this process

    @traced("plan contacts")
    def planned(self, config: Config, options: RunOptions, progress: Progress) -> RunPlan:
        """Plan a run and all its shards; return the plan, whose fragments are in the store."""
        bus = LocalBus(max_attempts=1)
        services = Services(
            store=self.store,
            bus=bus,
            snapshots=snapshots_at(self.database),
            workspace=self.database.parent,
            shard_contacts=options.shard_contacts,
        )
        plan = plan_run(services, _request(config, options), self.reference, None)
        finished = itertools.count(1)

        def count(_: Delivery, spans: Sequence[Span]) -> None:
            adopt(spans)
            progress("plan contacts", next(finished), len(plan.shards))

        work = ShardWorker(self.store.root, self.database)
        bus.subscribe(services.topics.shard_tasks, work, executor=self.pool, then=count)
        ask_for_shards(services, plan, range(len(plan.shards)))
        progress("plan contacts", 0, len(plan.shards))
        try:
            bus.run_until_idle()
        except BrokenProcessPool as error:
            raise AlmanacError(
                "a worker process ended unexpectedly, perhaps for lack of memory; nothing was "
                "changed; try --workers 1"
            ) from error
        check_unchanged(self.database, self.reference)
        return plan


@contextmanager
def copied(path: Path, config: Config, options: RunOptions, progress: Progress) -> Iterator[Copy]:
    """Copy the file as it is now; the copy is deleted at the end, and errors name the file."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(workspace()))
        connection = open_database(
            path, writable=not options.dry_run, busy_seconds=options.busy_seconds
        )
        stack.callback(connection.close)
        stack.enter_context(errors_naming(str(path), folder))
        stack.enter_context(map_errors(path))
        pool = _pool(stack, connection, options)
        version = data_version(connection)
        database = folder / "snapshot.sqlite3"
        stack.callback(snapshots_at(database).close)
        progress("snapshot", 0, 1)
        backup(connection, database, lambda done, total: progress("snapshot", done, total))
        progress("snapshot", 1, 1)
        if options.copies is not None:
            options.copies.make(database)
        adopted = _adopted(database, config, options) if options.adopt_scheduled else 0
        store = store_at(folder / "store")
        yield Copy(connection, version, database, adopted, reference_to(database), store, pool)


def _adopted(database: Path, config: Config, options: RunOptions) -> int:
    """Make rows of an older scheduler planned rows in the copy, as the commit will in the file."""
    copy = open_database(database, writable=True)
    try:
        with transaction(copy, database):
            since = as_of(config, options).isoformat()
            return adopt_scheduled(copy, since, options.scope, config.contacts)
    finally:
        copy.close()


def as_of(config: Config, options: RunOptions) -> dt.date:
    """Return the date that a run with these options plans on."""
    return options.as_of or _now(config, options).astimezone(config.zone).date()


def _now(config: Config, options: RunOptions) -> dt.datetime:
    now = options.now
    if now is None:
        return dt.datetime.now(dt.UTC)
    return now if now.tzinfo is not None else now.replace(tzinfo=config.zone)


def clock_of(config: Config, options: RunOptions) -> dt.datetime:
    """Return options.now, or by default the minute before the send time, so that T0 is as_of."""
    if options.now is not None:
        return _now(config, options)
    send = dt.datetime.combine(as_of(config, options), config.send_clock, config.zone)
    return send - dt.timedelta(minutes=1)


def _request(config: Config, options: RunOptions) -> PlanRequest:
    day, request_id = as_of(config, options), uuid.uuid4().hex[:12]
    run_id = manual_run_id(day, request_id)
    if options.changes:
        run_id = change_run_id(day, options.changes[0].event_id)
    return PlanRequest(
        org_id=ORG,
        run_id=run_id,
        asked=RequestOrigin(
            base=run_id, request_id=request_id, requested_at=clock_of(config, options)
        ),
        reason="change" if options.changes else "manual",
        config=config,
        as_of=day,
        scope=options.scope,
        shards=options.shards,
        changes=options.changes,
    )


def _pool(stack: ExitStack, connection: apsw.Connection, options: RunOptions) -> Executor | None:
    """Start worker processes, which warm up during the copy; None if they are not worth it."""
    workers = options.workers if options.workers is not None else os.cpu_count() or 1
    contacts = sum(count for (count,) in connection.execute("SELECT count(*) FROM contacts"))
    shards = options.shards or -(-contacts // options.shard_contacts)
    workers = min(workers, shards)
    if workers <= 1 or (contacts <= SMALL and options.workers is None):
        return None
    return stack.enter_context(worker_pool(workers, warm_up))
