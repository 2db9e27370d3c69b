"""The first bucket is lost: a new one is filled from the copy, and runs go on there.

With the real functions, and Cloud Storage's own copies from bucket to bucket. ALMANAC_TEST_CONTACTS
sets the size, and then the times are printed: those of docs/operations.md.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from almanac.generation import generate
from almanac.organizations.copy_job import copy_store
from almanac.organizations.replica import as_of_copy
from almanac.runs.results import RunResult
from almanac.storage import layout
from almanac.storage.cloud import CloudStore
from tests.support.cli_calls import almanac
from tests.support.clouds import query
from tests.support.copies import is_whole
from tests.support.emulators import needs_pubsub_emulator
from tests.support.local_clouds import DAILY, DAY, NOW, Organization, running_cloud

pytestmark = [needs_pubsub_emulator, pytest.mark.slow]

CONTACTS = int(os.environ.get("ALMANAC_TEST_CONTACTS", "300"))


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - began:.1f} s")


def committed(place: Organization, run_id: str) -> RunResult:
    """The result of a run that must have committed, however many contacts it plans."""
    place.running.cloud.wait_for_result(place.org, run_id, 60 + CONTACTS / 100)
    return place.committed(run_id)


def suppress_address(org: str, contact: int) -> None:
    answer = almanac("suppression", "add", "--org", org, "--contact", contact, "--since", DAY)
    assert answer.code == 0, answer.err


def suppressed(database: Path) -> set[int]:
    return {contact for (contact,) in query(database, "SELECT contact_id FROM suppressions")}


def lose(store: CloudStore) -> None:
    """What stands for the loss of the region, and for the empty bucket of a new one."""
    for info in list(store.list("")):
        store.delete(info.name, info.generation)


def test_runs_go_on_in_a_new_bucket_that_was_filled_from_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_cloud(tmp_path / "cloud") as running:
        emulator = running.cloud.storage
        for key, value in running.cloud.settings().items():
            monkeypatch.setenv(key, value)
        emulator.create_bucket("the-copy")
        first, copied = running.cloud.store, CloudStore("the-copy", client=emulator.client())
        generate(tmp_path / "agency.sqlite3", CONTACTS, 1, DAY)
        place = Organization(running, tmp_path)
        place.push(tmp_path / "agency.sqlite3")
        place.ask(reason="daily")
        with timed("the first run"):
            before = committed(place, DAILY)
        suppress_address(place.org, 7)
        with timed("the first copy"):
            assert copy_store(first, copied, 3) == 0
        assert is_whole(copied, first, place.org)
        assert as_of_copy(copied, place.org)
        with timed("a copy with nothing new"):
            assert copy_store(first, copied, 3) == 0
        suppress_address(place.org, 8)  # accepted after the copy: lost with the region

        lose(first)
        with timed("the copy into the new bucket"):
            answer = almanac("store", "copy", running.cloud.settings()["ALMANAC_STORE"],
                             "--store", "gs://the-copy")  # fmt: skip
            assert answer.code == 0, answer.err
        assert place.version().run_id == before.run_id
        place.ask(reason="daily", as_of=DAY + dt.timedelta(days=1),
                  requested_at=NOW + dt.timedelta(days=1))  # fmt: skip
        with timed("the next day's run"):
            result = committed(place, f"{DAY + dt.timedelta(days=1)}-daily")
        assert result.version == (before.version or 0) + 1
        assert suppressed(place.pull()) - suppressed(tmp_path / "agency.sqlite3") == {7}
        assert not list(first.list(layout.inbox(place.org)))
        # the next copy goes on from the new bucket
        assert copy_store(first, copied, 3) == 0
        assert is_whole(copied, first, place.org)
