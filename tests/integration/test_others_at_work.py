"""Other programs that use the file during a run, and runs that die: nothing gets lost."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from almanac.errors import AlmanacError, DatabaseBusy, SnapshotMoved
from tests.support.damage import build, plan, untouched
from tests.support.database_agencies import OtherProgram, beside, change
from tests.support.sampling import sampled

JOURNALS = ("delete", "wal")
one_journal = pytest.mark.parametrize("path", sampled(JOURNALS, 1), indirect=True)
STEPS = ("plan contacts", "read fragments", "balance", "write", "index")
PLANNED = "SELECT count(*) FROM email_schedules WHERE status = 'pre-scheduled'"
NEW_CONTACT = """
INSERT INTO contacts (email, state, birth_date) VALUES ('new@example.com', 'TX', '1950-09-09')
"""
Progress = Callable[[str, int, int], None]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which runs keep what nobody else sees; it is empty after each of them."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture(params=JOURNALS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A sound agency in a folder of its own, in both journal modes."""
    folder = tmp_path / "agency"
    folder.mkdir()
    return build(folder / "agency.sqlite3", journal=request.param)


def at(step: str, act: Callable[[], object], times: int = 1) -> Progress:
    """Progress that acts when a run comes to the step, in so many runs."""
    steps: list[str] = []

    def progress(name: str, count: int, total: int) -> None:
        if not steps or steps[-1] != name:
            steps.append(name)
            if name == step and steps.count(step) <= times:
                act()

    return progress


# Writers


@pytest.mark.parametrize(
    ("step", "path"),
    sampled(itertools.product(["plan contacts", "balance"], JOURNALS), 2),
    indirect=["path"],
)
def test_what_another_program_writes_during_a_run_is_planned_too(path: Path, step: str) -> None:
    with OtherProgram(path) as other:
        summary = plan(path, at(step, lambda: other.run(" ".join(NEW_CONTACT.split()))))
    assert summary.contacts_total == 401
    sql = """SELECT email_type, event_month FROM email_schedules
        WHERE contact_id = 401 AND email_type = 'birthday'"""
    assert change(path, sql) == [("birthday", 9)]
    assert beside(path) == ["agency.sqlite3"]


def test_what_the_sender_marks_during_a_run_stays_marked(path: Path) -> None:
    plan(path)
    ((row, before),) = change(
        path,
        """SELECT id, contact_id FROM email_schedules WHERE status = 'pre-scheduled'
        ORDER BY scheduled_send_date LIMIT 1""",
    )
    mark = f"UPDATE email_schedules SET status = 'sent' WHERE id = {row}"
    with OtherProgram(path) as other:
        plan(path, at("balance", lambda: other.run(mark)))
    assert change(path, f"SELECT contact_id, status FROM email_schedules WHERE id = {row}") == [
        (before, "sent")
    ]


@one_journal
def test_a_writer_that_writes_during_every_attempt_is_told_of(path: Path) -> None:
    with OtherProgram(path) as other:
        note = "INSERT INTO notes VALUES (1, 'hello')"
        with pytest.raises(SnapshotMoved, match="each of 5 attempts; nothing was changed"):
            plan(path, at("balance", lambda: other.run(note), times=100))
    assert change(path, "SELECT count(*) FROM notes") == [(5,)]
    assert change(path, PLANNED) == [(0,)]
    assert change(path, "SELECT count(*) FROM pragma_table_info('email_schedules')") == [(9,)]
    assert beside(path) == ["agency.sqlite3"]


@one_journal
def test_four_disturbed_attempts_are_not_too_many(path: Path) -> None:
    with OtherProgram(path) as other:
        note = "INSERT INTO notes VALUES (1, 'hello')"
        plan(path, at("balance", lambda: other.run(note), times=4))
    assert change(path, "SELECT count(*) FROM notes") == [(4,)]
    assert change(path, PLANNED)[0][0] > 400


def test_a_writer_that_comes_while_the_run_writes_waits_and_loses_nothing(path: Path) -> None:
    with OtherProgram(path) as other, ThreadPoolExecutor(1) as thread:
        answers = []
        note = "INSERT INTO notes VALUES (1, 'hello')"
        plan(path, at("write", lambda: answers.append(thread.submit(other.run, note))))
        assert answers[0].result(timeout=30) == "done"
    assert change(path, "SELECT count(*) FROM notes") == [(1,)]
    assert change(path, PLANNED)[0][0] > 400


def test_a_reader_in_wal_mode_is_no_obstacle(tmp_path: Path) -> None:
    path = build(tmp_path / "agency" / "a.sqlite3", journal="wal")
    with OtherProgram(path) as other:
        assert other.run("BEGIN") == "done"
        assert other.run("SELECT count(*) FROM contacts") == "done"
        plan(path)
        assert other.run("COMMIT") == "done"
    assert change(path, PLANNED)[0][0] > 400
    assert beside(path) == ["a.sqlite3"]


