"""The arguments that name an agency's database: DATABASE, or --org (and --store)."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from almanac.commands.dates import Today, read_date, today_in
from almanac.environment import CACHE, cache_folder
from almanac.errors import InputError
from almanac.names import check_org_id
from almanac.organizations.agency_database import AgencyDatabase, FileDatabase, StoreDatabase
from almanac.organizations.cache_folder import CacheFolder
from almanac.outputs import is_database
from almanac.storage.opening import open_store


def agency_of(
    database: Path | None, org: str | None, store: str | None, cache: Path | None = None
) -> AgencyDatabase:
    """Return the database that the arguments name; raise InputError unless it is exactly one.

    cache: the folder of --cache, for a file.
    """
    if database is not None:
        if org is not None or store is not None:
            raise InputError("DATABASE or --org: expected one of them, found both")
        return FileDatabase(database, cache=cache_of(database, cache))
    if org is None:
        raise InputError(
            "expected DATABASE, the agency's SQLite file, or --org, an organization of the store"
        )
    check_org_id(org)
    if store is None:
        from almanac.settings import load_settings  # a file needs none

        store = load_settings().required_store()
    return StoreDatabase(open_store(store), org)


def cache_of(database: Path, folder: Path | None) -> CacheFolder | None:
    """Return what keeps the planned rows of a file, None if nothing does.

    folder: that of --cache, in place of ALMANAC_CACHE.
    """
    if folder is not None:
        return CacheFolder(database, folder)
    folder = cache_folder()
    return CacheFolder(database, folder, CACHE) if folder is not None else None


def today_of(agency: AgencyDatabase) -> Today:
    """Return what says the date that it is in the time zone of an organization."""
    return lambda: today_in(agency.config().zone)


def agency_and_words(
    words: Sequence[str], org: str | None, store: str | None, cache: Path | None = None
) -> tuple[AgencyDatabase, list[str]]:
    """Return the database and the other arguments.

    The first word is DATABASE unless there is an organization. Raises as `agency_of`.
    """
    if org is not None:
        if cache is not None:
            raise InputError("--cache: is for DATABASE; the versions of a store keep their own")
        return agency_of(None, org, store), list(words)
    return agency_of(Path(words[0]) if words else None, org, store, cache), list(words[1:])


@dataclass(frozen=True)
class CampaignArguments:
    """The arguments as they were given: DATABASE is the first word unless there is --org."""

    words: Sequence[str]
    org: str | None
    store: str | None

    @property
    def as_typed(self) -> str:
        """Return the arguments that name the same database in another command."""
        if self.org is None:
            return shlex.quote(self.words[0])
        at = f" --store {shlex.quote(self.store)}" if self.store else ""
        return f"--org {self.org}{at}"

    def agency(self, *expected: str) -> tuple[AgencyDatabase, list[str]]:
        """Return the database and the words after it.

        Raises InputError if there are fewer words than expected; there may be more.
        """
        agency, words = agency_and_words(self.words, self.org, self.store)
        if len(words) < len(expected):
            missing = expected[len(words) :]
            raise InputError(
                f"{' '.join(missing)}: is missing; expected "
                f"{'' if self.org else 'DATABASE '}{' '.join(expected)}, "
                f"found {' '.join(self.words) or 'nothing'}"
            )
        return agency, words


def agency_and_file(
    names: Sequence[Path], org: str | None, store: str | None, cache: Path | None = None
) -> tuple[AgencyDatabase, Path]:
    """Return the database and the one file that a command takes; raise as `agency_of`."""
    agency, words = agency_and_words(list(map(str, names)), org, store, cache)
    if len(words) != 1:
        expected = "FILE" if org is not None else "DATABASE and FILE"
        raise InputError(f"expected {expected}, found {' '.join(map(str, names))}")
    if isinstance(agency, FileDatabase) and is_database(Path(words[0])):
        raise InputError(f"{words[0]}: a database, which comes first; expected DATABASE and FILE")
    return agency, Path(words[0])


def day_of(agency: AgencyDatabase, as_of: str | None) -> dt.date:
    """Return the day of --as-of, by default today in the organization's time zone."""
    today = today_of(agency)
    return read_date(as_of, "--as-of", today) if as_of else today()


def check_no_more(words: Sequence[str], hint: str = "") -> None:
    """Raise InputError if there are words beyond those that a command takes."""
    if words:
        raise InputError(f"{words[0]!r}: one argument too many{hint}")
