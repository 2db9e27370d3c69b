"""The worker processes of a command that plans a file begin to start before its own imports."""

from __future__ import annotations

from pathlib import Path

from almanac.database.catalog import scalar
from almanac.database.opening import map_errors, open_database
from almanac.errors import AlmanacError
from almanac.processes import start_early
from almanac.runs.worker_count import workers_for


def start_workers_for(
    database: Path, workers: int | None = None, shards: int | None = None
) -> None:
    """Start what workers are forked from, if the file is so large that they will plan it.

    What is wrong with the file is left to the command to find.
    """
    try:
        connection = open_database(database, writable=False, busy_seconds=0)
        try:
            with map_errors(database):
                # not their number, which may take reading all of them
                most = scalar(connection, "SELECT max(rowid) FROM contacts")
        finally:
            connection.close()
    except AlmanacError:
        return
    if workers_for(most or 0, workers, shards) > 1:
        # each worker also imports what the script `almanac` does
        start_early("almanac.commands.main", "almanac.runs.workers")
