"""The job that copies a store: each organization for itself, and what is late is named."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from almanac import logs
from almanac.organizations.copy_job import COPIED, OVERDUE, copy_store
from almanac.organizations.replica import copy_organization
from almanac.storage import layout
from almanac.storage.memory import MemoryStore
from almanac.storage.publish import NewVersion, publish
from almanac.storage.versions import current

NOW = dt.datetime.now(dt.UTC)


class Lines:
    """What was logged."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def of(self, message: str) -> list[dict[str, Any]]:
        every = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [line for line in every if line["message"] == message]


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines()
    logs.configure("INFO", found.stream)
    yield found
    logs.configure(None)


@pytest.fixture
def source(tmp_path: Path) -> MemoryStore:
    store = MemoryStore()
    for org in ("206", "207", "208"):
        database = tmp_path / org
        database.write_bytes(org.encode())
        new = NewVersion(run_id="push", parent=None, as_of=NOW.date(), now=NOW)
        publish(store, org, database, new)
    return store


def test_tasks_share_the_organizations_and_only_read_the_source(source: MemoryStore) -> None:
    target, before = MemoryStore(), list(source.list(""))
    assert [copy_store(source, target, 3, (index, 2)) for index in (0, 1)] == [0, 0]
    for org in ("206", "207", "208"):
        assert target.read(layout.current(org)).data == source.read(layout.current(org)).data
    assert list(source.list("")) == before


def test_one_that_fails_keeps_no_other_and_is_named_where_it_has_no_copy(
    source: MemoryStore, lines: Lines
) -> None:
    target = MemoryStore()
    source.write(layout.current("207"), b"nonsense", None)
    assert copy_store(source, target, 3) == 1
    assert [line["org_id"] for line in lines.of("copy failed")] == ["207"]
    assert [line["org_id"] for line in lines.of(OVERDUE)] == ["207"]
    (end,) = lines.of(COPIED)
    assert (end["organizations"], end["failed"]) == (3, 1)
    assert current(target, "208")


def test_an_old_copy_is_named_and_so_is_what_the_source_no_longer_has(
    source: MemoryStore, lines: Lines
) -> None:
    target = MemoryStore()
    copy_organization(source, target, "206", NOW - dt.timedelta(hours=4))
    copy_store(source, target, 3)
    assert [line["org_id"] for line in lines.of(OVERDUE)] == ["206"]
    copy_store(MemoryStore(), target, 3)
    (gone,) = lines.of("only in the copy")
    assert gone["organizations"] == ["206", "207", "208"]
