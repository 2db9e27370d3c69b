"""The pipeline on one machine, over a plain SQLite file: `almanac run`.

The same steps as in the cloud, with a folder as the store, delivery within the process, shards
in worker processes, and a commit that changes the user's file in one transaction.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import apsw

from almanac.config import Config
from almanac.contact_ranges import ContactRange
from almanac.database.backup import backup
from almanac.database.opening import data_version, open_database, transaction
from almanac.errors import AlmanacError, DatabaseError, SnapshotMoved
from almanac.messaging.bus import Delivery
from almanac.messaging.local import LocalBus
from almanac.messaging.messages import ShardTask, parse
from almanac.names import change_run_id, manual_run_id
from almanac.processes import worker_pool
from almanac.progress import Progress, Stopwatch
from almanac.report.summary import RunSummary
from almanac.runs.apply_plan import Write, merge_run
from almanac.runs.plan import PlanRequest, plan_run
from almanac.runs.run_plan import Asked, PlannedChange, RunPlan
from almanac.runs.services import Services
from almanac.runs.tasks import announce, is_complete, publish_tasks
from almanac.runs.workers import ShardWorker, snapshots_at, store_at, warm_up
from almanac.storage.folder import FolderStore
from almanac.storage.versions import publish

T = TypeVar("T")

ORG = "local"
ATTEMPTS = 5
SMALL = 5_000  # contacts that are not worth starting worker processes for


@dataclass(frozen=True)
class RunOptions:
    """How to run; what is None is decided by the run."""

    as_of: dt.date | None = None
    now: dt.datetime | None = None  # aware, or in the organization's zone
    shards: int | None = None
    workers: int | None = None
    scope: Sequence[ContactRange] | None = None
    changes: Sequence[PlannedChange] = ()  # of campaigns: only whom they concern is planned
    dry_run: bool = False
    busy_seconds: float = 5.0  # how long to wait for another program that holds the file
    shard_contacts: int = 50_000


@dataclass(frozen=True)
class FileCommitter:
    """Changes the user's file in one transaction, if nobody wrote to it since the snapshot."""

    path: Path
    connection: apsw.Connection
    version: int

    def commit(self, plan: RunPlan, write: Write) -> RunSummary:
        try:
            with transaction(self.connection, self.path):
                if data_version(self.connection) != self.version:
                    raise SnapshotMoved(f"{self.path}: another program wrote to it")
                return write(self.connection)
        except DatabaseError as error:
            if str(self.path) in str(error):
                raise
            raise DatabaseError(f"{self.path}: {error}") from error


@dataclass(frozen=True)
class DryCommitter:
    """Writes nothing."""

    def commit(self, plan: RunPlan, write: Write) -> RunSummary:
        return write(None).model_copy(update={"dry_run": True})


def run_file(
    path: Path, config: Config, options: RunOptions, progress: Progress | None = None
) -> RunSummary:
    """Plan the database file in place; on any error it is as it was.

    Raises DatabaseError, DatabaseBusy, SnapshotMoved (others wrote during each of 5 attempts).
    """
    report = progress or (lambda step, done, total: None)
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
            else FileCommitter(path, copy.connection, copy.data_version)
        )
        summary = copy.plan(
            config,
            options,
            lambda plan, database: merge_run(copy.store, plan, database, committer, watch),
            watch,
        )
        return summary.model_copy(update={"seconds": watch.seconds()})


@dataclass(frozen=True)
class Copy:
    """A copy of a file as the snapshot of a store of its own, and what plans on it."""

    connection: apsw.Connection  # to the file itself
    data_version: int  # of the file when it was copied
    folder: Path
    store: FolderStore
    pool: Executor | None  # None: in this process

    def plan(
        self,
        config: Config,
        options: RunOptions,
        finish: Callable[[RunPlan, Path], T],
        progress: Progress,
    ) -> T:
        """Have every shard planned, and then what `finish` makes of the run.

        finish gets the plan, of which all fragments are in the store, and the snapshot's file.
        """
        bus = LocalBus(max_attempts=1)
        services = Services(
            store=self.store,
            bus=bus,
            snapshots=snapshots_at(self.store.root, self.folder),
            workspace=self.folder,
            shard_contacts=options.shard_contacts,
            progress=progress,
        )
        work = ShardWorker(self.store.root, self.folder)
        return _run(services, bus, work, self.pool, _ask(config, options), finish)


