"""Each archive by itself: unpacked, its requirements alone in an empty environment, and started.

`make archives-check` runs these: they install packages.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

from almanac.generation import generate
from almanac.messaging.messages import RunRequest, to_json
from almanac.messaging.subscriptions import SUBSCRIPTIONS
from almanac.organizations.transfer import push
from almanac.runs.rejections import Rejection
from almanac.storage.folder import FolderStore
from almanac_emulation.functions import FUNCTIONS, STATUS, function_service
from almanac_emulation.local_cloud import LocalCloud
from scripts.build_archives import build
from tests.support.emulators import needs_pubsub_emulator

ROOT = Path(__file__).parents[2]
DAY = dt.date(2026, 11, 21)
NOW = dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)
# Nothing of this repository is within reach.
ALONE = {"PYTHONPATH": "", "PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": "1"}

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder for each function, which holds its archive."""
    archives, unpacked = tmp_path_factory.mktemp("zips"), tmp_path_factory.mktemp("unpacked")
    for function, entry in build(ROOT, archives).items():
        zipfile.ZipFile(archives / entry["file"]).extractall(unpacked / function)
    return unpacked


def interpreter() -> str:
    """The Python of the functions' runtime where this machine has it, else ours."""
    variables = (ROOT / "infra" / "variables.tf").read_text("utf-8")
    (minor,) = re.findall(r'default += "python3(\d+)"', variables)
    found = shutil.which(f"python3.{minor}")
    if found and subprocess.run([found, "--version"], capture_output=True).returncode == 0:
        return found
    return sys.executable


@pytest.fixture(scope="module")
def python(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the requirements and nothing else.

    One for all functions, since all have the same.
    """
    (requirements,) = {(unpacked / name / "requirements.txt").read_text() for name in FUNCTIONS}
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([interpreter(), "-m", "venv", str(folder)], check=True)
    found = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    file = folder / "requirements.txt"
    file.write_text(requirements)
    pip = [str(found), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    # wheels only: where the functions are built, nothing should have to be compiled
    subprocess.run(
        [*pip, "-q", "--only-binary", ":all:", "--require-hashes", "-r", str(file)], check=True
    )
    subprocess.run([str(found), "-I", "-m", "pip", "check"], check=True, stdout=subprocess.DEVNULL)
    return found


def post(url: str, data: bytes) -> int:
    """Push the data as Pub/Sub does; the status of the answer."""
    message = {
        "data": base64.b64encode(data).decode(),
        "messageId": "12",
        "publishTime": "2026-11-21T10:00:00Z",
    }
    request = urllib.request.Request(
        f"{url}/projects/almanac-test/topics/t",
        json.dumps({"message": message, "subscription": "s"}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_environment_has_no_almanac_of_its_own(python: Path, tmp_path: Path) -> None:
    tried = subprocess.run(
        [str(python), "-I", "-c", "import almanac"], cwd=tmp_path, capture_output=True, text=True
    )
    assert "No module named 'almanac'" in tried.stderr


def test_all_modules_of_an_archive_can_be_imported(unpacked: Path, python: Path) -> None:
    code = (
        "import importlib, pkgutil, almanac\n"
        "for module in pkgutil.walk_packages(almanac.__path__, 'almanac.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(almanac.__file__)\n"
    )
    ran = subprocess.run(
        [str(python), "-c", code],
        cwd=unpacked / "merge",
        env={**os.environ, **ALONE},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert Path(ran.stdout.strip()).is_relative_to(unpacked)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_archive_starts_with_its_requirements_alone(
    function: str, unpacked: Path, python: Path, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "store")
    log = tmp_path / "log"
    service = function_service(
        function,
        unpacked / function / "main.py",
        log,
        tmp_path / "tmp",
        {
            **ALONE,
            "ALMANAC_STORE": str(tmp_path / "store"),
            "ALMANAC_PROJECT": "almanac-test",
        },
        python,
    )
    service.start()
    try:
        service.wait_until_ready()
        if function not in SUBSCRIPTIONS:
            with urllib.request.urlopen(f"{service.url}/health", timeout=60) as answer:
                assert answer.status == 200
            return
        assert post(service.url, b'{"poison": true}') == 200, log.read_text()
        (name,) = [info.name for info in store.list("rejected/")]
        record = Rejection.model_validate_json(store.read(name).data)
        assert (record.topic, record.data) == (SUBSCRIPTIONS[function].topic, '{"poison": true}')
    finally:
        service.stop()


@needs_pubsub_emulator
def test_a_daily_run_goes_through_the_archives(
    unpacked: Path, python: Path, tmp_path: Path
) -> None:
    environment = {**ALONE, "ALMANAC_SHARD_CONTACTS": "250"}
    with LocalCloud(tmp_path, unpacked, environment=environment, python=python) as cloud:
        path = tmp_path / "agency.sqlite3"
        generate(path, 1000, 1, DAY)
        push(cloud.store, "206", path, expect=0, now=NOW, progress=lambda step, done, of: None)
        request = RunRequest(org_id="206", as_of=DAY)
        cloud.bus.publish(cloud.topics.run_requests, [to_json(request)])
        result = cloud.wait_for_result("206", f"{DAY}-daily")
        assert (result.state, result.version) == ("committed", 2)
        page = f"{cloud.urls[STATUS]}/orgs/206/report"
        with urllib.request.urlopen(page, timeout=60) as answer:
            assert b"</html>" in answer.read()
