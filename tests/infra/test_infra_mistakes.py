"""Deliberate mistakes in the Terraform: each is caught, and by what is said here.

infra/README.md has the table.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.check_infra import INFRA, ROOT, check, missing

MISSING = missing()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        MISSING is not None and os.environ.get("CI") != "true", reason=MISSING or "-"
    ),
]


@dataclass(frozen=True)
class Mistake:
    """Text of a file of infra/ that becomes another; caught: how the output says so."""

    name: str
    file: str
    right: str
    wrong: str
    caught: str  # a regular expression
    by: str  # validate, pytest, or the file of infra/tests that catches it


MODULE = "modules/pubsub_function"
MISTAKES = [
    Mistake(
        "a misspelt argument",
        f"{MODULE}/main.tf",
        "ack_deadline_seconds       = var",
        "ack_deadline_second        = var",
        r"Unsupported argument",
        "validate",
    ),
    Mistake(
        "a public bucket",
        "storage.tf",
        'public_access_prevention    = "enforced"',
        'public_access_prevention    = "inherited"',
        r"A bucket can be made public",
        "installation",
    ),
    Mistake(
        "a rule by age on live objects",
        "storage.tf",
        '      with_state                 = "ARCHIVED"\n'
        "      days_since_noncurrent_time = var.archived_days",
        "      age = var.archived_days",
        r"The data bucket has other rules than the one for what is archived",
        "installation",
    ),
    Mistake(
        "a subscription without dead letters",
        f"{MODULE}/main.tf",
        "  dead_letter_policy {\n"
        "    dead_letter_topic     = var.dead_letters.id\n"
        "    max_delivery_attempts = var.terms.max_delivery_attempts\n"
        "  }\n",
        "",
        r'run "messages_come_on_the_terms"\.\.\. fail',
        "pubsub_function",
    ),
    Mistake(
        "dead letters that Pub/Sub may not publish",
        f"{MODULE}/main.tf",
        'role         = "roles/pubsub.subscriber"',
        'role         = "roles/pubsub.viewer"',
        r"Pub/Sub cannot take messages out for the dead letters",
        "pubsub_function",
    ),
    Mistake(
        "a broad role",
        "iam.tf",
        'role           = "roles/storage.objectViewer"\n  member         = each.value\n}\n\n'
        "# Overwriting",
        'role           = "roles/storage.admin"\n  member         = each.value\n}\n\n# Overwriting',
        r"Others than the four functions read everything of organizations",
        "rights",
    ),
    Mistake(
        "another right, on the whole project",
        "iam.tf",
        "# --- messages -",
        'resource "google_project_iam_member" "shard" {\n'
        "  project = var.project_id\n"
        '  role    = "roles/storage.objectAdmin"\n'
        '  member  = local.workers["shard"]\n'
        "}\n\n# --- messages -",
        r"test_nothing_grants_but_what_the_tests_of_rights_know",
        "pytest",
    ),
    Mistake(
        "the right of one function given to another",
        "iam.tf",
        "member = local.workers[each.value.function]\n  condition",
        'member = local.workers["shard"]\n  condition',
        r"A function may write something else of organizations than it does",
        "rights",
    ),
    Mistake(
        "the wrong zone",
        "variables.tf",
        'default     = "America/Chicago"',
        'default     = "America/New_York"',
        r"The daily run is not at 04:00 America/Chicago",
        "installation",
    ),
    Mistake(
        "an hour that the change of clocks drops",
        "variables.tf",
        'default     = "04:00"',
        'default     = "02:30"',
        r"not between 01:00 and 03:00",
        "traces",  # any plan
    ),
    Mistake(
        "a timeout beyond the acknowledgement deadline",
        "variables.tf",
        "timeout_seconds = optional(number, 590)",
        "timeout_seconds = optional(number, 600)",
        r"a function must have stopped before its message is delivered again",
        "traces",  # any plan
    ),
    Mistake(
        "a deadline out of step with the code",
        "subscriptions.json",
        '"max_delivery_attempts": 20,\n    "ack_deadline_seconds": 600',
        '"max_delivery_attempts": 20,\n    "ack_deadline_seconds": 610',
        r"ack_deadline_seconds is 10 to 600",
        "traces",  # any plan
    ),
    Mistake(
        "other attempts than the code says",
        "subscriptions.json",
        '"max_delivery_attempts": 20',
        '"max_delivery_attempts": 30',
        r"test_subscriptions_json_is_the_table_of_subscriptions",
        "pytest",
    ),
    Mistake(
        "an empty daily message",
        "scheduler.tf",
        'base64encode("{}")',
        'base64encode("")',
        r"The daily message is not \{\}",
        "installation",
    ),
    Mistake(
        "a function that anybody can reach",
        f"{MODULE}/main.tf",
        'ingress_settings = "ALLOW_INTERNAL_ONLY"',
        'ingress_settings = "ALLOW_ALL"',
        r"The function can be reached from anywhere",
        "pubsub_function",
    ),
    Mistake(
        "a token for another address",
        f"{MODULE}/main.tf",
        "audience              = google_cloudfunctions2_function.this.service_config[0].uri",
        "audience              = google_cloudfunctions2_function.this.url",
        r"their token is not for the service",
        "pubsub_function",
    ),
    Mistake(
        "a setting that the code does not know",
        "main.tf",
        "ALMANAC_SHARD_CONTACTS =",
        "ALMANAC_SHARD_SIZE     =",
        r"test_functions_get_every_setting_and_no_other",
        "pytest",
    ),
    Mistake(
        "a metric of a line that no code writes",
        "monitoring.tf",
        r"jsonPayload.message=\"run committed\"",
        r"jsonPayload.message=\"run commited\"",
        r"test_metrics_read_lines_that_the_code_writes",
        "pytest",
    ),
    Mistake(
        "a data bucket that can be destroyed",
        "storage.tf",
        "  deletion_policy             = local.deletion_policy\n",
        "",
        r"test_the_data_bucket_cannot_be_destroyed_by_mistake",
        "pytest",
    ),
]


def _by_validate(folder: Path) -> tuple[bool, str]:
    return check(folder / "infra", ["validate"])


def _by_terraform_test(folder: Path, name: str) -> tuple[bool, str]:
    """One file of Terraform's tests, since all of them take a minute of a processor."""
    for path in (folder / "infra" / "tests").glob("*.tftest.hcl"):
        if path.name != f"{name}.tftest.hcl":
            path.unlink()
    return check(folder / "infra", ["test"])


