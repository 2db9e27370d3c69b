"""Exit codes, and what is said when a command cannot go on."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import pyarrow as pa
import pytest

from almanac.commands.exit_codes import guarded
from almanac.errors import DatabaseError, InputError, SnapshotMoved
from almanac.statistics.file_report import overview
from tests.support.cli_calls import (
    AS_OF,
    ENVIRONMENT,
    PROGRAM,
    agency,
    almanac,
    almanac_apart,
    state_of,
)
from tests.support.sampling import sampled


def raising(*errors: BaseException) -> Callable[[], int]:
    """Work that raises the last error, each caused by the one before."""

    def work() -> int:
        error, *causes = reversed(errors)
        raise error from (causes[0] if causes else None)

    for cause, error in itertools.pairwise(errors):
        error.__cause__ = cause
    return work


@pytest.mark.parametrize(
    ("errors", "code", "said"),
    sampled(
        [
            ([InputError("no such thing")], 2, "Error: no such thing\n"),
            ([SnapshotMoved("others wrote to it")], 1, "Error: others wrote to it\n"),
            (
                [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/copy")],
                1,
                "Error: /tmp/copy: No space left on device\n",
            ),
            ([apsw.FullError("disk"), DatabaseError("no room")], 1, "Error: no room\n"),
            ([MemoryError()], 1, "Error: not enough memory; try --workers 1\n"),
            ([KeyboardInterrupt()], 130, "Interrupted\n"),
        ],
        2,
    ),
)
def test_errors_end_with_their_code(
    errors: list[BaseException], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(raising(*errors)) == code
    assert capsys.readouterr().err == said


def test_an_interrupt_after_which_an_error_comes_is_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = apsw.LockedError("database table is locked")
    work = raising(KeyboardInterrupt(), left, DatabaseError("cannot be written"))
    assert guarded(work) == 130
    assert capsys.readouterr().err == "Interrupted\n"


@pytest.mark.parametrize(
    "error", [apsw.CorruptError("malformed\nimage"), pa.ArrowInvalid("malformed\nimage")]
)
def test_no_error_of_a_library_is_a_traceback(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(raising(error)) == 1
    assert capsys.readouterr().err == f"Error: {type(error).__name__}: malformed image\n"


def test_what_is_no_mistake_of_the_users_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded(raising(ZeroDivisionError()))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agency whose run takes long enough to be stopped."""
    return agency(tmp_path_factory.mktemp("large") / "agency.sqlite3", 10_000)


@pytest.mark.parametrize("way", sampled([signal.SIGINT, signal.SIGTERM], 1))
def test_a_run_that_is_stopped_leaves_nothing_behind(
    tmp_path: Path, large: Path, way: signal.Signals
) -> None:
    work, temporary = tmp_path / "work", tmp_path / "temporary"
    work.mkdir()
    temporary.mkdir()
    shutil.copy(large, work)
    before = state_of(work)
    command = [*PROGRAM, "run", "agency.sqlite3", "--as-of", AS_OF, "--workers", "1"]
    process = subprocess.Popen(
        command,
        cwd=work,
        env=ENVIRONMENT | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not any(temporary.iterdir()) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(way)
    out, err = process.communicate()
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[way]
    assert out == ""
    assert err == {signal.SIGINT: "Interrupted\n", signal.SIGTERM: ""}[way]
    assert state_of(work) == before
    assert not list(temporary.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_output_that_cannot_be_written_is_a_failure() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*PROGRAM, "version"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == "Error: standard output: No space left on device\n"


def test_a_run_whose_reader_is_gone_is_committed_and_succeeds(tmp_path: Path) -> None:
    path = agency(tmp_path / "agency.sqlite3", 20)
    script = (
        "import sys; from almanac.commands.main import main; "
        "sys.stdin.readline(); main(sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, "run", str(path), "--as-of", AS_OF],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    process.stdin.write(b"go\n")
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0
    assert overview(path).as_of.isoformat() == AS_OF


@pytest.mark.slow
def test_no_progress_is_drawn_in_a_pipe(tmp_path: Path) -> None:
    ended = almanac_apart("run", agency(tmp_path / "agency.sqlite3", 10), "--as-of", AS_OF)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\x1b" not in ended.stdout


def test_names_from_a_database_do_not_steer_the_terminal(tmp_path: Path) -> None:
    path = agency(tmp_path / "agency.sqlite3", 20)
    connection = apsw.Connection(str(path))
    connection.execute(
        "INSERT INTO campaign_instances (campaign_type, instance_name) VALUES (?, ?)",
        ("no such\x1b]0;type", "[red]\x1b[2Jboo\nfar"),
    )
    connection.close()
    for arguments in (["check", path], ["run", path, "--as-of", AS_OF]):
        answer = almanac(*arguments)
        assert answer.code == 0
        assert "\x1b" not in answer.out
        assert "[red]" in answer.out
