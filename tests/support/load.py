"""Very many messages of every kind, delivered to one cloud in this process."""

from __future__ import annotations

import random
import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from almanac.messaging.bus import Delivery
from almanac.messaging.messages import RunRequest, ShardDone, ShardTask, to_json
from almanac.runs.handlers import HANDLERS
from almanac.storage import layout
from almanac.storage.history import list_versions
from tests.support.clouds import NOW, TOPIC_OF, Cloud
from tests.support.tiny import Agency

RUN = f"{NOW.date()}-daily"


def agency(path: Path, contacts: int = 4) -> Path:
    """A tiny agency, each contact with a birthday and an effective date."""
    made = Agency(path)
    for contact in range(1, contacts + 1):
        dates = {"birth_date": f"1950-06-{contact:02}", "effective_date": "2020-05-01"}
        made.contact(contact, **dates)
    return path


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
