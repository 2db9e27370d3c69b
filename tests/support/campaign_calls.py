"""What tests of `almanac campaign` in a store share."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

from almanac.storage.publish import NewVersion, publish
from almanac.storage.store import ObjectStore
from almanac.storage.versions import current

ORG = "206"


TODAY = dt.date(2027, 3, 1)


NOW = dt.datetime(2027, 3, 1, 9, tzinfo=dt.UTC)


def put(store: ObjectStore, path: Path, now: dt.datetime = NOW) -> None:
    """Publish a copy of the file as the next version."""
    copy = path.with_name("pushed.sqlite3")
    shutil.copy(path, copy)
    publish(
        store,
        ORG,
        copy,
        NewVersion(
            run_id=f"push-{now.microsecond}",
            parent=current(store, ORG),
            as_of=TODAY,
            now=now,
        ),
    )


def version(store: ObjectStore) -> int:
    there = current(store, ORG)
    assert there is not None
    return there[0].version
