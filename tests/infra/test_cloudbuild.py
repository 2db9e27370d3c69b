"""cloudbuild.yaml does nothing that `make` does not do, and names what there is."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "cloudbuild.yaml").read_text("utf-8")
BUILD: dict[str, Any] = yaml.safe_load(TEXT)
STEPS: dict[str, dict[str, Any]] = {step["id"]: step for step in BUILD["steps"]}
DOCKERFILE = (ROOT / ".ci" / "Dockerfile").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TERRAFORM = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "infra").glob("*.tf")))
BUILDER = "almanac-builder"


def seconds(timeout: str) -> int:
    return int(timeout.removesuffix("s"))


def make_calls(step: dict[str, Any]) -> list[str]:
    """The targets of a step."""
    if "script" in step:
        return re.findall(r"^ *make ([a-z-]+)$", step["script"], re.MULTILINE)
    program, target = step["args"]
    assert program == "make"
    return [target]


def test_the_steps_come_in_order() -> None:
    assert list(STEPS) == [
        "builder",
        "check",
        "infra-check",
        "test",
        "archives",
        "archives-check",
        "plan",
        "apply",
    ]


def test_every_step_calls_one_make_target_in_the_builder() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for name, step in list(STEPS.items())[1:]:
        assert step["name"] == BUILDER, name
        (target,) = make_calls(step)
        assert target in targets


def test_the_first_step_builds_the_builder() -> None:
    assert STEPS["builder"]["args"] == ["build", f"--tag={BUILDER}", ".ci"]


def test_images_are_pinned_by_tag() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    images += [step["name"] for step in STEPS.values() if step["name"] != BUILDER]
    assert len(images) == 4
    for image in images:
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*", image), image


def test_steps_fit_into_the_build_s_time() -> None:
    assert sum(seconds(step["timeout"]) for step in STEPS.values()) <= seconds(BUILD["timeout"])


def test_every_substitution_is_used_and_every_one_used_is_declared() -> None:
    used = set(re.findall(r"\$\{(_[A-Z_]+)\}", TEXT))
    assert used == set(BUILD["substitutions"])
    assert set(re.findall(r"\$([A-Z][A-Z_]+)", TEXT)) == {"PROJECT_ID", "APPLY"}


def test_the_variables_of_the_plan_are_those_of_the_makefile() -> None:
    names = {each.partition("=")[0] for each in BUILD["options"]["env"]}
    assert names == {"CI", "TF_IN_AUTOMATION", "STATE_BUCKET", "STATE_PREFIX", "TFVARS"}
    assert {"STATE_BUCKET", "STATE_PREFIX", "TFVARS"} <= set(
        re.findall(r"^(\w+) \?=", MAKEFILE, re.MULTILINE)
    )
    # two installations may share a bucket
    assert "-backend-config=prefix=$(STATE_PREFIX)" in MAKEFILE


def test_a_build_has_an_account_of_its_own_and_logs_that_go_with_it() -> None:
    (account,) = re.findall(r"serviceAccounts/almanac-(\w+)@\$PROJECT_ID", BUILD["serviceAccount"])
    assert f'"${{var.name}}-{account}"' in TERRAFORM
    assert BUILD["options"]["logging"] == "CLOUD_LOGGING_ONLY"


def test_terraform_in_the_builder_is_one_that_the_code_accepts() -> None:
    (found,) = re.findall(r"hashicorp/terraform:(\d+)\.(\d+)", DOCKERFILE)
    (least,) = re.findall(r'required_version = ">= (\d+)\.(\d+)', TERRAFORM)
    assert tuple(map(int, found)) >= tuple(map(int, least))


def test_python_in_the_builder_is_that_of_the_functions() -> None:
    (found,) = re.findall(r"^FROM python:(\d+)\.(\d+)", DOCKERFILE, re.MULTILINE)
    (runtime,) = re.findall(r'default += "python(\d+)"', TERRAFORM)
    assert runtime == "".join(found)


@pytest.mark.parametrize(("apply", "called"), [("no", ""), ("", ""), ("yes", "infra-apply\n")])
def test_only_a_build_that_is_told_to_applies(apply: str, called: str, tmp_path: Path) -> None:
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "$@" > "$CALLED"\n')
    make.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "APPLY": apply, "CALLED": str(tmp_path / "called")}
    subprocess.run(["bash", "-c", STEPS["apply"]["script"]], env=environment, check=True)
    there = (tmp_path / "called").read_text() if (tmp_path / "called").exists() else ""
    assert there == called
    assert BUILD["substitutions"]["_APPLY"] == "no"
