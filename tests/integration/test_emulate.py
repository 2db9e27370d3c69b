"""`almanac emulate`: everything starts, what happens is shown, and no process is left behind."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from almanac.commands.main import main
from tests.support.emulators import living, needs_pubsub_emulator, wait_until

PROGRAM = [sys.executable, "-c", "from almanac.commands.main import main; main()", "emulate"]


class Emulation:
    """`almanac emulate` in a process of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self._out = folder / "out"
        with self._out.open("w") as out, (folder / "err").open("w") as err:
            self.process = subprocess.Popen(
                [*PROGRAM, *arguments],
                stdout=out,
                stderr=err,
                env={**os.environ, "TMPDIR": str(folder)},
            )

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text()

    def wait_until_up(self) -> None:
        """Everything is started, and a run has ended: as long as the whole script may take."""
        up = "Press Ctrl-C to stop it"
        wait_until(lambda: up in self.out or self.ended, "everything is up", 240)
        assert not self.ended, self.err

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def family(self) -> set[int]:
        """All processes that it has started, and those that they have."""
        return _below(self.process.pid)

    def left_over(self) -> list[str]:
        """What it left in the folder for temporary files."""
        paths = (each for each in self.folder.rglob("*") if each.is_file())
        return sorted({each.parent.name for each in paths} - {self.folder.name})


@contextmanager
def emulation(*arguments: str) -> Iterator[Emulation]:
    with tempfile.TemporaryDirectory() as folder:
        running = Emulation(Path(folder), *arguments)
        try:
            yield running
        finally:
            running.process.kill()
            running.process.wait()


def _below(pid: int) -> set[int]:
    table = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    parents = [tuple(map(int, line.split())) for line in table.splitlines()]
    children = {child for child, parent in parents if parent == pid}
    return children.union(*(_below(child) for child in children)) if children else set()


def check_run_shown(out: str) -> None:
    assert re.search(r"Run \S+-daily of organization demo: committed", out)
    assert re.search(r"current version +2\n", out)
    assert re.search(r"planned +[1-9]", out)
    for function in ("orchestrator +2", "shard +1", "merge +[1-9]", "campaign_change +0"):
        assert re.search(rf"  {function} +\d+\.\d\d\n", out), out
    for span in ("orchestrator +2", "shard +publish tasks +1", "merge +shard +1"):
        assert re.search(rf"  {span} +\d+\.\d\d\n", out), out


@needs_pubsub_emulator
@pytest.mark.slow
def test_all_from_one_run_to_the_next_is_shown_and_nothing_but_the_logs_is_left() -> None:
    with emulation("--contacts", "300") as running:
        assert running.process.wait(240) == 0, running.err
        check_run_shown(running.out)
        found = re.search(
            r"sent by SMTP +(\d+) mails of \S+, 3 of them to new contacts", running.out
        )
        assert found, running.out
        for line in (
            "contacts by HTTP +3 new contacts accepted",
            f"marks by HTTP +{2 * int(found[1])} claims and outcomes wait in the inbox",
            "left to send on that day +0",
            r"a click by HTTP +ada@new\.example, message \d+",
            r"an unsubscribe by HTTP +ben@new\.example",
            r"run \S+-daily +committed",
            f"rows marked now +{found[1]}; 0 objects left in the inbox",
            r"follow-up of the click +followup_2_clicked_no_hq on \d{4}-\d\d-\d\d",
            "planned for the other one +0",
        ):
            assert re.search(rf"  {line}\n", running.out), (line, running.out)
        assert running.left_over() == ["logs"]
        assert running.err == ""


@needs_pubsub_emulator
def test_it_stays_up_until_ctrl_c() -> None:
    with emulation("--contacts", "50", "--keep", "--one-run") as running:
        running.wait_until_up()
        check_run_shown(running.out)
        family = running.family()
        assert len(family) > 6  # the emulator, five functions and their workers
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(60) == 0, running.err
        assert living(family) == set()
        assert running.left_over() == ["logs"]


@needs_pubsub_emulator
@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        pytest.param(signal.SIGINT, 130, "Interrupted\n", id="Ctrl-C", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, "", id="SIGTERM", marks=pytest.mark.slow),
    ],
)
def test_a_signal_while_it_starts_leaves_nothing_behind(number: int, code: int, words: str) -> None:
    with emulation() as running:
        wait_until(lambda: len(running.family()) >= 3, "the first processes")
        family = running.family()
        running.process.send_signal(number)
        family |= running.family()
        assert running.process.wait(60) == code
        assert living(family) == set()
        assert running.err == words


@needs_pubsub_emulator
@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells a child of this")
@pytest.mark.slow
def test_not_even_its_sudden_death_leaves_processes_behind() -> None:
    with emulation("--contacts", "50", "--keep", "--one-run") as running:
        running.wait_until_up()
        family = running.family()
        running.process.kill()
        running.process.wait(60)
        wait_until(lambda: living(family) == set(), "all of them have ended")


def test_without_a_checkout_of_the_repository_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="2"):
        main(["emulate"])
    error = capsys.readouterr().err
    assert re.fullmatch(r"Error: .* works only from a checkout of the repository: .*\n", error)


def test_what_is_missing_is_said_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SystemExit, match="2"):
        main(["emulate"])
    error = capsys.readouterr().err
    assert re.fullmatch(r"Error: .* install .*\n", error)


@needs_pubsub_emulator
def test_a_folder_without_functions_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SystemExit, match="2"):
        main(["emulate", "--functions", "/nonexistent"])
    assert "/nonexistent: not the folder of the functions" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
