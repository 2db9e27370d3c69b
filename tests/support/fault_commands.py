"""The commands on a store that meet faults, with what shows their effect."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from almanac.errors import AlmanacError
from almanac.messaging.bus import Delivery
from almanac.messaging.local import LocalBus
from almanac.messaging.messages import CampaignChange, Message, RunRequest, to_json
from almanac.organizations.snapshots import RangedSnapshots
from almanac.runs.file_intake import EVENTS_AT_ONCE
from almanac.runs.handlers import HANDLERS
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.cloud import CloudStore
from almanac.storage.collection import collect_versions
from almanac.storage.lease import acquire, release
from tests.support.cli_calls import Answer, almanac
from tests.support.matrix_store import ORG, TODAY, Bucket


@dataclass(frozen=True)
class Files:
    """What commands are given, and a folder for what they write."""

    folder: Path
    pushed: Path
    marks: Path
    targets: Path
    addresses: Path
    events: Path
    contacts: Path

    @classmethod
    def written(cls, folder: Path, pushed: Path) -> Files:
        """Write the files; pushed: a database that is there."""
        marks, targets = folder / "marks.jsonl", folder / "targets.csv"
        addresses, contacts = folder / "addresses.csv", folder / "contacts.csv"
        events = folder / "events.jsonl"
        marks.write_text('{"id": 1, "status": "processing"}\n')
        targets.write_text("contact_id,trigger_date\n3,2044-01-01\n")
        addresses.write_text("email\nfourth@example.com\n")
        contacts.write_text("email,birth_date\nfourth@example.com,1960-01-01\n")
        with events.open("w") as lines:
            for number in range(EVENTS_AT_ONCE + 1):  # one more than an object holds
                event = {
                    "event_id": f"event-{number}",
                    "kind": "activity",
                    "entries": [{"type": "click", "contact_id": 1, "url": f"/{number}"}],
                }
                lines.write(f"{json.dumps(event)}\n")
        return cls(folder, pushed, marks, targets, addresses, events, contacts)


@dataclass(frozen=True)
class Command:
    """A command, and how its effect is seen in the rows of a version; reading has none.

    effect: a statement that gives 1 where the command has had its effect, and 0 where not.
    waits: the command puts this into the inbox, and changes no version.
    configures: its effect is in the configuration.
    """

    call: Callable[[Files, Bucket], Answer]
    effect: str | None = None
    waits: str = ""
    configures: bool = False
    empty: bool = False  # the store has nothing before
    leaves: bool = False  # it may leave the version of another writer, who came before it
    takes_back: bool = False  # the version that is current, whose it is; it names that one


def _steps(files: Files, bucket: Bucket, message: Message) -> Answer:
    """The functions' steps over the store, until no message waits."""
    store: Any = CloudStore(bucket.name, timeout=5.0, first_pause=0.005)
    bus = LocalBus(max_attempts=10, pause=lambda attempt: None)
    with tempfile.TemporaryDirectory() as folder:
        services = Services(store, bus, RangedSnapshots(store), Path(folder))
        topics = services.topics
        for topic, name in (
            (topics.run_requests, "orchestrator"),
            (topics.shard_tasks, "shard"),
            (topics.shard_results, "merge"),
            (topics.campaign_changes, "campaign_change"),
        ):

            def handle(delivery: Delivery, name: str = name) -> None:
                HANDLERS[name](services, delivery)

            bus.subscribe(topic, handle)
        change = isinstance(message, CampaignChange)
        bus.publish(topics.campaign_changes if change else topics.run_requests, [to_json(message)])
        try:
            bus.run_until_idle()
        except AlmanacError as error:
            return Answer(1, "", str(error))
    results = [name for name in bucket.state().names if name.endswith(layout.RESULT)]
    ended = [json.loads(bucket.read(name)) for name in results]
    done = any(each["state"] == "committed" for each in ended)
    return Answer(0 if done else 1, "", "" if done else "; ".join(str(e["reason"]) for e in ended))


def _collection(files: Files, bucket: Bucket) -> Answer:
    """What a merge does with old versions, a year from now."""
    store = CloudStore(bucket.name, timeout=5.0, first_pause=0.005)
    now = dt.datetime.now(dt.UTC)
    try:
        acquire(store, ORG, "collection", "test", now, 60)
        collect_versions(store, ORG, now + dt.timedelta(400))
        release(store, ORG, "collection")
    except AlmanacError as error:
        return Answer(1, "", str(error))
    return Answer(0, "", "")


