"""A database open for commands that read a few rows, and start quickly.

For a file nothing is imported that reads columns: that would take longer than the command itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from almanac.config import Config
from almanac.database.opening import map_errors, open_database
from almanac.organizations.recorded_config import config_of


@dataclass(frozen=True)
class Reading:
    """An open database, its configuration, and what messages call it."""

    connection: apsw.Connection
    config: Config
    name: str


@contextmanager
def reading(
    database: Path | None, org: str | None, store: str | None, *, whole: bool
) -> Iterator[Reading]:
    """Open the database that the arguments name, in the state of one moment.

    whole: rows all over it will be read: see `AgencyDatabase.open`. Raises as `agency_of` and
    `AgencyDatabase.open`.
    """
    if database is not None and org is None and store is None:
        connection = open_database(database, writable=False)
        try:
            with map_errors(database):
                connection.execute("BEGIN")
                yield Reading(connection, config_of(connection, str(database)), str(database))
        finally:
            connection.close()
        return
    from almanac.commands.agency_arguments import agency_of

    agency = agency_of(database, org, store)
    config = agency.config()
    with agency.open(whole=whole) as source, map_errors(source.path):
        yield Reading(source.connection, config, agency.name)
