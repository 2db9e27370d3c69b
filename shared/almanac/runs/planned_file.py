"""A file that a run has opened, and what the run is planned on: the file itself, or a copy of it.

Reading the file in place costs no copy, but each statement has to wait for the locks of others, and
what they write meanwhile makes all in vain. So a run tries that once, and then makes a copy.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from almanac.config import Config
from almanac.database.backup import backup, check_filled, errors_naming
from almanac.database.catalog import scalar
from almanac.database.columnar import ColumnarReader
from almanac.database.older_plans import adopt_scheduled
from almanac.database.open_file import OpenFile
from almanac.database.opening import IMMUTABLE, live_uri, map_errors, open_database, transaction
from almanac.database.piece_file import pieces_in
from almanac.database.sources import Source
from almanac.errors import (
    Corrupt,
    DatabaseError,
    NotFound,
    SnapshotMoved,
    TransientError,
)
from almanac.messaging.bus import Delivery
from almanac.messaging.local import LocalBus
from almanac.organizations.cache_folder import CacheFolder
from almanac.organizations.live_snapshots import (
    OpenSnapshots,
    live_reference,
    live_snapshots_at,
)
from almanac.organizations.snapshots import (
    SnapshotRef,
    Snapshots,
    check_unchanged,
    reference_to,
)
from almanac.processes import lost_workers, worker_pool
from almanac.progress import Progress
from almanac.runs.file_columns import FileColumns, columns_of_file
from almanac.runs.plan import plan_run
from almanac.runs.run_options import RunOptions, as_of, request_of
from almanac.runs.run_plan import RunPlan
from almanac.runs.services import Services
from almanac.runs.tasks import ask_for_shards
from almanac.runs.worker_count import workers_for
from almanac.runs.workers import ShardWorker, snapshots_at, store_at, warm_up
from almanac.storage.folder import FolderStore
from almanac.tracing import Span, adopt, traced
from almanac.workspaces import workspace


@dataclass(frozen=True)
class PlannedFile:
    """A file that a run has opened, and what the run is planned on."""

    file: OpenFile
    database: Path  # what is planned on: a private copy, or the file itself
    live: Source | None  # what the file is read through in place; None for a copy
    adopted: int  # rows of the copy that options.adopt_scheduled has made planned rows
    reference: SnapshotRef
    snapshots: Snapshots  # of this process
    work: ShardWorker
    store: FolderStore  # of plans and fragments
    pool: Executor | None  # None: shards are planned in this process
    columns: FileColumns = field(default_factory=FileColumns)  # its planned rows

    @property
    def source(self) -> Path | Source:
        """Return what balancing reads."""
        return self.database if self.live is None else self.live

    @contextmanager
    def planning(self) -> Iterator[None]:
        """Raise SnapshotMoved at the end, or for an error, unless all was read of one state.

        Of a file in place any error in reading it may come from what others do: a lock, a journal
        that a killed program left, rows that were only half there. On a copy it shows whether it
        is an error of the database.
        """
        if self.live is None:
            yield
            return
        try:
            with map_errors(self.file.path):
                yield
            self.file.check_unmoved()
        except (DatabaseError, TransientError, Corrupt, NotFound) as error:
            raise SnapshotMoved(f"{self.file.path}: not read in place: {error}") from error
        except Exception:
            self.file.check_unmoved()
            raise

    @traced("plan contacts")
    def planned(
        self,
        config: Config,
        options: RunOptions,
        progress: Progress,
        beside: Callable[[RunPlan], None] = lambda plan: None,
    ) -> RunPlan:
        """Plan a run and all its shards; return the plan, whose fragments are in the store.

        beside: begins what needs only the plan, when there is a core for it: with worker processes,
        when all shards but one are planned.
        """
        bus = LocalBus(max_attempts=1)
        services = Services(
            store=self.store,
            bus=bus,
            snapshots=self.snapshots,
            workspace=self.store.root,
            shard_contacts=options.shard_contacts,
        )
        plan = plan_run(services, request_of(config, options), self.reference, None)
        finished = itertools.count(1)
        all_but_one = 0 if self.pool is None else max(0, len(plan.shards) - 1)

        def count(_: Delivery, spans: Sequence[Span]) -> None:
            adopt(spans)
            done = next(finished)
            progress("plan contacts", done, len(plan.shards))
            if done == all_but_one:
                beside(plan)

        bus.subscribe(services.topics.shard_tasks, self.work, executor=self.pool, then=count)
        ask_for_shards(services, plan, range(len(plan.shards)))
        progress("plan contacts", 0, len(plan.shards))
        if all_but_one == 0:
            beside(plan)
        with lost_workers():
            bus.run_until_idle()
        if self.live is None:
            check_unchanged(self.database, self.reference)
        return plan


@contextmanager
def opened(
    path: Path,
    config: Config,
    options: RunOptions,
    progress: Progress,
    *,
    in_place: bool = False,
    cache: CacheFolder | None = None,
) -> Iterator[PlannedFile]:
    """Open the file, and copy it as it is now; the copy is deleted at the end.

    in_place: make no copy where the file can be read in place. cache: where its planned rows may
    be in columns. All errors name the file.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(workspace()))
        file = OpenFile.opened(
            path, writable=not options.dry_run, busy_seconds=options.busy_seconds
        )
        stack.callback(file.connection.close)
        stack.enter_context(map_errors(path))
        contacts = scalar(file.connection, "SELECT count(*) FROM contacts")
        pool = _pool(stack, contacts, options)
        store = store_at(folder / "store")
        columns = FileColumns()
        if cache is not None:
            columns = columns_of_file(cache, file, contacts, folder, options)
        uri = live_uri(path)
        if in_place and not uri.endswith(IMMUTABLE):
            stack.enter_context(errors_naming(str(path), folder, needs="what is planned"))
            check_filled(path)
            progress("plan contacts", 0, 1)
            yield replace(_in_place(file, uri, store, pool, columns), columns=columns)
        else:
            stack.enter_context(errors_naming(str(path), folder))
            database = folder / "snapshot.sqlite3"
            snapshots = functools.partial(snapshots_at, database, columns.cached, columns.parts)
            stack.callback(snapshots().close)
            copy = _copied(file, database, config, options, store, pool, snapshots, progress)
            yield replace(copy, columns=columns)