def _cli(*arguments: object, where: Sequence[str] = ("--org", ORG)) -> Callable[..., Answer]:
    def call(files: Files, bucket: Bucket) -> Answer:
        named = {f"@{name}": path for name, path in vars(files).items()}
        given = [named.get(str(each), each) for each in arguments]
        return almanac(*given, *where, "--store", bucket.url)

    return call


def _pull(files: Files, bucket: Bucket) -> Answer:
    out = files.folder / f"{bucket.name}.sqlite3"
    answer = almanac("store", "pull", ORG, "--out", out, "--store", bucket.url)
    fetched = out.read_bytes() if out.exists() else b""
    out.unlink(missing_ok=True)
    if answer.code == 0 and fetched != bucket.read(bucket.state().chain[0]):
        versions = [bucket.read(path) for path in bucket.state().chain]
        if fetched not in versions:
            return Answer(98, answer.out, "what was pulled is no version")
    return Answer(answer.code, answer.out, answer.err)


_WITHOUT = "SELECT NOT EXISTS (SELECT 1 FROM suppressions WHERE email = 'third@example.com')"

COMMANDS: dict[str, Command] = {
    "store init": Command(_cli("store", "init", ORG, where=()), configures=True, empty=True),
    "store push": Command(
        _cli("store", "push", ORG, "@pushed", where=()),
        "SELECT count(*) FROM private_notes WHERE k = 'pushed'",
        leaves=True,
    ),
    "store pull": Command(_pull),
    "store versions": Command(_cli("store", "versions", ORG, where=())),
    "store status": Command(_cli("store", "status", ORG, where=())),
    "store rollback": Command(_cli("store", "rollback", ORG, 2, where=()), _WITHOUT, leaves=True),
    "undo": Command(_cli("undo"), _WITHOUT, takes_back=True),
    "due": Command(_cli("due", "--on", TODAY)),
    "day": Command(_cli("day")),
    "explain": Command(_cli("explain", "--contact", 1)),
    "mark": Command(_cli("mark", "@marks"), waits='"status": "processing"'),
    "campaign add": Command(
        _cli("campaign", "add", "promo", "more"),
        "SELECT count(*) FROM campaign_instances WHERE instance_name = 'more'",
    ),
    "campaign set": Command(
        _cli("campaign", "set", 3, "target_states=TX", "--direct"),
        "SELECT count(*) FROM campaign_instances WHERE id = 3 AND target_states = 'TX'",
    ),
    "campaign remove": Command(
        _cli("campaign", "remove", 3),
        "SELECT NOT EXISTS (SELECT 1 FROM campaign_instances WHERE id = 3)",
    ),
    "campaign import": Command(
        _cli("campaign", "import", 3, "@targets"), waits='"campaign_instance_id": 3'
    ),
    "suppression add": Command(
        _cli("suppression", "add", "--email", "fourth@example.com"), waits="fourth@example.com"
    ),
    "suppression end": Command(
        _cli("suppression", "end", "--email", "third@example.com"), waits='"action": "end"'
    ),
    "suppression import": Command(
        _cli("suppression", "import", "@addresses"), waits="fourth@example.com"
    ),
    "contacts import": Command(
        _cli("contacts", "import", "@contacts"), waits='"birth_date": "1960-01-01"'
    ),
    "campaign targets add": Command(
        _cli("campaign", "targets", "add", 3, "--contacts", 3, "--trigger-date", "2044-01-01"),
        waits='"trigger_date": "2044-01-01"',
    ),
    "campaign targets remove": Command(
        _cli("campaign", "targets", "remove", 3, "--contacts", 2), waits='"action": "remove"'
    ),
    "intake": Command(_cli("intake", "@events"), waits=f'"/{EVENTS_AT_ONCE}"'),
    "config set": Command(_cli("config", "set", "send_time=09:30"), configures=True),
    "config restore": Command(_cli("config", "restore", 1), configures=True),
    "a daily run": Command(
        lambda matrix, bucket: _steps(
            matrix, bucket, RunRequest(org_id=ORG, requested_at=dt.datetime.now(dt.UTC))
        ),
        "SELECT count(*) FROM config_versions WHERE id = 2",
    ),
    "a campaign change": Command(
        lambda matrix, bucket: _steps(
            matrix,
            bucket,
            CampaignChange(
                event_id="event",
                org_id=ORG,
                campaign_instance_id=3,
                changes={"target_states": "TX"},
            ),
        ),
        "SELECT count(*) FROM campaign_instances WHERE id = 3 AND target_states = 'TX'",
    ),
    "collection": Command(_collection),
}
