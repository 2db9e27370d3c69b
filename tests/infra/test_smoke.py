"""scripts/smoke.sh: its commands exist and fit the example, and what it makes it destroys."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from almanac.commands.main import app
from almanac.messaging.topics import Topics
from almanac.names import ORG_ID
from almanac_emulation.local_cloud import LocalCloud
from tests.support.emulators import FUNCTIONS, IN_CI, needs_pubsub_emulator
from tests.support.gcloud import wrong_calls
from tests.support.terraform import INFRA, ROOT, blocks

SCRIPT = ROOT / "scripts" / "smoke.sh"
EXAMPLE = (INFRA / "examples" / "minimal" / "main.tf").read_text("utf-8")
PROJECT = "agency-smoke"
# Terraform 1.11: options of each command that the script uses.
TERRAFORM = {
    "init": {"-input"},
    "apply": {"-auto-approve", "-input", "-state", "-var"},
    "destroy": {"-auto-approve", "-input", "-state", "-var"},
    "output": {"-raw", "-state"},
}


@pytest.fixture(scope="module")
def commands() -> list[list[str]]:
    """What a dry run prints: each command as words."""
    ran = subprocess.run(
        ["bash", str(SCRIPT), "--dry-run", PROJECT],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.endswith("smoke.sh: nothing was done\n")
    lines = [line for line in ran.stdout.splitlines() if line.startswith("+ ")]
    return [shlex.split(line.removeprefix("+ ")) for line in lines]


def calls(commands: list[list[str]], program: str) -> Iterator[list[str]]:
    return (words[1:] for words in commands if words[0] == program)


def test_it_does_what_it_is_for_in_this_order(commands: list[list[str]]) -> None:
    text = "\n".join(" ".join(words) for words in commands)
    steps = [" apply ", "request run", "request change", "almanac mark", "merge_image="]
    steps += ["request run", "executions list", " destroy "]
    found = -1
    for step in steps:
        found = text.find(step, found + 1)
        assert found > 0, f"{step} is not there, or comes too early"


def test_each_gcloud_command_exists_with_its_options(commands: list[list[str]]) -> None:
    found = list(calls(commands, "gcloud"))
    assert len(found) == 9
    assert wrong_calls(found) == []


def test_each_terraform_command_fits_the_example(commands: list[list[str]]) -> None:
    variables = blocks("variable", EXAMPLE).keys()
    outputs = blocks("output", EXAMPLE).keys()
    used = set()
    for chdir, command, *words in calls(commands, "terraform"):
        assert chdir == "-chdir=infra/examples/minimal"
        options = [word.split("=") for word in words if word.startswith("-")]
        assert {option for option, *_ in options} <= TERRAFORM[command]
        assert {rest[0] for option, *rest in options if option == "-var"} <= variables
        named = [word for word in words if not word.startswith("-")]
        assert set(named) <= outputs
        assert bool(named) == (command == "output")
        used.add(command)
    assert used == TERRAFORM.keys()
    assert "trial" in variables


def test_each_command_of_almanac_takes_what_it_is_given(commands: list[list[str]]) -> None:
    for words in calls(commands, "almanac"):
        command: Any = app
        rest, context = list(words), None
        while hasattr(command, "get_command"):
            context = command.make_context(command.name, rest[:1], parent=context)
            command = command.get_command(context, rest.pop(0))
            assert command is not None, words
        command.make_context(command.name, rest, parent=context)
    (organization,) = {words[2] for words in calls(commands, "almanac") if words[1] == "push"}
    assert ORG_ID.fullmatch(organization)


# --- what it does when something fails ------------------------------------------------------------


@pytest.fixture
def smoke(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the script with stubs; each line of the file `calls` is one call of a stub."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def run(bodies: dict[str, str], **settings: str) -> subprocess.CompletedProcess[str]:
        for name, body in {"make": "", "gcloud": GCLOUD, **bodies}.items():
            log = f'echo "{name} $*" >> "{tmp_path}/calls"\n'
            (programs / name).write_text(f"#!/bin/sh\n{log}{body}")
            (programs / name).chmod(0o755)
        environment = {"SMOKE_WORK": str(tmp_path / "work"), "SMOKE_PAUSE": "1", **settings}
        return subprocess.run(
            ["bash", str(SCRIPT), settings.get("ALMANAC_PROJECT", PROJECT)],
            env={
                **os.environ,
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                **environment,
            },
            capture_output=True,
            text=True,
        )

    return run


# An empty project with billing, and a merge function.
GCLOUD = """
case "$*" in
  *buckets*) exit 1 ;;
  *billingEnabled*) echo True ;;
  *) echo almanac-merge ;;
esac
"""


def made(tmp_path: Path) -> str:
    path = tmp_path / "calls"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize(
    ("gcloud", "said"),
    [
        ('case "$*" in *application-default*) exit 1; esac\n', "auth application-default login"),
        ('case "$*" in "projects describe"*) exit 1; esac\n', "there is no such project"),
        ('case "$*" in *billing*) echo False; exit; esac\n', "has no billing account"),
        ('case "$*" in "services enable"*) exit 1; esac\n', "the role Owner is needed"),
        ('case "$*" in *buckets*) exit 0; esac\n', "has an installation already"),
    ],
)
def test_it_makes_nothing_in_a_project_that_will_not_do(
    smoke: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, gcloud: str, said: str
) -> None:
    ran = smoke({"gcloud": gcloud + GCLOUD, "terraform": ""})
    assert ran.returncode == 1
    assert said in ran.stderr
    assert "terraform" not in made(tmp_path)


def test_it_destroys_what_a_failed_apply_has_left(
    smoke: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    ran = smoke({"terraform": 'case "$*" in *" apply "*) exit 1; esac\n'})
    assert ran.returncode == 1
    assert made(tmp_path).count(" apply ") == 2
    assert made(tmp_path).count(" destroy ") == 1
    assert not (tmp_path / "work").exists()


def test_it_says_how_to_destroy_what_it_could_not(
    smoke: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    ran = smoke({"terraform": 'case "$*" in *" apply "*|*" destroy "*) exit 1; esac\n'})
    assert ran.returncode == 1
    assert "not all is destroyed; again: terraform -chdir=infra/examples/minimal" in ran.stderr
    assert (tmp_path / "work").is_dir()


def test_shellcheck_finds_nothing() -> None:
    if (program := shutil.which("shellcheck")) is None:
        (pytest.fail if IN_CI else pytest.skip)("shellcheck is not installed")
    subprocess.run([program, str(SCRIPT)], check=True)


@pytest.mark.slow
@needs_pubsub_emulator
def test_every_step_passes_with_real_functions(
    smoke: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    with LocalCloud(tmp_path / "cloud", FUNCTIONS, topics=Topics("smoke-")) as cloud:
        settings = cloud.settings()
        outputs = {
            "store": settings["ALMANAC_STORE"],
            "topic_prefix": settings["ALMANAC_TOPIC_PREFIX"],
            "merge_function": "almanac-merge",
        }
        terraform = "".join(
            f'case "$*" in *"-raw {name}") echo {value};; esac\n' for name, value in outputs.items()
        )
        ran = smoke({"terraform": terraform}, **settings, SMOKE_MINUTES="2")
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    assert ran.stdout.endswith("smoke.sh: all steps have passed\n")
    assert re.search(r"terraform .* destroy ", made(tmp_path))
