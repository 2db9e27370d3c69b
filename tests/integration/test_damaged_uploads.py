"""Uploads to a bucket that are damaged on their way, which the store refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from almanac.errors import TransientError
from almanac.storage.cloud import CloudStore
from tests.support.fault_proxy import FaultProxy, WireFault
from tests.support.storage_stores import cloud_store, storage_emulator

FLIPPED = WireFault(flip_upload=True)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    with FaultProxy(storage_emulator()[0].url) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        yield proxy


@pytest.fixture
def store(proxy: FaultProxy) -> Iterator[CloudStore]:
    store = CloudStore(cloud_store().bucket_name, patience=5, first_pause=0.01)
    yield store
    store.close()


def test_an_upload_that_arrives_damaged_twice_is_sent_a_third_time(
    proxy: FaultProxy, store: CloudStore
) -> None:
    proxy.begin(FLIPPED, times=2)
    written = store.write("a", b"data", if_generation=0)
    assert len(proxy.passed) == 3
    assert store.read("a").data == b"data"
    assert store.stat("a") == written


def test_a_large_upload_that_arrives_damaged_is_sent_again(
    proxy: FaultProxy, store: CloudStore
) -> None:
    data = bytes(9 << 20)
    proxy.begin(FLIPPED, at=2)  # the first request only begins the upload
    store.write("a", data, if_generation=0)
    assert [each.method for each in proxy.passed] == ["POST", "PUT"] * 2
    assert store.read("a").data == data


def test_an_upload_that_arrives_damaged_three_times_has_written_nothing(
    proxy: FaultProxy, store: CloudStore
) -> None:
    proxy.begin(FLIPPED, times=3)
    with pytest.raises(TransientError, match="a: was damaged on its way to the store 3 times"):
        store.write("a", b"data", if_generation=0)
    assert len(proxy.passed) == 3
    assert store.stat("a") is None
