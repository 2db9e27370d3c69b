"""The change sets of an organization's versions, one after another, and where there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import apsw

from almanac.database.change_sets.compare import change_set_between
from almanac.database.change_sets.rows import StoredTable, stored_tables
from almanac.database.opening import map_errors
from almanac.errors import InputError, RequestError
from almanac.names import date_of_run
from almanac.organizations.agency_database import StoreDatabase
from almanac.progress import Progress
from almanac.storage import layout
from almanac.storage.history import line, version_numbered
from almanac.storage.store import ObjectStore
from almanac.storage.versions import Manifest, database_of, manifest_of, require_current
from almanac.workspaces import workspace

T = TypeVar("T")

# In a manifest: why the version has no change set; and that its change set has the rows of tables
# without a key too, which earlier releases left out.
WITHOUT_CHANGES, CHANGES_OF_ALL = "without_changes", "changes_of_every_table"
# So many changes of rows are put together in memory; a follower takes fewer versions at a time.
MOST_BYTES = 512 << 20


@dataclass(frozen=True)
class VersionStep:
    """A kept version and the kept one before it. gap: why there is no change set between them."""

    before: Manifest
    version: Manifest
    gap: str = ""

    @property
    def change_set(self) -> str:
        """Return the name of the object."""
        return f"{self.version.folder}/{layout.CHANGES}"


def steps_between(
    store: ObjectStore, org: str, first: int | None, last: int | None
) -> list[VersionStep]:
    """Return the steps from version `first` to `last`, the earliest first.

    last: None for the current version; first: None for the earliest kept version that it is built
    on. Raises RequestError (no such version, `last` is not built on `first`).
    """
    there = require_current(store, org)[0]
    tip = version_numbered(store, org, there, last or there.version)
    start = version_numbered(store, org, there, first) if first is not None else None
    if start is not None and start.version >= tip.version:
        raise RequestError(
            f"organization {org}: version {tip.version} is not after version {start.version}"
        )
    steps: list[VersionStep] = []
    later = tip
    for folder, _ in line(store, tip):
        if folder == tip.folder or (found := manifest_of(store, folder)) is None:
            continue
        steps.append(VersionStep(found, later, _gap(found, later)))
        later = found
        if start is not None and folder == start.folder:
            break
    if start is not None and later.folder != start.folder:
        raise RequestError(
            f"organization {org}: version {tip.version} is not built on version {start.version}: "
            "a rollback left it"
        )
    return steps[::-1]


def _gap(before: Manifest, version: Manifest) -> str:
    """Return why there is no change set from one version to another; '' if there is."""
    extra = version.model_extra or {}
    if version.parent_path != before.path:
        return f"the versions after {before.version} are no longer kept"
    if layout.CHANGES in version.attachments:
        return "" if extra.get(CHANGES_OF_ALL) else "an earlier release wrote it, not of all tables"
    if extra.get(WITHOUT_CHANGES):
        return str(extra[WITHOUT_CHANGES])
    if version.run_id.startswith("push-"):
        return "it is a pushed file"
    if date_of_run(version.run_id) is None:
        return f"almanac {version.run_id.split('-2')[0].replace('-', ' ')} wrote it, not a run"
    return "an earlier release wrote it"


def combined_changes(
    store: ObjectStore,
    org: str,
    steps: Sequence[VersionStep],
    *,
    compare: bool,
    progress: Progress,
) -> bytes:
    """Return one change set for all steps.

    compare: fetch and compare the databases on both sides of each gap. Raises RequestError if there
    is a gap and not compare, or if it is too much, InputError if a table differs.
    """
    gaps = [each for each in steps if each.gap]
    if gaps and not compare:
        raise RequestError(
            f"organization {org}: {'; '.join(map(gap_in_words, gaps))}; --compare fetches and "
            "compares the databases, almanac store pull fetches one whole"
        )
    builder: Any = apsw.ChangesetBuilder()  # type: ignore[no-untyped-call]
    total = 0
    for number, step in enumerate(steps):
        progress("change sets", number, len(steps))
        changes = _compared(store, step) if step.gap else store.read(step.change_set).data
        total += len(changes)
        if total > MOST_BYTES:
            raise RequestError(
                f"organization {org}: the change sets up to version {step.version.version} are "
                f"{total / 1e6:,.0f} MB, too much for one; take --to {step.before.version} first"
            )
        builder.add(changes)
    progress("change sets", len(steps), len(steps))
    return bytes(builder.output())


def gap_in_words(step: VersionStep) -> str:
    """Return that a version has no change set, and why."""
    return f"version {step.version.version} has no change set: {step.gap}"


def tables_of(store: ObjectStore, org: str, version: Manifest) -> dict[str, StoredTable]:
    """Return the tables of a version, of which only the pages of the schema are read."""
    return read_version(store, org, version, stored_tables)


def read_version(
    store: ObjectStore, org: str, version: Manifest, read: Callable[[apsw.Connection], T]
) -> T:
    """Return what `read` returns of a version's database, whose pages it fetches as it needs."""
    with (
        StoreDatabase(store, org).open_version(version) as source,
        map_errors(source.path),
    ):
        return read(source.connection)


def _compared(store: ObjectStore, step: VersionStep) -> bytes:
    with workspace() as folder:
        files = {}
        for version in (step.before, step.version):
            info = database_of(store, version)
            path = Path(folder) / f"version {version.version}"
            store.fetch_file(info.name, path, info.generation)
            files[version.version] = path
        try:
            return change_set_between(*files.values())[0]
        except InputError as error:
            text = str(error).replace(f"{folder}/", "")
            raise RequestError(f"{gap_in_words(step)}; {text}") from error
