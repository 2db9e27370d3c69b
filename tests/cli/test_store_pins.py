"""A pinned version is kept at any age, and its note is shown."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from almanac.runs.rollback import versions
from almanac.storage.collection import collect_versions
from almanac.storage.folder import FolderStore
from tests.support import agencies
from tests.support.cli_calls import almanac
from tests.support.database_agencies import change

ORG = "206"


def test_a_pinned_version_stays_until_it_is_unpinned(tmp_path: Path) -> None:
    database = agencies.build(
        tmp_path / "agency.sqlite3", 3, 24, as_of=dt.date(2027, 3, 1), config={}
    )
    store = ("--store", tmp_path / "store")
    for number in range(4):
        change(database, f"UPDATE contacts SET birth_date = '1950-01-0{number + 1}'")
        assert almanac("store", "push", ORG, database, *store).code == 0
    noted = almanac("store", "pin", ORG, "1", "--note", "before the new caps", *store, "--json")
    assert json.loads(noted.out) == {
        "org_id": ORG,
        "version": 1,
        "pinned": True,
        "note": "before the new caps",
    }
    objects = FolderStore(tmp_path / "store")
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=800)
    gone = collect_versions(objects, ORG, later)
    assert [folder.rpartition("/")[2][:8] for folder in gone] == ["00000002"]
    assert versions(objects, ORG, later)[0].kept == "pinned: before the new caps"
    assert almanac("store", "unpin", ORG, "1", *store).code == 0
    assert len(collect_versions(objects, ORG, later)) == 1


def test_a_version_that_is_not_there_cannot_be_pinned(tmp_path: Path) -> None:
    answer = almanac("store", "pin", ORG, "7", "--store", tmp_path / "store")
    assert answer.code == 2
    assert "has no version 7; it has none" in answer.err