LOCKS = {
    "another holds the file for itself": ("delete", "BEGIN EXCLUSIVE"),
    "another is about to write": ("delete", "BEGIN IMMEDIATE"),
    "another is about to write, in WAL mode": ("wal", "BEGIN IMMEDIATE"),
    "another reads all the time": ("delete", "BEGIN; SELECT count(*) FROM contacts"),
}


@pytest.mark.parametrize("name", LOCKS)
def test_a_file_that_stays_locked_is_busy_and_untouched(tmp_path: Path, name: str) -> None:
    journal, statements = LOCKS[name]
    path = build(tmp_path / "agency" / "agency.sqlite3", journal=journal)
    with untouched(path), OtherProgram(path) as other:
        assert [other.run(sql) for sql in statements.split("; ")][-1] == "done"
        with pytest.raises(DatabaseBusy, match=f"{path}: locked by another program"):
            plan(path, busy_seconds=0.2)
        assert other.run("ROLLBACK") == "done"


# Runs that die


@pytest.mark.parametrize(
    ("step", "path"), sampled(itertools.product(STEPS, JOURNALS), len(STEPS)), indirect=["path"]
)
def test_an_interrupt_at_any_step_leaves_the_file_as_it_was(path: Path, step: str) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with untouched(path), pytest.raises(KeyboardInterrupt):
        plan(path, at(step, interrupt), shards=3)


def test_a_worker_that_is_killed_is_an_error_that_leaves_the_file_as_it_was(path: Path) -> None:
    def kill() -> None:
        for child in multiprocessing.active_children():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)

    with untouched(path), pytest.raises(AlmanacError, match="a worker process ended"):
        plan(path, at("plan contacts", kill), shards=4, workers=2)
    assert multiprocessing.active_children() == []


PROGRAM = """
import sys, time
from pathlib import Path
from almanac.processes import start_early
from tests.support.damage import plan

def progress(step, done, total):
    if step == sys.argv[2]:
        print("there", flush=True)
        for _ in range(600):  # a signal that comes just before a sleep does not end it
            time.sleep(0.1)

if __name__ == "__main__":
    if sys.argv[4] == "early":
        start_early("almanac.runs.workers")
    plan(Path(sys.argv[1]), progress, shards=4, workers=int(sys.argv[3]))
"""


def start(command: list[str]) -> subprocess.Popen[str]:
    """A program that finds what we find, in a process group of its own."""
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": tempfile.gettempdir(), "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@contextmanager
def a_run_that_waits(
    path: Path, step: str, workers: int, start_of_workers: str = "late"
) -> Iterator[subprocess.Popen[str]]:
    """A run in a process group of its own, which stays at a step until it is signalled."""
    script = path.parent.parent / "program.py"
    script.write_text(PROGRAM, encoding="utf-8")
    words = [str(path), step, str(workers), start_of_workers]
    process = start([sys.executable, str(script), *words])
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)


def remove_all_in(workspace: Path) -> None:
    """Remove what a killed run has left, which the next one might do."""
    for leftover in workspace.iterdir():
        shutil.rmtree(leftover)


def wait_for_the_end_of_group(group: int) -> None:
    for _ in range(300):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a process of the run is still there")


WAITING = [("plan contacts", 2, "early"), ("plan contacts", 2, "late"), ("write", 1, "late")]


@pytest.mark.parametrize(
    ("step", "workers", "start_of_workers", "path"),
    sampled([(*each, journal) for each in WAITING for journal in JOURNALS], 1),
    indirect=["path"],
)
def test_ctrl_c_ends_all_processes_and_leaves_the_file_as_it_was(
    path: Path, step: str, workers: int, start_of_workers: str
) -> None:
    with untouched(path):
        with a_run_that_waits(path, step, workers, start_of_workers) as process:
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        wait_for_the_end_of_group(process.pid)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("path", JOURNALS[:1], indirect=True)
@pytest.mark.parametrize("start_of_workers", ["early", "late"])
def test_the_workers_of_a_run_that_is_killed_end_with_it(
    path: Path, workspace: Path, start_of_workers: str
) -> None:
    run = a_run_that_waits(path, "plan contacts", 2, start_of_workers)
    with untouched(path), run as process:
        process.kill()
        process.wait()
        wait_for_the_end_of_group(process.pid)
    remove_all_in(workspace)


@pytest.mark.parametrize(
    ("step", "path"), sampled(itertools.product(["write", "index"], JOURNALS), 1), indirect=["path"]
)
def test_after_a_kill_in_the_middle_of_writing_the_file_is_as_it_was(
    path: Path, workspace: Path, step: str
) -> None:
    content = change(path, "SELECT * FROM contacts, email_schedules USING (id)")
    with a_run_that_waits(path, step, 1) as process:
        process.kill()
    remove_all_in(workspace)
    assert change(path, "SELECT * FROM contacts, email_schedules USING (id)") == content
    assert change(path, "PRAGMA integrity_check") == [("ok",)]
    assert plan(path).planned_total > 400
    assert beside(path) == ["agency.sqlite3"]
