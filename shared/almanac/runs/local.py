"""A run on one machine over a plain SQLite file: `almanac run`.

The same steps as in the cloud: a folder holds plan and fragments, worker processes plan the
shards, and the commit changes the user's file in one transaction.
"""

from __future__ import annotations

from concurrent.futures import BrokenExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from almanac.config import Config
from almanac.errors import SnapshotMoved
from almanac.progress import Progress, Stopwatch, silent
from almanac.report.summary import RunSummary
from almanac.runs.apply_plan import commit_run
from almanac.runs.balance import balance_with
from almanac.runs.database_facts import Questions, ask_database
from almanac.runs.file_commit import DryCommitter, FileCommitter
from almanac.runs.planned_file import opened
from almanac.runs.questions import asking
from almanac.runs.run_options import RunOptions, as_of
from almanac.runs.workers import write_out

ATTEMPTS = 5


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
    # a copy of the file is what adopted rows are changed in, and what `copies` keep
    in_place = not options.adopt_scheduled and options.copies is None
    for attempt in range(ATTEMPTS):
        try:
            return _run_once(path, config, options, report, in_place=in_place and attempt == 0)
        except SnapshotMoved as error:
            moved = error
    raise SnapshotMoved(
        f"{path}: other programs wrote to it during each of {ATTEMPTS} attempts; "
        "nothing was changed; run again when it is quieter"
    ) from moved


def _run_once(
    path: Path, config: Config, options: RunOptions, progress: Progress, *, in_place: bool
) -> RunSummary:
    watch = Stopwatch(progress)
    with opened(path, config, options, watch, in_place=in_place, cache=options.cache) as file:
        columns = file.columns
        committer = (
            DryCommitter()
            if options.dry_run
            else FileCommitter(file.file, options, columns.carried)
        )
        with file.planning(), asking(file.source) as ask:
            asked: list[Questions] = []
            plan = file.planned(
                config, options, watch, lambda plan: asked.append(ask_database(ask, plan))
            )
            balanced = balance_with(file.store, plan, file.source, asked[0], watch)
            if not options.dry_run:
                columns.take(plan, file.source)

        def step(name: str, done: int, total: int) -> None:
            columns.carried.watch()
            watch(name, done, total)
            if (name, done) == ("index", 0) and file.pool is not None:
                # else the commit waits for all of it, after the indexes were sorted
                with suppress(BrokenExecutor):
                    file.pool.submit(write_out, path)

        summary = commit_run(file.store, balanced, committer, step)
        if columns.cache is not None and not options.dry_run:
            watch("cache", 0, 1)
            columns.keep(plan, file.file, file.pool)
            watch("cache", 1, 1)
        update = {"seconds": watch.seconds(), "adopted": file.adopted}
        return summary.model_copy(update=update)
