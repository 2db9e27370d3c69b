"""Which database a command means: DATABASE, or --org (and --store)."""

from __future__ import annotations

from pathlib import Path

from almanac.errors import InputError
from almanac.names import check_org_id
from almanac.pipeline.places import FilePlace, Place, StorePlace
from almanac.settings import load_settings
from almanac.storage.opening import open_store


def place_of(database: Path | None, org: str | None, store: str | None) -> Place:
    """The database that the arguments name; InputError unless they name exactly one."""
    if database is not None:
        if org is not None or store is not None:
            raise InputError("DATABASE or --org: expected one of them, found both")
        return FilePlace(database)
    if org is None:
        raise InputError(
            "expected DATABASE, the agency's SQLite file, or --org, an organization of the store"
        )
    check_org_id(org)
    return StorePlace(open_store(store or load_settings().required_store()), org)
