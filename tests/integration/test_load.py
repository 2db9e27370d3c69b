"""Very many at once: organizations, and messages of every kind."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac.config import Config
from almanac.messaging.bus import Delivery
from almanac.messaging.messages import RunRequest, ShardDone, ShardTask, to_json
from almanac.runs.handlers import HANDLERS
from almanac.runs.local import RunOptions, run_file
from almanac.storage import layout
from almanac.storage.versions import list_versions
from tests.clouds import NOW, TOPIC_OF, TOPICS, Cloud, plan_in
from tests.integration.tiny import Agency
from tests.unit.cli_calls import ENVIRONMENT

RUN = f"{NOW.date()}-daily"


def agency(path: Path, contacts: int = 4) -> Path:
    """A tiny agency, each contact with a birthday and an effective date."""
    made = Agency(path)
    for contact in range(1, contacts + 1):
        dates = {"birth_date": f"1950-06-{contact:02}", "effective_date": "2020-05-01"}
        made.contact(contact, **dates)
    return path


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


def test_two_hundred_organizations_at_once_and_none_is_disturbed_by_ten_bad_ones(
    cloud: Cloud, folder: Path
) -> None:
    good = agency(folder / "good.sqlite3")
    expected = folder / "expected.sqlite3"
    expected.write_bytes(good.read_bytes())
    run_file(expected, Config(), RunOptions(now=NOW, workers=1))
    plan = plan_in(expected)
    orgs = [f"org-{number}" for number in range(190)]
    for org in orgs:
        cloud.push(org, good)
    bad = bad_ones(cloud, folder, good)
    cloud.send(TOPICS.run_requests, b"{}")
    cloud.run()
    assert {cloud.result(org, RUN).state for org in orgs} == {"committed"}
    for org in orgs[::10]:
        assert plan_in(cloud.pull(org)) == plan
    for org, why in bad.items():
        result = cloud.result(org, RUN)
        assert result.state == "failed", org
        assert why in (result.reason or "").lower() or why in (result.reason or ""), org
        assert cloud.version(org).version == 1
    assert cloud.rejections() == []
    assert not [name for name in cloud.names() if name.endswith("lease.json")]
    asked = Counter(function for function, _ in cloud.seen)
    assert asked["orchestrator"] == 201  # the one for all, and one for each
    assert asked["shard"] <= 200


# Messages


POISON = [b"not JSON", b"[" * 5_000, b'{"org_id": "../x"}', b'{"org_id": "999"}', b"\xff\xfe"]


def queue(rng: random.Random, size: int) -> Iterator[tuple[str, bytes]]:
    """Messages of a run of organization 206 over again, in any order, with others between."""
    done = [to_json(ShardDone(org_id="206", run_id=RUN, shard=shard)) for shard in (0, 1)]
    tasks = [
        to_json(ShardTask(org_id="206", run_id=RUN, shard=shard, first_id=first, last_id=last))
        for shard, (first, last) in enumerate([(1, 2), (3, 4)])
    ]
    requests = [to_json(RunRequest(org_id="206")), to_json(RunRequest()), b""]
    for _ in range(size):
        kind = rng.random()
        if kind < 0.4:
            yield "shard", rng.choice(tasks)
        elif kind < 0.8:
            yield "merge", rng.choice(done)
        elif kind < 0.9:
            yield "orchestrator", rng.choice(requests)
        else:
            yield rng.choice(sorted(HANDLERS)), rng.choice(POISON)


def work_off(folder: Path, size: int) -> dict[str, int]:
    """Put the messages into the bus and deliver them; what came of it."""
    cloud = Cloud(folder, shard_contacts=2)
    cloud.push("206", agency(folder / "206.sqlite3"))
    cloud.ask("206")  # so that there is a run when the first tasks come
    cloud.only("orchestrator")
    cloud.run()
    cloud.everything()
    seen: Counter[str] = Counter()
    deliver = cloud.handle

    def counted(function: str, delivery: Delivery) -> None:
        deliver(function, delivery)
        seen["acknowledged"] += 1
        cloud.seen.clear()  # the harness remembers every delivery

    cloud.handle = counted  # type: ignore[method-assign]
    rng = random.Random(size)
    for function, data in queue(rng, size):
        cloud.send(TOPIC_OF[function], data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cloud.run()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    seen["grown_mb"] = grown // 1024
    seen["versions"] = len(list_versions(cloud.store, "206"))
    seen["committed"] = int(cloud.result("206", RUN).state == "committed")
    seen["results"] = len([n for n in cloud.names(layout.runs("206")) if n.endswith("result.json")])
    seen["rejected"] = len(cloud.names("rejected/"))
    seen["leases"] = len([n for n in cloud.names() if n.endswith("lease.json")])
    cloud.close()
    return dict(seen)


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
from tests.integration.test_load import work_off
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
