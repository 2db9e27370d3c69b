"""Clouds and faults that several files of tests begin with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac_emulation.cloud_storage.faults import Faults
from tests.support import agencies
from tests.support.clouds import NOW, Cloud
from tests.support.storage_stores import storage_emulator


@pytest.fixture(scope="module")
def unplanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud with the organization 206, an agency of 24 contacts; it is yesterday."""
    folder = tmp_path_factory.mktemp("agency")
    database = agencies.build(folder / "a.sqlite3", 3, contacts=24, as_of=NOW.date(), config={})
    made = Cloud(folder)
    made.push("206", database)
    made.now = NOW - dt.timedelta(days=1)
    yield made
    made.close()


@pytest.fixture
def cloud(folder: Path, planned: Cloud) -> Iterator[Cloud]:
    """A cloud that begins as `planned`, which the file of the test has."""
    made = Cloud(folder, like=planned)
    yield made
    made.close()


@pytest.fixture
def faults() -> Iterator[Faults]:
    """Those of the emulator; every fault that a test asked for must have happened."""
    faults = storage_emulator()[0].faults
    yield faults
    waiting = faults.waiting()
    faults.clear()
    assert waiting == 0
