"""The temporary folders of commands, when processes are killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from almanac.workspaces import workspace

HOLDS = """
import time
from almanac.workspaces import workspace
with workspace() as folder:
    (folder / "copy.sqlite3").write_bytes(bytes(1 << 20))
    print(folder, flush=True)
    time.sleep(60)
"""


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_live_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    foreign = tmp_path / "almanac-notes"
    foreign.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        left = Path(child.stdout.readline().strip())
        try:
            with workspace() as own:
                assert own.stat().st_mode & 0o777 == 0o700
                assert {left, own, foreign} == set(tmp_path.iterdir())
        finally:
            child.kill()
    assert (left / "copy.sqlite3").exists()
    with workspace() as own:
        assert {own, foreign} == set(tmp_path.iterdir())
    assert [foreign] == list(tmp_path.iterdir())


def test_what_a_process_left_that_was_killed_before_it_had_the_lock_is_removed(
    tmp_path: Path,
) -> None:
    for name in (".almanac-new-empty", ".almanac-new-begun"):
        (tmp_path / name).mkdir()
    (tmp_path / ".almanac-new-begun" / ".lock").touch()
    with workspace(tmp_path) as own:
        assert [own] == list(tmp_path.iterdir())


def test_who_loses_a_folder_before_it_has_the_lock_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = tempfile.mkdtemp, list[str]()

    def robbed(**given: str) -> str:
        made.append(make(**given))
        if len(made) == 1:
            Path(made[0]).rmdir()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", robbed)
    with workspace(tmp_path) as own:
        assert own.name.removeprefix("almanac-") == Path(made[1]).name.removeprefix(".almanac-new-")
