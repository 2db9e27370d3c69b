"""Whether a run has committed is not judged by an answer from before its commit."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from almanac.errors import TransientError
from almanac.runs.finish import version_of
from almanac.storage import layout
from almanac.storage.memory import MemoryStore
from almanac.storage.publish import NewVersion, publish
from almanac.storage.store import StoredObject
from almanac.storage.versions import current

ORG, RUN = "206", "2026-11-21-daily"
NOW = dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)


class StaleStore(MemoryStore):
    """A store whose next answer, if `stale` is set, is that of an earlier moment."""

    stale: StoredObject | None = None

    def read(self, name: str) -> StoredObject:
        found, self.stale = self.stale, None
        return found or super().read(name)


def _publish(store: MemoryStore, path: Path, run_id: str) -> None:
    path.write_text(run_id)
    new = NewVersion(run_id=run_id, parent=current(store, ORG), as_of=NOW.date(), now=NOW)
    publish(store, ORG, path, new)


def test_an_answer_from_before_the_commit_is_asked_for_again(tmp_path: Path) -> None:
    store = StaleStore()
    _publish(store, tmp_path / "database", "push-1")
    before = store.read(layout.current(ORG))
    _publish(store, tmp_path / "database", RUN)
    snapshot = SimpleNamespace(version=1, pointer=before.generation)
    plan = cast(Any, SimpleNamespace(org_id=ORG, run_id=RUN, snapshot=snapshot))
    services = cast(Any, SimpleNamespace(store=store))

    store.stale = before
    with pytest.raises(TransientError, match="an earlier version, 1, was read"):
        version_of(services, plan, moved=True)

    found = version_of(services, plan, moved=True)
    assert found is not None
    assert found.run_id == RUN
