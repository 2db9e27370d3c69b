"""Publish a file as a version of an organization, and fetch a version as a file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from almanac.config import Config
from almanac.config_contacts import ContactColumns
from almanac.config_document import document, plain_settings
from almanac.database.backup import backup_file, errors_naming
from almanac.database.census import Census, take_census
from almanac.database.opening import map_errors, open_database, quick_check
from almanac.database.reading import Snapshot
from almanac.database.undo.entries import forget
from almanac.errors import InputError, Superseded
from almanac.names import check_org_id, date_of_run
from almanac.organizations.earlier_configs import replace_config
from almanac.organizations.kept_days import days_to_keep
from almanac.organizations.organizations import (
    LAST_RUN,
    PLANNED_BY,
    LastRun,
    is_whole_run,
    last_whole_run,
    own_id,
    read_config,
)
from almanac.organizations.recorded_config import recorded_config
from almanac.outputs import check_folder, partial_of
from almanac.progress import Progress
from almanac.storage import layout
from almanac.storage.checksums import Checksum, chunks_of
from almanac.storage.history import version_numbered
from almanac.storage.publish import NewVersion, publish
from almanac.storage.store import ObjectStore
from almanac.storage.versions import (
    Current,
    Manifest,
    current,
    database_of,
    require_current,
)
from almanac.workspaces import workspace

_HEADER = 100  # bytes of a database's header
# of changes, of schema changes, and which program raised them last: a copy has its own
_COUNTERS = (slice(24, 28), slice(40, 44), slice(92, 100))


def push(
    store: ObjectStore,
    org: str,
    database: Path,
    *,
    expect: int | None,
    now: dt.datetime,
    progress: Progress,
) -> Current:
    """Publish a consistent copy of the file as the organization's next version, and return that.

    Return the current version, and publish nothing, if the copy has its content. expect: the number
    that the current version must have; 0 for none. An organization without a configuration gets
    the one that the file has recorded. Raises DatabaseError, ConfigError, Superseded
    (another version is current or was published meanwhile; nothing is overwritten).
    """
    check_org_id(org)
    parent = current(store, org)
    _check_expected(org, parent[0].version if parent else 0, expect)
    with workspace() as folder:
        copy = Path(folder) / "pushed.sqlite3"
        progress("copy", 0, 1)
        with errors_naming(str(database), copy):
            backup_file(database, copy, partial(progress, "copy"))
            _forget_undo(copy)
        taken = _recorded(store, org, copy, str(database))
        config = taken or read_config(store, org)
        as_of = now.astimezone(config.zone).date()
        try:
            if parent and _is_content_of(copy, store, parent[0]):
                _require_unmoved(store, org, parent)
                return parent[0]
            census = checked(copy, str(database), as_of, config.contacts, progress)
            with errors_naming(str(database), copy):
                own = _last_run_of(copy, census)
                days = days_to_keep(copy, as_of, config.contacts)
            if taken:
                text = document(plain_settings(taken), f"Configuration of organization {org}.")
                replace_config(store, org, None, text.encode(), "almanac store push")
            return publish_copy(
                store,
                org,
                copy,
                word="push",
                parent=parent,
                census=census,
                days=days,
                now=now,
                progress=progress,
                own=own,
            )
        except Superseded as error:
            raise Superseded(
                f"organization {org}: another version was published while {database} was copied; "
                "nothing was overwritten; pull that version, make your changes to it, push again"
            ) from error


def _check_expected(org: str, found: int, expect: int | None) -> None:
    """Raise Superseded unless the current version is the expected one; 0 for none."""
    if expect is not None and found != expect:
        raise Superseded(
            f"organization {org}: the current version is {found or 'none'}, expected was "
            f"{expect or 'none'}; nothing was written"
        )


def _forget_undo(copy: Path) -> None:
    """Take the table of undo out of a private copy: the store keeps versions instead."""
    connection = open_database(copy, writable=True)
    try:
        with map_errors(copy):
            forget(connection)
    finally:
        connection.close()


def _recorded(store: ObjectStore, org: str, copy: Path, name: str) -> Config | None:
    """Return the configuration that a file has recorded, for an organization without one.

    None if the organization has one, or if the file has none but the defaults, which hold anyway.
    """
    if store.stat(layout.config(org)) is not None:
        return None
    with errors_naming(name, copy), Snapshot(copy) as snapshot:
        recorded = recorded_config(snapshot, name)
    return recorded if recorded != Config() else None


def publish_copy(
    store: ObjectStore,
    org: str,
    copy: Path,
    *,
    word: str,
    parent: tuple[Current, int] | None,
    census: Census,
    days: Mapping[str, bytes],
    now: dt.datetime,
    progress: Progress,
    own: LastRun | None = None,
    files: Mapping[str, Path] = MappingProxyType({}),
) -> Current:
    """Publish a private file that no run has written as the next version; the file is moved away.

    word: what its run id begins with. days: as `days_to_keep` returns them. own: the last run that
    the file records. files: as `KeptColumns.files` returns them. Raises Superseded if parent is no
    longer the current version.
    """
    extra: dict[str, Any] = {"census": census.model_dump(mode="json")}
    last = last_whole_run(store, parent[0].folder) if parent else None
    if own is not None and (last is None or own.committed_at > last.committed_at):
        extra[PLANNED_BY] = own.model_dump(mode="json", exclude={"version", "folder"})
    else:
        extra[LAST_RUN] = last.model_dump(mode="json") if last else None
    progress("store", 0, 1)
    done = publish(
        store,
        org,
        copy,
        NewVersion(
            run_id=own_id(word, now),
            parent=parent,
            as_of=census.as_of,
            now=now,
            manifest_extra=extra,
            attachments=lambda number: days,
            files=lambda: files,
        ),
        move=True,
    )
    progress("store", 1, 1)
    return done


def _last_run_of(copy: Path, census: Census) -> LastRun | None:
    """Return the last run over all contacts that the file itself records, of no version yet."""
    with Snapshot(copy) as snapshot:
        run = snapshot.last_run(at_least=census.ids)
    run_id = str(run.get("scheduler_run_id") or "") if run else ""
    as_of = date_of_run(run_id)
    if run is None or as_of is None or not is_whole_run(run_id):
        return None
    try:
        done = dt.datetime.fromisoformat(str(run.get("completed_at"))).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    return LastRun(run_id=run_id, version=0, folder="", as_of=as_of, committed_at=done)


def _is_content_of(copy: Path, store: ObjectStore, version: Current) -> bool:
    """Return whether a copy differs from the version's database in SQLite's counters at most."""
    if copy.stat().st_size != version.size:
        return False
    info = database_of(store, version)
    header = store.read_range(info.name, info.generation, 0, _HEADER)
    checksum = Checksum()
    with copy.open("rb") as file:
        own = bytearray(file.read(_HEADER))
        for counter in _COUNTERS:
            own[counter] = header[counter]
        checksum.update(bytes(own))
        for chunk in chunks_of(file):
            checksum.update(chunk)
    return checksum.crc32c == version.crc32c


def _require_unmoved(store: ObjectStore, org: str, parent: tuple[Current, int]) -> None:
    """Raise Superseded if another version than the parent is current by now."""
    if (found := current(store, org)) is None or found[0].path != parent[0].path:
        raise Superseded(f"organization {org}: version {parent[0].version} is no longer current")


def checked(
    copy: Path, name: str, as_of: dt.date, settings: ContactColumns, progress: Progress
) -> Census:
    """Check a private file, and count its rows; DatabaseError calls it `name`."""
    progress("check", 0, 1)
    with errors_naming(name, copy):
        quick_check(copy)
        connection = open_database(copy, writable=False)
        try:
            with map_errors(copy):
                census = take_census(connection, as_of, settings)
        finally:
            connection.close()
    progress("check", 1, 1)
    return census


def pull(
    store: ObjectStore,
    org: str,
    out: Path,
    *,
    version: int | None,
    force: bool,
    progress: Progress,
) -> Current | Manifest:
    """Fetch the database of a version, by default the current one, into the file `out`.

    Afterwards the file is complete and verified, or unchanged. Raises InputError (it exists and not
    force, or a journal is beside it), RequestError (no such version), NotFound, Corrupt.
    """
    _check_out(out, force)
    chosen = _version(store, org, version)
    info = database_of(store, chosen)
    progress("fetch", 0, 1)
    with partial_of(out, "--out") as partial:
        store.fetch_file(info.name, partial, info.generation)
        _check_out(out, force)
        partial.replace(out)
    progress("fetch", 1, 1)
    return chosen


def _check_out(out: Path, force: bool) -> None:
    check_folder(out, "--out")
    if out.exists() and not force:
        raise InputError(f"--out: {out}: exists already; --force overwrites it")
    for suffix in ("-wal", "-journal"):
        if Path(f"{out}{suffix}").exists():
            raise InputError(
                f"--out: {out}{suffix} exists: SQLite would apply it to the fetched file; "
                "choose another name, or end the program that uses the file"
            )


def _version(store: ObjectStore, org: str, number: int | None) -> Current | Manifest:
    latest, _ = require_current(store, org)
    if number is None or number == latest.version:
        return latest
    return version_numbered(store, org, latest, number)
