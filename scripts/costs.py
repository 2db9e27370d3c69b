"""The monthly cost of an installation: the tables in docs/operations.md.

    python scripts/costs.py [CONTACTS ...]        (default: 10000 300000 3000000)

One organization with a run every day, all that a year of operation leaves behind, list prices
without the free tiers. Every assumption is a named constant; a test compares the page's tables with
this output.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

CONTACTS = (10_000, 300_000, 3_000_000)

# US dollars, us-central1, list prices as published in November 2026.
PRICES = {
    "a vCPU for a million seconds": 24.00,
    "a GiB of memory for a million seconds": 2.50,
    "a million requests to functions": 0.40,
    "a GB in the bucket, a month": 0.020,
    "a million writes or lists (class A)": 5.00,
    "a million reads (class B)": 0.40,
    "a TiB through Pub/Sub": 40.00,
    "a GiB of logs": 0.50,
    "a job of the scheduler, a month": 0.10,
    "a condition of an alert, a month": 0.10,
    "a million time series read for alerts": 0.35,
    "a GB of images, a month": 0.10,
}
MILLION = 1e6

DAYS = 30.4  # in a month
# The database, from docs/performance.md: 4,212 MB at 3 million contacts after some runs.
BYTES_A_CONTACT = 1_404
SHARD_CONTACTS = 50_000
# vCPUs and GiB, the defaults of infra/variables.tf
SIZES = {"orchestrator": (1, 0.5), "shard": (1, 1.0), "merge": (2, 8.0)}
START = 2.0  # seconds of a cold start, for every delivery; 0.9 measured
ORCHESTRATE = 5.0  # seconds
SHARD = 15.0  # seconds: 5 measured, and 200 reads of 50 ms
MERGE, MERGE_A_GB = 5.0, 30.0  # seconds; 10 per GB measured on a separate machine
WORD = 0.5  # seconds of a merge function that finds a shard missing
# The current one, 7 younger than a week, the last of 12 months, and 14 days of deleted ones:
# archived, then soft-deleted.
COPIES = 1 + 7 + 12 + 14
FRAGMENTS = 7 + 14  # runs whose fragments still exist
FRAGMENT_BYTES_A_CONTACT = 35
WRITES, WRITES_A_SHARD = 60, 2
READS, READS_A_SHARD = 150, 260
MESSAGE_BYTES = 1_000  # the minimum that is charged
LOG_BYTES = 3_000  # per delivery: our line and Cloud Run's
CONDITIONS, SERIES = 27, 1.5  # of alerts, and time series that each of them reads
EVALUATIONS = 86_400  # per month, one in 30 seconds
IMAGES_GB = 5.0


def shards(contacts: int) -> int:
    return math.ceil(contacts / SHARD_CONTACTS)


def database_gb(contacts: int) -> float:
    return contacts * BYTES_A_CONTACT / 1e9


def merge_seconds(contacts: int) -> float:
    return MERGE + MERGE_A_GB * database_gb(contacts)


def costs(contacts: int) -> dict[str, float]:
    """Return dollars per month for each item."""
    count = shards(contacts)
    # seconds of a day's deliveries: the request for all organizations and the one for this; each
    # shard; each ShardDone, the last of which merges
    seconds = {
        "orchestrator": 2 * (START + ORCHESTRATE),
        "shard": count * (START + SHARD),
        "merge": count * (START + WORD) + merge_seconds(contacts),
    }
    deliveries = 2 + 2 * count
    vcpu_seconds = sum(spent * SIZES[each][0] for each, spent in seconds.items())
    gib_seconds = sum(spent * SIZES[each][1] for each, spent in seconds.items())
    functions = (
        vcpu_seconds * PRICES["a vCPU for a million seconds"]
        + gib_seconds * PRICES["a GiB of memory for a million seconds"]
        + deliveries * PRICES["a million requests to functions"]
    ) / MILLION
    requests = (
        (WRITES + WRITES_A_SHARD * count) * PRICES["a million writes or lists (class A)"]
        + (READS + READS_A_SHARD * count) * PRICES["a million reads (class B)"]
    ) / MILLION
    stored = COPIES * database_gb(contacts) + FRAGMENTS * contacts * FRAGMENT_BYTES_A_CONTACT / 1e9
    # each message is published and delivered
    messages = 2 * deliveries * MESSAGE_BYTES / 2**40 * PRICES["a TiB through Pub/Sub"]
    logs = deliveries * LOG_BYTES / 2**30 * PRICES["a GiB of logs"]
    series = SERIES * EVALUATIONS / MILLION * PRICES["a million time series read for alerts"]
    return {
        "functions": functions * DAYS,
        "storage": stored * PRICES["a GB in the bucket, a month"],
        "requests to storage": requests * DAYS,
        "messages and logs": (messages + logs) * DAYS,
        "scheduler": PRICES["a job of the scheduler, a month"],
        "alerts": CONDITIONS * (PRICES["a condition of an alert, a month"] + series),
        "images": IMAGES_GB * PRICES["a GB of images, a month"],
    }


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def price_table() -> str:
    rows = [
        (name, f"{price:.2f}" if price >= 0.1 else f"{price:.3f}") for name, price in PRICES.items()
    ]
    return table(("what", "US dollars"), rows)


def cost_table(sizes: Sequence[int]) -> str:
    """Return dollars per month by item and size, and what they are based on."""
    found = {contacts: costs(contacts) for contacts in sizes}
    rows = [
        ["database, GB", *(f"{database_gb(each):.2f}" for each in sizes)],
        ["shards", *(str(shards(each)) for each in sizes)],
        ["merge, seconds", *(f"{merge_seconds(each):.0f}" for each in sizes)],
    ]
    rows += [
        [f"{thing}, $", *(f"{found[each][thing]:.2f}" for each in sizes)]
        for thing in costs(sizes[0])
    ]
    rows.append(["**all, $ a month**", *(f"**{sum(found[each].values()):.2f}**" for each in sizes)])
    return table(["contacts", *(f"{each:,}" for each in sizes)], rows)


if __name__ == "__main__":
    print(price_table())
    print()
    print(cost_table([int(each) for each in sys.argv[1:]] or CONTACTS))
