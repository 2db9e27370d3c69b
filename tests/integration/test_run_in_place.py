"""A run that reads the file in place: all of one state, or again, and with the locks it needs."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from almanac.organizations.kept_copies import KeptCopies
from almanac.runs.workers import write_out
from tests.support.damage import build, dump, plan
from tests.support.database_agencies import OtherProgram, beside
from tests.support.sampling import sampled

NEW_CONTACT = "INSERT INTO contacts (id, email, state) VALUES (401, 'new@example.com', 'TX')"
JOURNALS = ("delete", "wal")


@pytest.fixture(params=JOURNALS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return build(tmp_path / "agency" / "agency.sqlite3", journal=request.param)


class Steps:
    """Progress that keeps the names of the steps, and acts once at the first of a name."""

    def __init__(self, step: str = "", act: Callable[[], object] = lambda: None) -> None:
        self.names: list[str] = []
        self._step, self._act = step, act

    def __call__(self, step: str, done: int, total: int) -> None:
        if not self.names or self.names[-1] != step:
            self.names.append(step)
            if step == self._step and self.names.count(step) == 1:
                self._act()


def has_open(process: int, path: Path) -> bool:
    """Return whether a process has the file open."""
    folder = Path(f"/proc/{process}/fd")
    return any(each.resolve() == path for each in folder.iterdir())


@pytest.mark.parametrize(
    ("workers", "path"),
    sampled([(1, "delete"), (1, "wal"), (2, "delete"), (2, "wal")], 1),
    indirect=["path"],
)
def test_the_write_lock_is_kept_though_the_file_was_read(path: Path, workers: int) -> None:
    others: list[str] = []
    readers: list[bool] = []
    with OtherProgram(path) as other:
        other.run("PRAGMA busy_timeout = 0")

        def look() -> None:
            others.append(other.run("BEGIN IMMEDIATE"))
            children = [each.pid for each in multiprocessing.active_children()]
            readers.extend(has_open(pid, path) for pid in children if pid is not None)

        steps = Steps("write", look)
        plan(path, steps, shards=2, workers=workers)
    assert others == ["database is locked"]
    assert readers == [False] * (workers if workers > 1 else 0)
    assert "snapshot" not in steps.names
    assert beside(path) == ["agency.sqlite3"]


@pytest.mark.parametrize("name", ["agency.sqlite3", "none.sqlite3"])
def test_to_write_out_a_file_changes_nothing_and_may_be_in_vain(tmp_path: Path, name: str) -> None:
    path = tmp_path / "agency.sqlite3"
    path.write_bytes(b"content")
    write_out(tmp_path / name)
    assert path.read_bytes() == b"content"
    assert [each.name for each in tmp_path.iterdir()] == ["agency.sqlite3"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_planned_in_place_is_what_is_planned_on_a_copy(path: Path, workers: int) -> None:
    copy = Path(shutil.copytree(path.parent, path.parent.with_name("other")), path.name)
    kept = path.parent.with_name("kept")
    kept.mkdir()
    plan(path, shards=3, workers=workers)
    steps = Steps()
    plan(copy, steps, shards=3, workers=workers, copies=KeptCopies(copy, kept))
    assert steps.names[0] == "snapshot"
    columns = "id, contact_id, email_type, scheduled_send_date, status, skip_reason, metadata"
    assert dump(path, "email_schedules", columns) == dump(copy, "email_schedules", columns)


@pytest.mark.parametrize("path", sampled(JOURNALS, 1), indirect=True)
def test_the_summary_of_a_dry_run_is_of_one_state_of_the_file(path: Path) -> None:
    with OtherProgram(path) as other:
        steps = Steps("balance", lambda: other.run(NEW_CONTACT))
        summary = plan(path, steps, dry_run=True)
    assert summary.contacts_total == 401
    assert steps.names.count("balance") == 2
    assert steps.names.count("snapshot") == 1


@pytest.mark.parametrize("path", ["delete"], indirect=True)
def test_an_error_that_comes_from_what_another_program_does_is_none_of_the_file(
    path: Path,
) -> None:
    with OtherProgram(path) as other:
        steps = Steps("plan contacts", lambda: other.run("DROP TABLE email_schedules"))
        assert plan(path, steps).planned_total > 400
    assert steps.names.count("snapshot") == 1


@pytest.mark.parametrize(("dry_run", "through_a_link"), [(False, False), (True, True)])
@pytest.mark.parametrize("path", ["delete"], indirect=True)
def test_a_file_that_takes_the_place_of_the_planned_one_is_planned_instead(
    path: Path, dry_run: bool, through_a_link: bool
) -> None:
    named, new = path, build(path.with_name("new.sqlite3"), 300)
    if through_a_link:
        named, other = path.with_name("link"), path.with_name("other link")
        named.symlink_to(path)
        other.symlink_to(new)
    else:
        os.link(path, path.with_name("before.sqlite3"))
        other = new
    steps = Steps("balance", lambda: other.replace(named))
    before = path.with_name("before.sqlite3") if not through_a_link else path
    content = before.read_bytes()
    summary = plan(named, steps, dry_run=dry_run)
    assert summary.contacts_total == 300
    assert before.read_bytes() == content


@pytest.mark.parametrize("path", ["wal"], indirect=True)
def test_a_log_that_is_written_back_meanwhile_is_no_write(path: Path) -> None:
    with OtherProgram(path) as other:
        other.run(NEW_CONTACT)
        steps = Steps("balance", lambda: other.run("PRAGMA wal_checkpoint(PASSIVE)"))
        assert plan(path, steps).contacts_total == 401
    assert steps.names.count("balance") == 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("path", ["delete"], indirect=True)
def test_a_journal_that_a_killed_writer_leaves_meanwhile_is_played_back(
    path: Path, workers: int
) -> None:
    with OtherProgram(path) as other:

        def die() -> None:
            other.run("PRAGMA cache_size = 2")
            other.run("BEGIN")
            assert other.run("UPDATE contacts SET email = 'no', birth_date = NULL") == "done"
            other.kill()
            assert path.with_name(f"{path.name}-journal").stat().st_size > 0

        summary = plan(path, Steps("plan contacts", die), shards=2, workers=workers)
    assert (summary.contacts_total, summary.issues) == (400, {})
    assert beside(path) == ["agency.sqlite3"]
