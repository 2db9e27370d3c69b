"""What people expect of any command line: the version, help, completion, an exit code of its own
for differences, and a sentence where a library is missing."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from almanac import __version__
from almanac.commands.main import COMMANDS
from tests.support.cli_calls import ENVIRONMENT, PROGRAM, Answer, almanac
from tests.support.database_agencies import change
from tests.support.tiny import Agency

DAY = "2026-11-21"


def complete(monkeypatch: pytest.MonkeyPatch, shell: str, line: str) -> list[str]:
    """What almanac answers a shell in which this line ends at the cursor."""
    monkeypatch.setenv("_ALMANAC_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - (not line.endswith(" "))))
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    answer = almanac()
    assert (answer.code, answer.err) == (0, "")
    return answer.out.splitlines()


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a birthday on a planned day."""
    agency = Agency(tmp_path_factory.mktemp("habits") / "agency.sqlite3")
    agency.contact(birth_date="1950-03-01")
    agency.plan(DAY)
    return agency.path


def test_the_version_is_printed() -> None:
    assert almanac("--version") == Answer(0, f"almanac {__version__}\n", "")


@pytest.mark.parametrize("words", ["", "campaign", "campaign add"])
def test_help_of_a_command_is_that_of_its_option(words: str) -> None:
    assert almanac("help", *words.split()) == almanac(*words.split(), "--help")


def test_help_of_a_mistyped_command_names_the_one_that_is_meant() -> None:
    answer = almanac("help", "campaign", "ad")
    assert answer.code == 2
    assert answer.err == (
        "Error: No such command 'ad'. Did you mean 'add'? See: almanac campaign --help\n"
    )


def test_every_command_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert complete(monkeypatch, "bash", "almanac ") == list(COMMANDS)
    assert complete(monkeypatch, "bash", "almanac camp") == ["campaign"]
    assert complete(monkeypatch, "bash", "almanac campaign add") == ["add", "add-type"]
    assert complete(monkeypatch, "bash", "almanac run a.sqlite3 --dry") == ["--dry-run"]


def test_every_shell_gets_answers_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    text = COMMANDS["report"].short_help
    assert complete(monkeypatch, "fish", "almanac rep") == [f"report\t{text}"]
    assert complete(monkeypatch, "zsh", "almanac rep") == [
        f'_arguments \'*: :(("report":"{text}"))\''
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_can_read(shell: str) -> None:
    answer = almanac("completion", shell)
    assert (answer.code, answer.err) == (0, "")
    assert f"complete_{shell}" in answer.out
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=answer.out, text=True, check=True)


@pytest.mark.slow
def test_bash_completes_what_is_typed(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    program = tmp_path / "almanac"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(almanac completion bash)"; COMP_WORDS=(almanac config sho); COMP_CWORD=2; '
        '_almanac_completion almanac; echo "${COMPREPLY[@]}"'
    )
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(
        [bash, "-c", script], capture_output=True, text=True, env=ENVIRONMENT | path
    )
    assert (ended.stdout, ended.stderr) == ("show\n", "")


def test_another_shell_is_refused_by_name() -> None:
    answer = almanac("completion", "tcsh")
    assert answer.code == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in answer.err


def test_a_number_that_is_none_is_named_with_what_the_option_takes() -> None:
    for given, problem in (("x", "'x' is not a whole number"), ("0", "'0' is not 1 or more")):
        answer = almanac("run", "agency.sqlite3", "--shards", given)
        assert answer.err == (
            f"Error: Invalid value for '--shards': {problem}. See: almanac run --help\n"
        )


def test_the_exit_code_says_whether_a_run_would_change_the_plan(planned: Path) -> None:
    dry = ("run", planned, "--without-states", "--dry-run", "--exit-code", "--as-of")
    assert almanac(*dry, DAY).code == 0
    assert almanac(*dry, "2027-03-20").code == 3
    refused = almanac("run", planned, "--exit-code")
    assert refused.code == 2
    assert refused.err.endswith("whether a run would change the plan; add --dry-run\n")


def test_the_exit_code_says_whether_two_files_differ(planned: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite3"
    shutil.copy(planned, other)
    assert almanac("diff", planned, other, "--exit-code").code == 0
    change(other, "DELETE FROM email_schedules")
    assert almanac("diff", planned, other).code == 0
    assert almanac("diff", planned, other, "--exit-code").code == 3


WITHOUT_CLOUD = """
import sys
MISSING = ("functions_framework", "google.api_core", "google.auth", "google.cloud",
    "google.pubsub_v1", "requests")
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(MISSING):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from almanac.commands.main import main
for line in sys.stdin.read().splitlines():
    try:
        main(line.split())
    except SystemExit as end:
        print(end.code, line, flush=True)
"""


@pytest.mark.slow
def test_without_the_libraries_of_the_cloud_only_the_cloud_is_missing(
    planned: Path, tmp_path: Path
) -> None:
    store = f"--store {tmp_path / 'store'}"
    works = [f"store push 206 {planned} {store} --json", f"store status 206 {store} --json"]
    needs = ["store status --store gs://bucket", "request run --org 206", "emulate"]
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_CLOUD],
        input="\n".join(works + needs),
        capture_output=True,
        text=True,
        check=True,
        env=ENVIRONMENT | {"ALMANAC_PROJECT": "test", "ALMANAC_STORE": "gs://bucket"},
    )
    codes = [line for line in ended.stdout.splitlines() if not line.startswith("{")]
    assert codes == [f"0 {line}" for line in works] + [f"2 {line}" for line in needs]
    errors = ended.stderr.splitlines()
    assert len(errors) == len(needs)
    assert all("is not installed; install almanac[cloud]" in error for error in errors)
