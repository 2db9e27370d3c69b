"""From bucket to bucket Cloud Storage copies: no byte passes through the process."""

from __future__ import annotations

from pathlib import Path

import pytest

from almanac.errors import NotFound, TransientError
from almanac.storage.cloud import CloudStore
from almanac.storage.copying import copy_object
from almanac.storage.store import ObjectInfo
from almanac_emulation.cloud_storage.faults import Fault, Faults
from tests.support.storage_stores import cloud_store, storage_emulator

NAME = "orgs/206/database.sqlite3"
LARGE = bytes(range(256)) * 6_000  # more than the emulator copies in one request


@pytest.fixture
def stores() -> tuple[CloudStore, CloudStore, ObjectInfo]:
    """Two stores, and an object of the first."""
    source, target = cloud_store("a/store"), cloud_store()
    return source, target, source.write(NAME, LARGE, 0)


Stores = tuple[CloudStore, CloudStore, ObjectInfo]


def test_a_large_object_is_copied_in_several_requests_and_not_read(
    stores: Stores, tmp_path: Path
) -> None:
    source, target, info = stores
    source.bytes_read = 0
    copy_object(source, target, info, None, tmp_path)
    log = storage_emulator()[0].log
    assert [each.status for each in log.of("rewrite", NAME)][-2:] == [200, 200]
    assert source.bytes_read == 0
    assert target.read(NAME).data == LARGE


@pytest.mark.parametrize("status", [None, 503])
def test_a_lost_answer_is_read_back_and_a_refusal_tried_again(
    stores: Stores, faults: Faults, tmp_path: Path, status: int | None
) -> None:
    source, target, info = stores
    storage_emulator()[0].log.clear()
    for _ in range(2):
        faults.add(Fault("rewrite", NAME, status=status, answer_lost=status is None))
    copy_object(source, target, info, None, tmp_path)
    assert target.read(NAME).data == LARGE


def test_what_was_replaced_meanwhile_is_not_there(stores: Stores, tmp_path: Path) -> None:
    source, target, info = stores
    source.write(NAME, b"another", info.generation)
    with pytest.raises(NotFound):
        copy_object(source, target, info, None, tmp_path)


def test_another_content_there_is_not_overwritten(stores: Stores, tmp_path: Path) -> None:
    source, target, info = stores
    target.write(NAME, b"another", 0)
    with pytest.raises(TransientError, match="another process writes it"):
        copy_object(source, target, info, None, tmp_path)
    there = target.stat(NAME)
    copy_object(source, target, info, there, tmp_path)
    assert target.read(NAME).data == LARGE
