"""The planned rows of a version: those in columns, and those of its database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from almanac.contact_ranges import EVERYONE
from almanac.database.range_tables import PLANNED, RangeTable
from almanac.database.reading import Snapshot
from almanac.database.sources import Traffic
from almanac.database.tables import Tables
from almanac.organizations.kept_rows import kept_rows, kept_rows_of
from almanac.storage.store import ObjectStore
from almanac.storage.versions import manifest_of, require_current

Rows = list[dict[str, Any]]


def in_columns(store: ObjectStore, org: str) -> Rows | None:
    """What the version in force has in columns; None for nothing."""
    folder = require_current(store, org)[0].folder
    manifest = manifest_of(store, folder)
    assert manifest is not None
    index = kept_rows_of(manifest)
    pieces = index and kept_rows(store, folder, index, np.empty(0, np.int64))
    return pieces.read(EVERYONE, Traffic()).to_pylist() if pieces else None


def in_database(store: ObjectStore, org: str, folder: Path) -> Rows:
    """What its database has; folder: for a copy."""
    path = folder / "columns-of.sqlite3"
    path.unlink(missing_ok=True)
    store.fetch_file(require_current(store, org)[0].path, path)
    with Snapshot(path) as snapshot:
        rows: Rows = snapshot.read(PLANNED, EVERYONE).to_pylist()
    return rows


def noted_ranges(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read of the contacts of a range in databases, from now on."""
    read: list[str] = []
    read_range = Tables.read_range

    def noting(tables: Tables, what: RangeTable, *values: Any) -> pa.Table:
        read.append("planned rows" if what is PLANNED else what.table)
        return read_range(tables, what, *values)

    monkeypatch.setattr(Tables, "read_range", noting)
    return read