@contextmanager
def copied(path: Path, config: Config, options: RunOptions, progress: Progress) -> Iterator[Copy]:
    """A copy of the file, as it is now; it goes with the context, and errors name the file."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="almanac-")))
        connection = open_database(
            path, writable=not options.dry_run, busy_seconds=options.busy_seconds
        )
        stack.callback(connection.close)
        pool = _pool(stack, connection, folder, options)
        store = store_at(folder / "store")
        stack.callback(snapshots_at(store.root, folder).close)
        version = _take_snapshot(store, connection, folder, as_of(config, options), progress)
        try:
            yield Copy(connection, version, folder, store, pool)
        except DatabaseError as error:
            # what is wrong with the copy is wrong with the file; the copy is gone in a moment
            text = re.sub(re.escape(str(folder)) + r"[^:]*", str(path), str(error))
            raise DatabaseError(text) from error


def _take_snapshot(
    store: FolderStore,
    connection: apsw.Connection,
    folder: Path,
    as_of: dt.date,
    progress: Progress,
) -> int:
    """Publish a copy of the file as the store's first version; the file's data version."""
    version = data_version(connection)
    copy = folder / "snapshot.sqlite3"
    progress("snapshot", 0, 1)
    backup(connection, copy, lambda done, total: progress("snapshot", done, total))
    publish(
        store,
        ORG,
        copy,
        run_id="snapshot",
        parent=None,
        as_of=as_of,
        now=dt.datetime.now(dt.UTC),
        manifest_extra={},
        attachments={},
        move=True,
    )
    progress("snapshot", 1, 1)
    return version


def as_of(config: Config, options: RunOptions) -> dt.date:
    """The day that a run with these options plans on."""
    return options.as_of or _now(config, options).astimezone(config.zone).date()


def _now(config: Config, options: RunOptions) -> dt.datetime:
    now = options.now
    if now is None:
        return dt.datetime.now(dt.UTC)
    return now if now.tzinfo is not None else now.replace(tzinfo=config.zone)


def _clock(config: Config, options: RunOptions) -> dt.datetime:
    """The run's clock: as asked for, else just before the send time, so that T0 is as_of."""
    if options.now is not None:
        return _now(config, options)
    send = dt.datetime.combine(as_of(config, options), config.send_clock, config.zone)
    return send - dt.timedelta(minutes=1)


def _run(
    services: Services,
    bus: LocalBus,
    work: ShardWorker,
    pool: Executor | None,
    request: PlanRequest,
    finish: Callable[[RunPlan, Path], T],
) -> T:
    results: list[T] = []
    finished = 0

    def on_task_done(delivery: Delivery, _: object) -> None:
        nonlocal finished
        finished += 1
        services.progress("plan contacts", finished, len(plan.shards))
        task = parse(ShardTask, delivery.data)
        announce(services, task.org_id, task.run_id, task.shard)

    def on_shard_done(_: Delivery) -> None:
        if results or not is_complete(services.store, plan):
            return
        database = services.store.open_local(plan.snapshot.name)
        assert database is not None, "a folder has files"
        results.append(finish(plan, database))

    bus.subscribe(services.topics.shard_tasks, work, executor=pool, then=on_task_done)
    bus.subscribe(services.topics.shard_results, on_shard_done)
    plan = plan_run(services, request)
    publish_tasks(services, plan)
    services.progress("plan contacts", 0, len(plan.shards))
    try:
        bus.run_until_idle()
    except BrokenProcessPool as error:
        raise AlmanacError(
            "a worker process ended without a word, perhaps for lack of memory; nothing was "
            "changed; try --workers 1"
        ) from error
    return results[0]


def _ask(config: Config, options: RunOptions) -> PlanRequest:
    day, request_id = as_of(config, options), uuid.uuid4().hex[:12]
    run_id = manual_run_id(day, request_id)
    if options.changes:
        run_id = change_run_id(day, options.changes[0].event_id)
    return PlanRequest(
        org_id=ORG,
        run_id=run_id,
        asked=Asked(base=run_id, request_id=request_id, requested_at=_clock(config, options)),
        reason="change" if options.changes else "manual",
        config=config,
        as_of=day,
        scope=options.scope,
        shards=options.shards,
        changes=options.changes,
    )


def _pool(
    stack: ExitStack, connection: apsw.Connection, folder: Path, options: RunOptions
) -> Executor | None:
    """Worker processes, warming up while the snapshot is taken; None where they do not pay."""
    workers = options.workers if options.workers is not None else os.cpu_count() or 1
    contacts = sum(count for (count,) in connection.execute("SELECT count(*) FROM contacts"))
    shards = options.shards or -(-contacts // options.shard_contacts)
    workers = min(workers, shards)
    if workers <= 1 or (contacts <= SMALL and options.workers is None):
        return None
    return stack.enter_context(worker_pool(workers, warm_up))
