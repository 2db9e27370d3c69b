"""Which database a command means: DATABASE, or --org (and --store)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from almanac.errors import InputError
from almanac.names import check_org_id
from almanac.organizations.agency_database import AgencyDatabase, FileDatabase, StoreDatabase
from almanac.settings import load_settings
from almanac.storage.opening import open_store


def place_of(database: Path | None, org: str | None, store: str | None) -> AgencyDatabase:
    """The database that the arguments name; InputError unless they name exactly one."""
    if database is not None:
        if org is not None or store is not None:
            raise InputError("DATABASE or --org: expected one of them, found both")
        return FileDatabase(database)
    if org is None:
        raise InputError(
            "expected DATABASE, the agency's SQLite file, or --org, an organization of the store"
        )
    check_org_id(org)
    return StoreDatabase(open_store(store or load_settings().required_store()), org)


def place_in(
    words: Sequence[str], org: str | None, store: str | None
) -> tuple[AgencyDatabase, list[str]]:
    """The database that the arguments name, of which the first is DATABASE unless there is an
    organization, and the other arguments. InputError as `place_of`."""
    if org is not None:
        return place_of(None, org, store), list(words)
    return place_of(Path(words[0]) if words else None, org, store), list(words[1:])


def place_and_file(
    names: Sequence[Path], org: str | None, store: str | None
) -> tuple[AgencyDatabase, Path]:
    """The same, of a command that takes one file besides."""
    agency, words = place_in(list(map(str, names)), org, store)
    if len(words) != 1:
        expected = "FILE" if org is not None else "DATABASE and FILE"
        raise InputError(f"expected {expected}, found {' '.join(map(str, names))}")
    return agency, Path(words[0])
