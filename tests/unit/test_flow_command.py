"""The command `python scripts/flow`: what it writes, and its answers to mistakes."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from scripts.flow.command import COMPLEX, OK, WRONG, main


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "sum.py"
    file.write_text(
        "def one(a):\n    return a if a else two(a)\n\ndef two(a):\n    return one(a)\n"
    )
    return file


def test_it_writes_the_document_diagrams_and_the_table(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([str(program), "-o", str(out), "-v"]) == OK
    assert "recursive: sum:one, sum:two" in capsys.readouterr().out
    assert json.loads((out / "flow.json").read_text())["title"] == "sum.py"
    assert (out / "mermaid" / "modules" / "sum.mmd").exists()
    assert "red above 10" in (out / "complexity.md").read_text()


def test_a_function_above_the_limit_is_named(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program.write_text("def busy(a):\n" + "    if a: a = 1\n" * 7)
    assert main([str(program), "-o", str(tmp_path / "out"), "--max-complexity", "6"]) == COMPLEX
    assert "sum:busy: complexity 8 is above 6" in capsys.readouterr().out


def test_a_path_that_is_not_there_and_a_port_in_use_are_a_sentence_each(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main([str(tmp_path / "gone"), "-o", out]) == WRONG
    assert capsys.readouterr().err == f"error: {tmp_path}/gone: there is no such file or folder\n"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main([str(program), "-o", out, "--serve", "--port", str(port)]) == WRONG
    assert f"error: --port {port}: cannot listen there" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main([str(program), "-o", str(tmp_path / "file")]) == WRONG
    assert "cannot be written" in capsys.readouterr().err
