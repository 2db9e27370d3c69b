"""The monthly cost of an installation and its limits: the tables in docs/operations.md.

    python scripts/costs.py [[ORGANIZATIONSx]CONTACTS ...]
                                      (default: 10000 300000 3000000 1000x25000)

A run every day, all that a year of operation leaves behind, list prices without the free tiers.
Every assumption is a named constant; a test compares the page's tables with this output.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence

INSTALLATIONS = ((1, 10_000), (1, 300_000), (1, 3_000_000), (1_000, 25_000))

PRICE_LIST = "November 2026"
# US dollars, us-central1, list prices as published then.
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
    "a GB to another region of North America": 0.020,
    "a million spans of traces": 0.20,
}
MILLION = 1e6

DAYS = 30.4  # in a month
# The database, from docs/performance.md: 4,212 MB at 3 million contacts after some runs.
BYTES_A_CONTACT = 1_404
SHARD_CONTACTS = 50_000
MAX_SHARDS = 10_000  # contact_ranges.py
# vCPUs and GiB, the defaults of infra/variables.tf
SIZES = {"orchestrator": (1, 2.0), "shard": (1, 1.0), "merge": (2, 8.0), "status": (1, 0.5)}
ORCHESTRATORS = 5  # instances
TIMEOUT = 590.0  # seconds of the merge function
LARGEST = 32.0  # GiB that a function or a job can have
DISK = 10.0  # GiB that the disk of a job has without a higher quota
FULL, DISK_FULL = 0.85, 0.95  # of the memory, where the alert comes; of the disk
MERGE_GB_A_MILLION = 0.3  # of the merge's process, beside the database
START = 2.0  # seconds of a cold start, for every delivery; 0.9 measured
ORCHESTRATE = 5.0  # seconds
SHARD = 15.0  # seconds: 5 measured, and 200 reads of 50 ms
MERGE, MERGE_A_GB = 5.0, 30.0  # seconds; 10 per GB measured on a separate machine
# reads, lists and seconds for an organization that is looked at
LOOKS, LISTS, LOOK = 4, 1, 0.25
LOOKED_AT = 26  # a day: the daily run, 24 checks, the deadline
AT_ONCE = 16  # organizations that are looked at at the same time (runs/cloud_services.py)
# lists, reads and seconds for one whose status is polled; seconds where all of it has to be read
POLL_LISTS, POLL_READS, POLL, POLL_IN_FULL = 3, 1, 0.011, 0.045
POLL_SECONDS = 225.0  # after which it gives up
SCHEDULED = 4  # jobs: the daily run, the check, the deadline, the poll
HOURLY = 24  # polls of the status a day; and copies
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
CONDITIONS, SERIES = 37, 1.5  # of alerts, and time series that each of them reads
EVALUATIONS = 86_400  # per month, one in 30 seconds
IMAGES_GB = 5.0

# With `copy`: lists and writes, reads and seconds for an organization and hour; objects of a run
# (counted in an emulated one) and the pointer; GB that Cloud Storage copies in a second; vCPUs and
# GiB; the least that is charged for an execution, in seconds; conditions of alerts.
COPY_WRITES, COPY_READS, COPY = 3, 5, 0.48
COPIED_OBJECTS, COPIED_GB = 22, 0.1
COPY_SIZE = (1, 0.5)
COPY_AT_LEAST = 60.0
COPY_CONDITIONS = 3
# With `traces`: spans of a run, and of each shard more; seconds of an export in a cold process.
SPANS, SPANS_A_SHARD, EXPORT = 30, 4, 0.25


def shards(contacts: int) -> int:
    return math.ceil(contacts / SHARD_CONTACTS)


def database_gb(contacts: int) -> float:
    return contacts * BYTES_A_CONTACT / 1e9


def merge_seconds(contacts: int) -> float:
    return MERGE + MERGE_A_GB * database_gb(contacts)


def looking_seconds(organizations: int) -> float:
    """Return how long the orchestrator takes to look at all organizations."""
    return organizations * LOOK / AT_ONCE


def processors(seconds: Mapping[str, float], sizes: Mapping[str, tuple[int, float]]) -> float:
    """Return dollars for so many seconds of each function or job."""
    return sum(
        spent
        * (
            sizes[each][0] * PRICES["a vCPU for a million seconds"]
            + sizes[each][1] * PRICES["a GiB of memory for a million seconds"]
        )
        / MILLION
        for each, spent in seconds.items()
    )


def requests(writes: float, reads: float) -> float:
    """Return dollars for so many writes or lists, and reads."""
    return (
        writes * PRICES["a million writes or lists (class A)"]
        + reads * PRICES["a million reads (class B)"]
    ) / MILLION


def alerts(conditions: int) -> float:
    """Return dollars a month for so many conditions of alerts."""
    series = SERIES * EVALUATIONS / MILLION * PRICES["a million time series read for alerts"]
    return conditions * (PRICES["a condition of an alert, a month"] + series)


def costs(organizations: int, contacts: int) -> dict[str, float]:
    """Return dollars per month for each item, with so many contacts in each organization."""
    count = shards(contacts)
    # seconds of a day's deliveries: of all organizations one request and the checks; of each one
    # request, each shard, each ShardDone, the last of which merges
    seconds = {
        "orchestrator": LOOKED_AT * (START + looking_seconds(organizations))
        + (1 + organizations) * ORCHESTRATE
        + organizations * START,
        "shard": organizations * count * (START + SHARD),
        "merge": organizations * (count * (START + WORD) + merge_seconds(contacts)),
        "status": HOURLY * (START + organizations * POLL),
    }
    deliveries = LOOKED_AT + HOURLY + organizations * (1 + 2 * count)
    functions = processors(seconds, SIZES)
    functions += deliveries * PRICES["a million requests to functions"] / MILLION
    writes = WRITES + WRITES_A_SHARD * count + LOOKED_AT * LISTS + HOURLY * POLL_LISTS
    reads = READS + READS_A_SHARD * count + LOOKED_AT * LOOKS + HOURLY * POLL_READS
    stored = organizations * (
        COPIES * database_gb(contacts) + FRAGMENTS * contacts * FRAGMENT_BYTES_A_CONTACT / 1e9
    )
    # each message is published and delivered
    messages = 2 * deliveries * MESSAGE_BYTES / 2**40 * PRICES["a TiB through Pub/Sub"]
    logs = deliveries * LOG_BYTES / 2**30 * PRICES["a GiB of logs"]
    return {
        "functions": functions * DAYS,
        "storage": stored * PRICES["a GB in the bucket, a month"],
        "requests to storage": organizations * requests(writes, reads) * DAYS,
        "messages and logs": (messages + logs) * DAYS,
        "scheduler": SCHEDULED * PRICES["a job of the scheduler, a month"],
        "alerts": alerts(CONDITIONS),
        "images": IMAGES_GB * PRICES["a GB of images, a month"],
    }


def additions(organizations: int, contacts: int) -> dict[str, float]:
    """Return dollars per month that `copy` and `traces` add, by item."""
    count, gigabytes = shards(contacts), organizations * database_gb(contacts)
    looking = START + organizations * COPY / AT_ONCE
    copying = gigabytes / COPIED_GB / max(min(organizations, AT_ONCE), 1)
    job = {"copy": HOURLY * max(looking, COPY_AT_LEAST) + copying}
    writes = HOURLY * COPY_WRITES + COPIED_OBJECTS
    scheduled = PRICES["a job of the scheduler, a month"] + alerts(COPY_CONDITIONS)
    exports = {
        "orchestrator": organizations * EXPORT,
        "shard": organizations * count * EXPORT,
        "merge": organizations * count * EXPORT,
    }
    spans = organizations * (SPANS + SPANS_A_SHARD * count) / MILLION
    traces = spans * PRICES["a million spans of traces"] + processors(exports, SIZES)
    return {
        "copy: storage": COPIES * gigabytes * PRICES["a GB in the bucket, a month"],
        "copy: requests": organizations * requests(writes, HOURLY * COPY_READS) * DAYS,
        "copy: between regions": gigabytes
        * DAYS
        * PRICES["a GB to another region of North America"],
        "copy: job, schedule, alerts": processors(job, {"copy": COPY_SIZE}) * DAYS + scheduled,
        "traces": traces * DAYS,
    }


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def price_table() -> str:
    rows = [
        (name, f"{price:.2f}" if price >= 0.1 else f"{price:.3f}") for name, price in PRICES.items()
    ]
    return table((f"list price of {PRICE_LIST}", "US dollars"), rows)


def cost_table(installations: Sequence[tuple[int, int]]) -> str:
    """Return dollars per month by item and installation, and what they are based on."""
    contacts = [each for _, each in installations]
    rows = [
        ["database, GB", *(f"{database_gb(each):.2f}" for each in contacts)],
        ["shards", *(str(shards(each)) for each in contacts)],
        ["merge, seconds", *(f"{merge_seconds(each):.0f}" for each in contacts)],
        *_dollars([costs(*each) for each in installations]),
    ]
    return table(["contacts", *_names(installations)], rows)


def addition_table(installations: Sequence[tuple[int, int]]) -> str:
    """Return dollars per month that `copy` and `traces` add, by item and installation."""
    rows = _dollars([additions(*each) for each in installations])
    return table(["contacts", *_names(installations)], rows)


def growth_table(of: Callable[[int, int], dict[str, float]] = costs) -> str:
    """Return what more contacts, and more organizations, add to each item; dollars per month."""
    more = {
        "a million contacts in one organization": (of(1, 4_000_000), of(1, 3_000_000)),
        "100 organizations of 25,000": (of(1_100, 25_000), of(1_000, 25_000)),
        "100 organizations of 1,000": (of(100, 1_000), of(0, 1_000)),
    }
    grown = [
        {thing: after[thing] - before[thing] for thing in after} for after, before in more.values()
    ]
    return table(["more", *more], _dollars(grown))


def _names(installations: Sequence[tuple[int, int]]) -> list[str]:
    return [f"{count:,} of {each:,}" if count > 1 else f"{each:,}" for count, each in installations]


def _dollars(columns: Sequence[Mapping[str, float]]) -> list[list[str]]:
    rows = [[f"{thing}, $", *(f"{each[thing]:.2f}" for each in columns)] for thing in columns[0]]
    whole = [f"**{sum(each.values()):.2f}**" for each in columns]
    return [*rows, ["**all, $ a month**", *whole]]


def largest(gib: float, gb_a_million: float, full: float = FULL) -> float:
    """Return how many million contacts fit into so much of the memory or disk."""
    return gib * 2**30 / 1e9 * full / gb_a_million


def limit_table() -> str:
    """Return what an organization or an installation may have, by what ends first."""
    in_memory = MERGE_GB_A_MILLION + BYTES_A_CONTACT / 1e3
    in_time = (TIMEOUT - MERGE) / MERGE_A_GB / BYTES_A_CONTACT * 1e3
    on_disk = largest(DISK, BYTES_A_CONTACT / 1e3, DISK_FULL)
    of_job = largest(LARGEST, MERGE_GB_A_MILLION)
    started = ORCHESTRATORS * 3600 / (START + ORCHESTRATE)
    rows = [
        ["merge function, 8 GiB", f"{largest(8, in_memory):.1f} million contacts", "memory"],
        ["merge function, 16 GiB", f"{largest(16, in_memory):.1f} million contacts", "memory"],
        ["merge function, 32 GiB", f"{in_time:.1f} million contacts", f"{TIMEOUT:.0f} s"],
        ["merge job, disk of 10 GiB", f"{on_disk:.1f} million contacts", "the default quota"],
        ["merge job, 32 GiB, a larger disk", f"{of_job:.0f} million contacts", "memory"],
        ["shards of a run", f"{MAX_SHARDS:,}", "`shard_contacts` may be more"],
        [
            "organizations started in an hour",
            f"{started:,.0f}",
            f"{ORCHESTRATORS} orchestrators (`sizes.orchestrator.max_instances`)",
        ],
        [
            "look at 7,500 organizations",
            f"{START + looking_seconds(7_500):.0f} s",
            f"{AT_ONCE} at the same time, of 300 s",
        ],
        [
            "organizations whose status is polled",
            f"{POLL_SECONDS / POLL:,.0f}",
            f"{POLL_SECONDS:.0f} s; {POLL_SECONDS / POLL_IN_FULL:,.0f} of which all is to be read",
        ],
    ]
    return table(["what", "up to", "what ends it"], rows)


def _installation(text: str) -> tuple[int, int]:
    organizations, _, contacts = text.rpartition("x")
    return int(organizations or 1), int(contacts)


if __name__ == "__main__":
    asked = [_installation(each) for each in sys.argv[1:]] or INSTALLATIONS
    print(price_table(), cost_table(asked), growth_table(), sep="\n\n", end="\n\n")
    print(addition_table(asked), growth_table(additions), limit_table(), sep="\n\n")
