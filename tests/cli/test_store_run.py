"""A store in a folder: `almanac run --org`, and a planned file that is pushed."""

from __future__ import annotations

import datetime as dt
import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from almanac.database.backup import errors_naming
from almanac.errors import DatabaseError, StorageError
from almanac.runs.in_store import run_in_store
from almanac.storage.files import storage_errors
from almanac.storage.folder import FolderStore
from almanac.storage.store import ObjectInfo
from tests.support.cli_calls import almanac
from tests.support.tiny import Agency

TODAY = dt.datetime.now(dt.UTC).date()


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agency:
    """An agency, and a store that is prepared for it."""
    monkeypatch.setenv("ALMANAC_STORE", str(tmp_path / "store"))
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact(1, birth_date=f"1960-{TODAY:%m-%d}")
    tiny.contact(2)
    assert almanac("store", "init", "206").code == 0
    return tiny


def status() -> tuple[int, dict[str, object]]:
    answer = almanac("store", "status", "206", "--json")
    found: dict[str, object] = json.loads(answer.out)
    return answer.code, found


def test_run_with_org_plans_what_a_run_over_the_file_plans(tiny: Agency) -> None:
    almanac("store", "push", "206", tiny.path)
    assert status()[0] == 1
    answer = almanac("run", "--org", "206", "--as-of", TODAY, "--json")
    assert (answer.code, answer.err) == (0, "")
    assert status()[0] == 0
    ours = json.loads(almanac("run", tiny.path, "--as-of", TODAY, "--json").out)
    found = json.loads(answer.out)
    for name in ("planned", "skipped", "first_send_date", "checksums"):
        assert found[name] == ours[name]
    again = almanac("run", "--org", "206", "--as-of", TODAY)
    assert "No row changes." in again.out
    first, second, *_ = again.out.splitlines()
    assert first == "Configuration: that of organization 206."
    assert second == f"Planned organization 206 as of {TODAY}"


def test_run_with_org_takes_no_option_of_a_file(tiny: Agency) -> None:
    almanac("store", "push", "206", tiny.path)
    answer = almanac("run", "--org", "206", "--dry-run")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "Error: --org: takes only --store, --as-of, --now and --json\n"
    assert almanac("run", tiny.path, "--org", "206").code == 2
    answer = almanac("run", "--org", "206", "--store", "gs://bucket")
    assert "almanac request run --org 206" in answer.err


def test_a_planned_file_that_is_pushed_counts_as_planned(tiny: Agency) -> None:
    run = json.loads(almanac("run", tiny.path, "--as-of", TODAY, "--json").out)["run_id"]
    almanac("run", tiny.path, "--as-of", TODAY, "--contacts", "1")
    almanac("store", "push", "206", tiny.path)
    code, found = status()
    assert (code, found["problems"]) == (0, [])
    tiny.query("UPDATE contacts SET state = 'CA'")
    almanac("store", "push", "206", tiny.path)
    success = status()[1]["last_success"]
    assert isinstance(success, dict)
    assert success["run_id"] == run


@contextmanager
def full(error: Exception, message: Exception) -> Iterator[None]:
    raise message from error
    yield


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (apsw.FullError("full"), DatabaseError("{place}/snapshot.sqlite3: no room left")),
        (OSError(errno.ENOSPC, "No space left"), StorageError("orgs/local/runs: No space left")),
    ],
)
def test_a_full_temporary_folder_is_not_blamed_on_the_database(
    tmp_path: Path, error: Exception, message: Exception
) -> None:
    raised = type(message)(str(message).format(place=tmp_path))
    with (
        pytest.raises(type(message), match=r"for a private copy.*TMPDIR") as caught,
        errors_naming("agency.sqlite3", tmp_path),
        full(error, raised),
    ):
        pass
    assert str(caught.value).startswith("agency.sqlite3: no room left in ")


def test_a_full_disk_under_the_database_itself_is_named(tmp_path: Path) -> None:
    raised = DatabaseError("/data/agency.sqlite3: no room left on the disk (full)")
    with (
        pytest.raises(DatabaseError, match=r"^/data/agency.sqlite3: no room left on the disk"),
        errors_naming("/data/agency.sqlite3", tmp_path),
        full(apsw.FullError("full"), raised),
    ):
        pass


def test_a_store_without_room_names_its_folder(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=f"^orgs/7/x: no room left in .* {tmp_path}$"),
        storage_errors(tmp_path, "orgs/7/x"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


class Interrupted(FolderStore):
    """A folder into which another version is published when the run writes its first fragment."""

    other: Path | None = None

    def write(self, name: str, data: bytes, if_generation: int | None) -> ObjectInfo:
        if self.other is not None and name.endswith("00000.parquet"):
            other, self.other = self.other, None
            answer = almanac("store", "push", "206", other)
            assert answer.code == 0, answer.err
        return super().write(name, data, if_generation)


def test_a_run_that_another_version_supersedes_plans_that_one(tiny: Agency) -> None:
    almanac("store", "push", "206", tiny.path)
    store = Interrupted(tiny.path.parent / "store")
    tiny.contact(3)
    store.other = tiny.path
    noon = dt.datetime.combine(TODAY, dt.time(12), dt.UTC)
    summary = run_in_store(store, "206", TODAY, noon, lambda step, done, total: None)
    assert store.other is None
    assert (summary.contacts_total, summary.as_of) == (3, TODAY)
    assert summary.run_id.endswith("~2")
