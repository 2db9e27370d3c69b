"""The database that the pages are about, as it is at each request."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path

from almanac.config import Config
from almanac.database.reading import Snapshot
from almanac.explain.lookup import Question, basis_of, configuration_of, open_database
from almanac.organizations.agency_database import AgencyDatabase, FileDatabase, StoreDatabase
from almanac.serve.jobs import Jobs

Stamp = Hashable  # equal as long as no program has written to the database


@dataclass(frozen=True)
class About:
    """What every page says about the database."""

    stamp: Stamp
    name: str
    as_of: dt.date  # the day of the last run, else today
    last_run: str | None
    contacts: int
    config: Config
    config_words: str  # where the configuration comes from


@dataclass
class Site:
    """A database, what is known of its present state, and the work on it."""

    agency: AgencyDatabase
    jobs: Jobs = field(default_factory=Jobs)
    _about: About | None = None

    def stamp(self) -> Stamp:
        """Return what changes with every write; raise AlmanacError for a store without it."""
        if isinstance(self.agency, StoreDatabase):
            version, generation = self.agency.version()
            return version.version, generation
        assert isinstance(self.agency, FileDatabase)
        return _stamp_of(self.agency.path)

    def about(self) -> About:
        """Return what holds of the database now; errors as of a read."""
        stamp = self.stamp()
        about = self._about
        if about is None or about.stamp != stamp:
            about = self._about = self._read(stamp)
        return about

    def _read(self, stamp: Stamp) -> About:
        with open_database(self.agency) as database:
            question = Question()
            config, words = configuration_of(database, question)
            basis = basis_of(database, Snapshot(database.source), question, config, words)
            return About(
                stamp=stamp,
                name=database.name if database.manifest else Path(database.name).name,
                as_of=basis.as_of,
                last_run=basis.last_run,
                contacts=database.total_contacts(),
                config=config,
                config_words=words,
            )


def _stamp_of(path: Path) -> Stamp:
    """Return the state of a file and of the log beside it, which holds what is committed in WAL
    mode. Neither is opened: closing a file would drop the locks of this process on it."""
    return _state_of(path), _state_of(Path(f"{path.resolve()}-wal"))


def _state_of(path: Path) -> tuple[int, int, int] | None:
    """Return what a write changes; None without a file, as for the empty log of a reader."""
    try:
        state = path.stat()
    except OSError:
        return None
    return (state.st_ino, state.st_size, state.st_mtime_ns) if state.st_size else None
