"""Help says what each command does, with examples that work."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup

from almanac import __version__
from almanac.commands.main import app
from almanac.storage.folder import FolderStore
from tests.support.cli_calls import (
    AS_OF,
    ENVIRONMENT,
    agency,
    almanac,
    almanac_apart,
    record_requests,
)
from tests.support.database_agencies import change
from tests.support.sampling import sampled
from tests.support.storage_stores import run_of_today

# Files that examples name, beside agency.sqlite3 and organization 206 of the store.
FILES = {
    "other.yaml": "load_balancing: {{daily_send_percentage_cap: 0.02}}\n",
    "206.yaml": "timezone: America/Denver\n",
    "config.yaml": "horizon_days: 300\n",
    "unsubscribed.csv": "email,reason\nada@example.com,unsubscribe\n",
    "crm.csv": "id,Date of Birth\n{contact},1950-03-02\n",
    "targets.csv": "contact_id,trigger_date\n{contact},2027-01-15\n",
    "clicks.jsonl": '{{"type": "click", "contact_id": {contact}}}\n',
    "sent.jsonl": '{{"id": {row}, "status": "sent"}}\n',
}
# What is planned for the day that the example of `almanac due` names.
ROW = """
    SELECT min(id), contact_id FROM email_schedules
    WHERE status = 'pre-scheduled' AND scheduled_send_date = '2026-11-23'
"""
# These make the file, so it is not there before.
MAKES_IT = {"generate", "store pull"}
# These are tried by tests of their own, which have what it takes.
ELSEWHERE = {"emulate": "integration/test_emulate.py", "serve": "cli/test_serve.py"}
NO_JSON = {"generate", "emulate", "version", "report", "completion", "help", "serve"}


def commands(
    group: TyperGroup, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    """Every command and group below a group, by the words that call it."""
    for name, command in group.commands.items():
        assert isinstance(command, TyperCommand | TyperGroup)
        yield " ".join((*path, name)), command
        if isinstance(command, TyperGroup):
            yield from commands(command, (*path, name))


COMMANDS = {"": app, **dict(commands(app))}
LEAVES = [name for name, c in COMMANDS.items() if not isinstance(c, TyperGroup)]


def examples(name: str) -> list[str]:
    """The command lines in the last words of a command's help."""
    found = re.findall(
        r"(?:Example|Start with|To try it): (almanac .*?)(?=\. |\.?\n|\.?$)",
        COMMANDS[name].epilog or "",
    )
    return [line for each in found for line in each.split(", then ")]


EXAMPLES = [(name, line) for name in COMMANDS if name not in ELSEWHERE for line in examples(name)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that examples name: an agency that is planned, and a store that has it."""
    folder = tmp_path_factory.mktemp("help")
    path = agency(folder / "agency.sqlite3", 100)
    assert almanac("run", path, "--as-of", AS_OF).code == 0
    for name in ("yesterday.sqlite3", "today.sqlite3"):
        shutil.copy(path, folder / name)
    ((row, contact),) = change(path, ROW)
    for name, text in FILES.items():
        (folder / name).write_text(text.format(row=row, contact=contact))
    suppressed = ("suppression", "add", path, "--email", "ada@example.com")
    assert almanac(*suppressed).code == 0
    store = folder / "store"
    assert almanac("store", "push", "206", path, "--store", store).code == 0
    shutil.copy(path, folder / "copy.sqlite3")
    change(path, "UPDATE contacts SET state = 'FL' WHERE id = (SELECT min(id) FROM contacts)")
    run_of_today(FolderStore(store), path)
    changes = ("store", "changes", "206", "--from", "1", "--out", folder / "206.changeset")
    assert almanac(*changes, "--compare", "--store", store).code == 0
    return folder


def test_help_names_every_command() -> None:
    for name, command in COMMANDS.items():
        if isinstance(command, TyperGroup):
            for arguments in (name.split(), [*name.split(), "--help"]):
                answer = almanac(*arguments)
                assert (answer.code, answer.err) == (0, "")
                for below in command.commands:
                    assert re.search(rf"^  {below} +[A-Z].*\.$", answer.out, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_a_command_does_and_shows_an_example(name: str) -> None:
    answer = almanac(*name.split(), "--help")
    assert (answer.code, answer.err) == (0, "")
    assert max(map(len, answer.out.splitlines())) <= 80
    there = examples(name)
    assert there
    for line in there:
        assert line.startswith(f"almanac {name}".rstrip())
        assert line in " ".join(answer.out.split())
    for parameter in COMMANDS[name].params:
        if parameter.name != "help":
            assert getattr(parameter, "help", None), parameter.name


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_can_answer_in_json(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert ("--json" in options) is (name not in NO_JSON)


@pytest.mark.parametrize(("name", "line"), sampled(EXAMPLES, 12))
def test_an_example_of_help_works(
    name: str, line: str, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ALMANAC_STORE", "store")
    monkeypatch.setenv("VISUAL", "true")  # an editor that leaves a file as it is
    record_requests(monkeypatch)
    arguments = shlex.split(line)[1:]
    if any(" ".join(arguments).startswith(each) for each in MAKES_IT):
        (folder / "agency.sqlite3").unlink()
    answer = almanac(*arguments)
    assert (answer.code, "Error" in answer.err) == (0, False), answer.err
    assert answer.out + answer.err


def test_what_is_tried_elsewhere_is_tried_there() -> None:
    for name, module in ELSEWHERE.items():
        assert f'"{name}"' in (Path(__file__).parent.parent / module).read_text("utf-8")


def python(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, which has imported nothing yet."""
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=ENVIRONMENT,
        timeout=60,
    )


def test_help_imports_no_command_and_no_heavy_library() -> None:
    script = (
        "import sys\n"
        "from almanac.commands.main import COMMANDS, main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'numpy', 'pyarrow', 'pydantic', 'apsw', 'jinja2', 'rich'}\n"
        "commands = {f'almanac.commands.{each.module}' for each in COMMANDS.values()}\n"
        "print(sorted((heavy | commands) & set(sys.modules)), file=sys.stderr)\n"
    )
    ended = python(script)
    assert ended.stderr.strip() == "[]"


@pytest.mark.slow
def test_a_run_in_one_process_imports_nothing_that_starts_others(tmp_path: Path) -> None:
    file = str(tmp_path / "agency.sqlite3")
    commands = [["generate", file, "--contacts", "50", "--as-of", AS_OF], ["run", file, "--yes"]]
    script = (
        "import sys\n"
        "from almanac.commands.main import app\n"
        f"for words in {commands}:\n"
        "    app(words, standalone_mode=False)\n"
        "unused = {'multiprocessing', 'concurrent.futures.process', 'jinja2'}\n"
        "print(sorted((unused | {'pydantic_settings'}) & set(sys.modules)))\n"
    )
    ended = python(script)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_package() -> None:
    assert almanac_apart("version").stdout == f"almanac {__version__}\n"
