"""The organizations of a store: their ids, configurations and current versions."""

from __future__ import annotations

import datetime as dt
import os
import re
from typing import TYPE_CHECKING

from pydantic import BaseModel

from almanac.config import Config, load_config
from almanac.database.census import Census
from almanac.errors import AlmanacError, PreconditionFailed, RequestError
from almanac.names import ORG_ID
from almanac.organizations.earlier_configs import replace_config
from almanac.storage import layout
from almanac.storage.store import ObjectStore, read_or_none
from almanac.storage.versions import (
    Current,
    Manifest,
    current,
    database_of,
    manifest_of,
)

if TYPE_CHECKING:
    from almanac.organizations.snapshots import SnapshotRef

WALK = 200  # versions, each the parent of the one before
_WHOLE_RUN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}-(daily(~[0-9]+)?|manual-.*)")


# In a manifest: the run that planned the file before it was pushed, and the last whole run before
# the version, None if there is none.
PLANNED_BY, LAST_RUN = "planned_by", "last_run"


class LastRun(BaseModel):
    """The last run over all contacts that a version is based on."""

    run_id: str
    version: int
    folder: str
    as_of: dt.date
    committed_at: dt.datetime


def organizations(store: ObjectStore) -> list[str]:
    """Return the ids of the organizations that have any object in the store, sorted."""
    return [name for name in store.subfolders(layout.ORGANIZATIONS) if ORG_ID.fullmatch(name)]


def is_there(store: ObjectStore, org: str) -> bool:
    """Return whether the store has any object of the organization; RequestError for no id."""
    names = (layout.current(org), layout.config(org))
    return any(store.stat(name) for name in names) or bool(
        store.subfolders(layout.organization(org))
    )


def is_whole_run(run_id: str) -> bool:
    """Return whether it is a run over all contacts: no campaign change and no push."""
    return _WHOLE_RUN.fullmatch(run_id) is not None


def last_whole_run(store: ObjectStore, folder: str) -> LastRun | None:
    """Return the last run over all contacts among the version of the folder and its parents.

    None if no kept version is of such a run. The manifest of a version of no whole run names it
    under `last_run`, null for none, which saves reading its parents; that of a file that was
    planned before it was pushed names the run under `planned_by`.
    """
    for _ in range(WALK):
        manifest = manifest_of(store, folder)
        if manifest is None:
            return None
        if is_whole_run(manifest.run_id):
            return LastRun(
                run_id=manifest.run_id,
                version=manifest.version,
                folder=folder,
                as_of=manifest.as_of,
                committed_at=manifest.created_at,
            )
        extra = manifest.model_extra or {}
        if planned := extra.get(PLANNED_BY):
            return LastRun.model_validate(planned | {"version": manifest.version, "folder": folder})
        if LAST_RUN in extra:
            named = extra[LAST_RUN]
            return LastRun.model_validate(named) if named else None
        if manifest.parent_path is None:
            return None
        folder = manifest.parent_path.rpartition("/")[0]
    return None


def census_of(manifest: Manifest) -> Census | None:
    """Return the census in the version's manifest; None if it has none."""
    found = (manifest.model_extra or {}).get("census")
    return Census.model_validate(found) if found else None


def initialize(store: ObjectStore, org: str, config: bytes | None) -> bool:
    """Write the configuration of an organization; return whether anything was written.

    config: None for the defaults, unless it has a configuration already. Raises ConfigError,
    AlmanacError (another process wrote it meanwhile).
    """
    name = layout.config(org)
    there = read_or_none(store, name)
    if config is None:
        if there is not None:
            load_config(there.data, name)
            return False
        config = (
            f"# Configuration of organization {org}. What is not set has its default.\n".encode()
        )
    load_config(config)
    if there is not None and there.data == config:
        return False
    try:
        replace_config(store, org, there, config, "almanac store init")
    except PreconditionFailed as error:
        raise AlmanacError(
            f"{name}: was changed meanwhile; nothing was written; try again"
        ) from error
    return True


def own_id(word: str, now: dt.datetime) -> str:
    """Return the run id of a version that no run has written: it does not begin with a date."""
    return f"{word}-{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{os.urandom(3).hex()}"


def read_config(store: ObjectStore, org_id: str) -> Config:
    """Return the organization's configuration; the defaults if it has none."""
    name = layout.config(org_id)
    found = read_or_none(store, name)
    return load_config(found.data, name) if found else Config()


def snapshot_of(store: ObjectStore, org_id: str) -> tuple[Current, SnapshotRef]:
    """Return the organization's current version; RequestError if it has none."""
    there = current(store, org_id)
    if there is None:
        raise RequestError(f"organization {org_id}: it has no database in this store")
    version, pointer = there
    info = database_of(store, version)
    from almanac.organizations.snapshots import SnapshotRef  # who only reads settings does without

    return version, SnapshotRef(
        name=info.name,
        generation=info.generation,
        size=info.size,
        crc32c=info.crc32c,
        version=version.version,
        pointer=pointer,
    )
