"""Very many at once: organizations, and messages of every kind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac.config import Config
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from tests.support.cli_calls import ENVIRONMENT
from tests.support.clouds import NOW, TOPICS, Cloud, plan_in
from tests.support.load import RUN, agency, work_off
from tests.support.tiny import Agency


@pytest.fixture
def cloud(folder: Path) -> Iterator[Cloud]:
    made = Cloud(folder)
    yield made
    made.close()


# Organizations


def bad_ones(cloud: Cloud, folder: Path, good: Path) -> dict[str, str]:
    """Ten organizations that cannot be planned, and a word of why not."""
    files = {
        "garbage": b"This is no database. " * 500,
        "empty": b"",
        "cut": good.read_bytes()[:5000],
        "header": b"SQLite format 3\x00" + b"\xff" * 8000,
    }
    for org, content in files.items():
        path = folder / org
        path.write_bytes(content)
        cloud.push(org, path)
    for org, sql in {
        "no-contacts": "DROP TABLE contacts",
        "view": "ALTER TABLE contacts RENAME TO x; CREATE VIEW contacts AS SELECT * FROM x",
        "no-email": "ALTER TABLE contacts DROP COLUMN email",
        "trigger": "CREATE TRIGGER t BEFORE INSERT ON email_schedules "
        "BEGIN SELECT RAISE(ABORT, 'no'); END",
    }.items():
        path = agency(folder / f"{org}.sqlite3")
        made = Agency.__new__(Agency)
        made.path = path
        made.query(sql)
        cloud.push(org, path)
    for org, text in {"unknown-key": "nonsense: 1", "no-yaml": "a: [1, 2"}.items():
        cloud.push(org, good)
        cloud.configure(org, text)
    return {
        "garbage": "database",
        "empty": "database",
        "cut": "database",
        "header": "database",
        "no-contacts": "contacts",
        "view": "contacts is a view",
        "no-email": "no column email",
        "trigger": "forbids it",
        "unknown-key": "orgs/unknown-key/config.yaml",
        "no-yaml": "orgs/no-yaml/config.yaml",
    }


@pytest.mark.parametrize("number", [4, pytest.param(190, marks=pytest.mark.slow)])
def test_many_organizations_at_once_and_none_is_disturbed_by_ten_bad_ones(
    cloud: Cloud, folder: Path, number: int
) -> None:
    good = agency(folder / "good.sqlite3")
    expected = folder / "expected.sqlite3"
    expected.write_bytes(good.read_bytes())
    run_file(expected, Config(), RunOptions(now=NOW, workers=1))
    plan = plan_in(expected)
    orgs = [f"org-{n}" for n in range(number)]
    for org in orgs:
        cloud.push(org, good)
    bad = bad_ones(cloud, folder, good)
    cloud.send(TOPICS.run_requests, b"{}")
    cloud.run()
    assert {cloud.result(org, RUN).state for org in orgs} == {"committed"}
    for org in orgs[::4]:
        assert plan_in(cloud.pull(org)) == plan
    for org, why in bad.items():
        result = cloud.result(org, RUN)
        assert result.state == "failed", org
        assert why in (result.reason or "").lower() or why in (result.reason or ""), org
        assert cloud.version(org).version == 1
    assert cloud.rejections() == []
    assert not [name for name in cloud.names() if name.endswith("lease.json")]
    asked = Counter(function for function, _ in cloud.seen)
    assert asked["orchestrator"] == number + 11  # the one for all, and one for each
    assert asked["shard"] <= number + 10


# Messages


def check(found: dict[str, int], size: int) -> None:
    assert found["acknowledged"] >= size
    assert (found["versions"], found["committed"], found["results"]) == (2, 1, 1)
    assert 0.05 * size < found["rejected"] < 0.12 * size
    assert found["leases"] == 0


def test_two_thousand_messages_in_any_order_come_to_one_commit(folder: Path) -> None:
    check(work_off(folder, 2_000), 2_000)


MANY = """
import json, sys
from pathlib import Path
from tests.support.load import work_off
print(json.dumps(work_off(Path(sys.argv[1]), int(sys.argv[2]))))
"""


@pytest.mark.slow
def test_fifty_thousand_messages_are_worked_off_in_little_memory(folder: Path) -> None:
    root = str(Path(__file__).parents[2])
    environment = ENVIRONMENT | {"PYTHONPATH": f"{root}:{ENVIRONMENT['PYTHONPATH']}"}
    command = [sys.executable, "-c", MANY, str(folder), "50000"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = json.loads(done.stdout)
    print(found)
    check(found, 50_000)
    assert found["grown_mb"] < 150  # with five thousand rejections in the store in memory
