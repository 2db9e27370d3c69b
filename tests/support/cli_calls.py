"""Calling `almanac` in tests: in this process, or in one of its own."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from almanac import __file__ as package
from almanac.commands.main import main
from almanac.generation import generate

AS_OF = "2026-11-21"
# wherever the command runs, it is the package that the tests have imported
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(package).parent.parent)}
PROGRAM = [sys.executable, "-c", "from almanac.commands.main import main; main()"]


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def almanac(*arguments: object) -> Answer:
    """Run a command in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
    texts = []
    for stream in (out, err):
        stream.flush()
        octets = stream.buffer
        assert isinstance(octets, io.BytesIO)
        texts.append(octets.getvalue().decode())
    return Answer(code, *texts)


def check_import(answer: Answer, taken: int, refused: int) -> None:
    """An import fails, and says so, where rows were refused and none was taken."""
    failed = refused > 0 and taken == 0
    assert answer.code == failed
    assert answer.err.startswith("Error: ") if failed else answer.err == ""


def almanac_apart(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)


def agency(path: Path, contacts: int = 300, seed: int = 1) -> Path:
    """A generated agency that nobody has planned yet."""
    generate(path, contacts, seed, dt.date.fromisoformat(AS_OF))
    return path


def state_of(folder: Path) -> dict[str, str]:
    """The names of all files below a folder, with a digest of what is in them."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Recorder:
    """A bus without subscribers; it keeps what is published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, dict[str, str]]] = []

    def publish(
        self, topic: str, messages: Sequence[bytes], attributes: Mapping[str, str] | None = None
    ) -> None:
        self.published += [(topic, data, dict(attributes or {})) for data in messages]


def record_requests(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Have commands publish their requests to a recorder instead of Pub/Sub."""
    recorder = Recorder()
    monkeypatch.setenv("ALMANAC_PROJECT", "test")
    monkeypatch.setattr("almanac.messaging.requests.PubSubBus", lambda project: recorder)
    return recorder