def _in_place(
    file: OpenFile, uri: str, store: FolderStore, pool: Executor | None, columns: FileColumns
) -> PlannedFile:
    """Return the file as it is read in place."""
    path, connection = file.path, file.connection
    live = Source(path, connection, ColumnarReader(path, connection), lambda: None, uri=uri)
    cached, parts = columns.cached, columns.parts
    snapshots = OpenSnapshots(live, pieces_in(cached), parts)
    work = ShardWorker(store.root, lambda: snapshots)
    if pool is not None:
        work = ShardWorker(
            store.root, functools.partial(live_snapshots_at, path, uri, cached, parts)
        )
    reference = live_reference(path, file.file)
    return PlannedFile(file, path, live, 0, reference, snapshots, work, store, pool)


def _copied(
    file: OpenFile,
    database: Path,
    config: Config,
    options: RunOptions,
    store: FolderStore,
    pool: Executor | None,
    snapshots: Callable[[], Snapshots],
    progress: Progress,
) -> PlannedFile:
    """Copy the file as it is now."""
    progress("snapshot", 0, 1)
    backup(file.connection, database, lambda done, total: progress("snapshot", done, total))
    progress("snapshot", 1, 1)
    if options.copies is not None:
        options.copies.make(database)
    adopted = _adopted(database, config, options) if options.adopt_scheduled else 0
    work = ShardWorker(store.root, snapshots)
    reference = reference_to(database)
    return PlannedFile(file, database, None, adopted, reference, snapshots(), work, store, pool)


def _adopted(database: Path, config: Config, options: RunOptions) -> int:
    """Make rows of an older scheduler planned rows in the copy, as the commit will in the file."""
    copy = open_database(database, writable=True)
    try:
        with transaction(copy, database):
            since = as_of(config, options).isoformat()
            return adopt_scheduled(copy, since, options.scope, config.contacts)
    finally:
        copy.close()


def _pool(stack: ExitStack, contacts: int, options: RunOptions) -> Executor | None:
    """Start worker processes, which warm up meanwhile; None if they are not worth it."""
    workers = workers_for(contacts, options.workers, options.shards, options.shard_contacts)
    return stack.enter_context(worker_pool(workers, warm_up)) if workers > 1 else None
