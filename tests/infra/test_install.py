"""Almanac installed as pipx installs it: in an environment of its own, without the cloud.

`make archives-check` runs this: it installs packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Nothing of this repository is within reach.
ALONE = os.environ | {"PYTHONPATH": "", "PYTHONNOUSERSITE": "1"}

pytestmark = pytest.mark.network


def test_the_package_alone_plans_a_file_and_needs_nothing_of_the_cloud(tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [str(programs / "python"), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    subprocess.run([*pip, "install", "-q", str(ROOT)], check=True)
    listed = subprocess.run([*pip, "list"], check=True, capture_output=True, text=True).stdout
    assert "google-cloud" not in listed

    def almanac(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(programs / "almanac"), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=ALONE, capture_output=True, text=True)

    for command in (
        ["generate", "agency.sqlite3", "--contacts", "200"],
        ["run", "agency.sqlite3", "--report", "report.html"],
        ["rules", "check", "agency.sqlite3"],
        ["store", "push", "206", "agency.sqlite3", "--store", "store"],
    ):
        ended = almanac(*command)
        assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    refused = almanac("store", "status", "--store", "gs://bucket")
    assert refused.returncode == 2
    assert "is not installed; install almanac[cloud]" in refused.stderr