def _by_pytest(folder: Path) -> tuple[bool, str]:
    """tests/infra/test_terraform.py in a copy of what it looks at."""
    parts = ("shared", "scripts", "tests/support", "tests/infra/google_roles.json")
    for part in (*parts, "tests/infra/test_terraform.py", "pyproject.toml"):
        target = folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            target.symlink_to(ROOT / part)
        else:
            shutil.copy(ROOT / part, target)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/infra"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "shared")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout


CHECKS = {"validate": _by_validate, "pytest": _by_pytest}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: each.name.replace(" ", "_"))
def test_a_mistake_in_the_terraform_is_caught(mistake: Mistake, tmp_path: Path) -> None:
    shutil.copytree(INFRA, tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform"))
    path = tmp_path / "infra" / mistake.file
    text = path.read_text("utf-8")
    assert mistake.right in text, f"{mistake.file} has changed: {mistake.right!r} is not there"
    path.write_text(text.replace(mistake.right, mistake.wrong), "utf-8")
    if shutil.which("terraform"):
        subprocess.run(["terraform", "fmt", str(tmp_path / "infra")], check=True)
    by = CHECKS.get(mistake.by, functools.partial(_by_terraform_test, name=mistake.by))
    passed, said = by(tmp_path)
    assert not passed
    assert re.search(mistake.caught, re.sub(r"\s+", " ", said)), said


def test_the_readme_tells_of_every_mistake() -> None:
    readme = (INFRA / "README.md").read_text("utf-8")
    for mistake in MISTAKES:
        assert f"| {mistake.name} |" in readme
