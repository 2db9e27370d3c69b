"""The documents of one organization as `status` reads them: all of them, or most of one object."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Self, TypeVar

from pydantic import ValidationError

from almanac.config import Config
from almanac.errors import AlmanacError, NotFound
from almanac.organizations.organizations import census_of, last_whole_run, read_config
from almanac.runs.organization_summary import (
    OrganizationSummary,
    VersionFacts,
    data_of,
    read_summary,
)
from almanac.runs.results import RunResult, result_of
from almanac.storage import layout
from almanac.storage.documents import read_document
from almanac.storage.lease import LeaseDocument
from almanac.storage.store import ObjectInfo, ObjectStore
from almanac.storage.versions import Current, Manifest, current, manifest_of
from almanac.validation_text import first_problem_text

T = TypeVar("T")


class Documents:
    """Reads the documents of one organization; a failed read becomes a problem."""

    def __init__(self, store: ObjectStore, org: str) -> None:
        self.store = store
        self.org = org
        self.problems: list[str] = []
        self._folder = layout.organization(org)
        self._there: dict[str, int] | None = None  # generations by name, if they were listed
        self._summary: OrganizationSummary | None = None

    @classmethod
    def with_summary(cls, store: ObjectStore, org: str) -> Self:
        """Return them with summary.json read, which stands for what has not changed since."""
        documents = cls(store, org)
        there = documents.read(lambda: list(store.list(documents._folder, deep=False)), None)
        if there is not None:
            documents._there = {each.name: each.generation for each in there}
        if documents._may_exist(layout.summary(org)):
            found = documents.read(lambda: read_summary(store, org), None)
            documents._summary = found[0] if found else None
        return documents

    def read(self, read: Callable[[], T], default: T) -> T:
        """Return what `read` returns, or the default if it fails."""
        try:
            return read()
        except ValidationError as error:
            self.problems.append(f"{error.title} cannot be read: {first_problem_text(error)}")
        except AlmanacError as error:
            self.problems.append(" ".join(str(error).split()))
        return default

    def facts(self) -> VersionFacts | None:
        """Return what the current version says, as far as it can be read; None without one."""
        if self._summary and self._is_at(layout.current(self.org), self._summary.pointer):
            return self._summary.facts
        found = self.read(lambda: current(self.store, self.org), None)
        if found is None:
            return None
        version = found[0]
        manifest = self.read(lambda: _manifest(self.store, version), None)
        last = self.read(
            lambda: last_whole_run(self.store, manifest.folder) if manifest else None, None
        )
        census = self.read(lambda: census_of(manifest) if manifest else None, None)
        return VersionFacts(
            version=version,
            created_at=manifest.created_at if manifest else version.committed_at,
            last=last,
            census=census,
            data=self.read(lambda: data_of(self.store, last), None),
        )

    def zone(self) -> dt.tzinfo:
        """Return the organization's time zone, the default one if its configuration is invalid."""
        if self._summary and self._is_at(layout.config(self.org), self._summary.config):
            return Config(timezone=self._summary.zone).zone
        return self.read(lambda: read_config(self.store, self.org), Config()).zone

    def runs(self) -> list[str]:
        """Return the ids of all runs that are kept."""
        return self.read(lambda: self.store.subfolders(layout.runs(self.org)), [])

    def lease(self) -> LeaseDocument | None:
        name = layout.lease(self.org)
        if not self._may_exist(name):
            return None
        found = self.read(lambda: read_document(self.store, name, LeaseDocument), None)
        return found[0] if found else None

    def result(self, run_id: str) -> tuple[RunResult | None, bool]:
        """Return how a run ended, None while it has not, and whether that could be read."""
        if self._summary and (known := self._summary.results.get(run_id)):
            return known, True
        problems = len(self.problems)
        result = self.read(partial(result_of, self.store, self.org, run_id), None)
        return result, len(self.problems) == problems

    def inbox(self) -> list[ObjectInfo] | None:
        """Return the objects that wait; None if they cannot be listed."""
        return self.read(lambda: list(self.store.list(layout.inbox(self.org))), None)

    def _may_exist(self, name: str) -> bool:
        return self._there is None or name in self._there

    def _is_at(self, name: str, generation: int) -> bool:
        return self._there is not None and self._there.get(name, 0) == generation


def _manifest(store: ObjectStore, version: Current) -> Manifest:
    manifest = manifest_of(store, version.folder)
    if manifest is None:
        raise NotFound(f"{version.folder}/{layout.MANIFEST}: no such object")
    return manifest
