"""A file that a run has opened, and the private copy of it that the run is planned on."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from almanac.config import Config
from almanac.database.backup import backup, errors_naming
from almanac.database.older_plans import adopt_scheduled
from almanac.database.opening import data_version, map_errors, open_database, transaction
from almanac.errors import AlmanacError
from almanac.messaging.bus import Delivery
from almanac.messaging.local import LocalBus
from almanac.organizations.snapshots import SnapshotRef, check_unchanged, reference_to
from almanac.processes import worker_pool
from almanac.progress import Progress
from almanac.runs.plan import plan_run
from almanac.runs.run_options import RunOptions, as_of, request_of
from almanac.runs.run_plan import RunPlan
from almanac.runs.services import Services
from almanac.runs.tasks import ask_for_shards
from almanac.runs.workers import ShardWorker, snapshots_at, store_at, warm_up
from almanac.storage.folder import FolderStore
from almanac.tracing import Span, adopt, traced
from almanac.workspaces import workspace

SMALL = 5_000  # contacts that are not worth starting worker processes for


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
        plan = plan_run(services, request_of(config, options), self.reference, None)
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


def _pool(stack: ExitStack, connection: apsw.Connection, options: RunOptions) -> Executor | None:
    """Start worker processes, which warm up during the copy; None if they are not worth it."""
    workers = options.workers if options.workers is not None else os.cpu_count() or 1
    contacts = sum(count for (count,) in connection.execute("SELECT count(*) FROM contacts"))
    shards = options.shards or -(-contacts // options.shard_contacts)
    workers = min(workers, shards)
    if workers <= 1 or (contacts <= SMALL and options.workers is None):
        return None
    return stack.enter_context(worker_pool(workers, warm_up))
