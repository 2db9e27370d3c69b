"""Help says what each command does, with an example that works."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from almanac import __version__
from tests.unit.cli_calls import AS_OF, ENVIRONMENT, agency, almanac, almanac_apart

COMMANDS = ("run", "explain", "report", "diff", "check", "generate", "version")


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = agency(tmp_path_factory.mktemp("help") / "agency.sqlite3", 100)
    assert almanac("run", path, "--as-of", AS_OF).code == 0
    return path


def test_help_names_every_command() -> None:
    for arguments in ((), ("--help",)):
        answer = almanac(*arguments)
        assert (answer.code, answer.err) == (0, "")
        for name in (*COMMANDS, "store", "request"):
            assert re.search(rf"^  {name} ", answer.out, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_of_a_commands_help_works(
    command: str, planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    help_text = almanac(command, "--help").out
    example = re.search(r"Example: almanac ([^\n]+(?:\n  \S[^\n]*)*)", help_text)
    assert example is not None
    arguments = shlex.split(example[1])
    assert arguments[0] == command
    monkeypatch.chdir(tmp_path)
    for name in ("yesterday.sqlite3", "today.sqlite3") + ("agency.sqlite3",) * (
        command != "generate"
    ):
        shutil.copy(planned, tmp_path / name)
    answer = almanac(*arguments)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out


def test_help_loads_none_of_the_heavy_libraries() -> None:
    script = (
        "import sys\n"
        "from almanac.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'numpy', 'pyarrow', 'pydantic', 'apsw', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=ENVIRONMENT,
    )
    assert ended.stderr.strip() == "[]"


def test_the_version_is_that_of_the_package() -> None:
    assert almanac_apart("version").stdout == f"almanac {__version__}\n"
