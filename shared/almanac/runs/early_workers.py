"""What worker processes are forked from starts early in a command, at best before its imports."""

from __future__ import annotations

from pathlib import Path

from almanac.database.catalog import scalar
from almanac.database.opening import map_errors, open_database
from almanac.errors import AlmanacError
from almanac.processes import start_early
from almanac.runs.worker_count import workers_for

IMPORTED = (
    "almanac.commands.main",  # by the script `almanac`, and so by each process it starts
    "almanac.runs.workers",
    "almanac.organizations.live_snapshots",
    # by what they call, when they call it first
    "google_crc32c",
    "numpy.ma",
)


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
        start_early(*IMPORTED)
