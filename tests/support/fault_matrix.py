"""The matrix of commands on a store by kinds of fault: what a command does at the n-th request."""

from __future__ import annotations

import datetime as dt
import functools
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from almanac.errors import AlmanacError
from almanac.messaging.bus import Delivery
from almanac.messaging.local import LocalBus
from almanac.messaging.messages import CampaignChange, Message, RunRequest, to_json
from almanac.organizations.snapshots import RangedSnapshots
from almanac.runs.handlers import HANDLERS
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.cloud import CloudStore
from almanac.storage.collection import collect_versions
from almanac.storage.lease import acquire, release
from almanac_emulation.cloud_storage.emulator import StorageEmulator
from tests.support.cli_calls import Answer, almanac
from tests.support.fault_proxy import FaultProxy, Passed, WireFault
from tests.support.matrix_store import ORG, OTHER, TODAY, Bucket, State, masked, new_bucket, prepare

KINDS: dict[str, WireFault] = {
    "answer lost": WireFault(lost=True),
    "done, 503": WireFault(status=503),
    "reset": WireFault(acts=False),
    "408": WireFault(acts=False, status=408),
    "429": WireFault(acts=False, status=429),
    "500": WireFault(acts=False, status=500),
    "503": WireFault(acts=False, status=503),
    "answer cut": WireFault(cut_answer=True),
    "upload cut": WireFault(cut_upload=True),
    "answer flipped": WireFault(flip_answer=True),
    "upload flipped": WireFault(flip_upload=True),
    "slow": WireFault(wait=0.05),
    "another writer": WireFault(lost=True, meanwhile=True),
}
# befalls two requests, one behind the other
KINDS |= {"lost, twice": KINDS["answer lost"], "503, twice": KINDS["503"]}

# how a client library or Python would say it
_RAW = ("Traceback", "{", "HTTPConnection", "Max retries", "0x", "google", "urllib3", "Error(")


@dataclass(frozen=True)
class Command:
    """A command, and how its effect is seen in the rows of a version; reading has none.

    effect: a statement that gives 1 where the command has had its effect, and 0 where not.
    configures: its effect is in the configuration.
    """

    call: Callable[[Matrix, Bucket], Answer]
    effect: str | None = None
    configures: bool = False
    empty: bool = False  # the store has nothing before
    leaves: bool = False  # it may leave the version of another writer, who came before it


@dataclass(frozen=True)
class Seen:
    """What a command did."""

    answer: Answer
    state: State
    requests: list[Passed]
    left: list[str]  # in the temporary folder


class Matrix:
    """An emulator, a proxy before it, and a prepared store; a context manager."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, patch
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.emulator = self._stack.enter_context(StorageEmulator(folder=self.folder / "objects"))
        self.proxy = self._stack.enter_context(FaultProxy(self.emulator.url))
        self._patch.setenv("STORAGE_EMULATOR_HOST", self.proxy.url)
        quick = functools.partial(CloudStore, timeout=5.0, first_pause=0.005)
        self._patch.setattr("almanac.storage.cloud.CloudStore", quick)
        self.pushed = prepare(self.emulator, self.folder)
        self.marks = self.folder / "marks.jsonl"
        self.marks.write_text('{"id": 1, "status": "processing"}\n')
        self.targets = self.folder / "targets.csv"
        self.targets.write_text("contact_id,trigger_date\n3,2044-01-01\n")
        self.addresses = self.folder / "addresses.csv"
        self.addresses.write_text("email\nfourth@example.com\n")
        (self.folder / "tmp").mkdir()
        self._patch.setattr(tempfile, "tempdir", str(self.folder / "tmp"))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @functools.lru_cache  # noqa: B019
    def plain(self, name: str) -> tuple[State, Seen]:
        """What there was before a command, and what it does without a fault."""
        bucket = new_bucket(self.emulator, empty=COMMANDS[name].empty)
        before = bucket.state()
        self.proxy.begin()
        seen = self._called(COMMANDS[name], bucket)
        assert seen.answer.code == 0, seen.answer
        return before, seen

    def numbers(self, name: str, fault: WireFault) -> list[int]:
        """The requests of a command, from 1, that have what the fault damages."""
        passed = self.plain(name)[1].requests
        return [at for at, each in enumerate(passed, 1) if fault.concerns(each)]

    def sampled(self, name: str, kind: str, most: int) -> list[int]:
        """At most so many of the requests that a kind of fault is tried at, evenly spread."""
        numbers = self.numbers(name, KINDS[kind])
        step = max(1, -(-len(numbers) // most))
        return numbers[len(kind) % step :: step]

    def failures(self, name: str, kind: str, at: int) -> list[str]:
        """What is untrue or left behind after the command met the fault at a request."""
        fault = KINDS[kind]
        command = COMMANDS[name]
        before, plain = self.plain(name)
        bucket = new_bucket(self.emulator, empty=command.empty)
        other = bucket.configure_other if command.configures else bucket.publish_other
        self.proxy.meanwhile = other
        self.proxy.begin(fault, at, 2 if "twice" in kind else 1)
        seen = self._called(command, bucket)
        found = list(_general(seen))
        if fault.meanwhile:
            found += _beside_another(command, bucket, seen, before)
        else:
            found += _alone(command, seen, before, plain)
        bucket.drop()
        return found

    def _called(self, command: Command, bucket: Bucket) -> Seen:
        try:
            answer = command.call(self, bucket)
        except Exception as error:
            answer = Answer(99, "", f"Traceback: {type(error).__name__}: {error}")
        temporary = self.folder / "tmp"
        left = [path.name for path in temporary.iterdir()]
        for path in temporary.iterdir():
            path.rename(self.folder / f"left-{bucket.name}-{path.name}")
        return Seen(answer, bucket.state(), self.proxy.passed, left)


def _general(seen: Seen) -> list[str]:
    """What is wrong whatever the fault was."""
    err, state = seen.answer.err, seen.state
    found = [f"the message shows {each!r}: {err[:300]}" for each in _RAW if each in err]
    if "unknown" in err:
        found.append(f"the outcome could be read: {err[:300]}")
    if layout.lease(ORG) in state.names and "lease" not in err:
        found.append("the lease is left, and no warning says so")
    if seen.left:
        found.append(f"left in the temporary folder: {seen.left}")
    if len(set(state.numbers())) != len(state.chain):
        found.append(f"numbers of the chain: {state.numbers()}")
    return found


def _alone(command: Command, seen: Seen, before: State, plain: Seen) -> list[str]:
    """What is wrong where one transient fault is all that happened."""
    found = []
    if seen.answer.code != 0:
        same = "as before" if seen.state.plain == before.plain else "changed"
        found.append(f"exit code {seen.answer.code}, state {same}: {seen.answer.err[:300]}")
    if seen.state.plain != plain.state.plain:
        found.append("the state is not that after the command without a fault")
    reads = command.effect is None and not command.configures
    if reads and seen.answer.code == 0 and masked(seen.answer.out) != masked(plain.answer.out):
        found.append(f"other output: {seen.answer.out[:200]}")
    return found


def _beside_another(command: Command, bucket: Bucket, seen: Seen, before: State) -> list[str]:
    """What is wrong where another writer acted before a lost answer could be read back."""
    code, err = seen.answer.code, seen.answer.err
    found = []
    if command.configures:
        happened = command.empty or len(seen.state.configs) > len(before.configs) + 1
    elif command.effect:
        happened = bucket.number(command.effect) == 1
        theirs = f"SELECT count(*) FROM suppressions WHERE email = '{OTHER}'"
        if not command.leaves and bucket.number(theirs) != 1:
            found.append("the version of the other writer is lost")
    else:
        happened = True
    if (code == 0) != happened:
        found.append(f"exit code {code}, the effect is {'' if happened else 'not '}there: {err}")
    return found


def _steps(matrix: Matrix, bucket: Bucket, message: Message) -> Answer:
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


def _collection(matrix: Matrix, bucket: Bucket) -> Answer:
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
    def call(matrix: Matrix, bucket: Bucket) -> Answer:
        files = {"@pushed": matrix.pushed, "@marks": matrix.marks}
        files |= {"@targets": matrix.targets, "@addresses": matrix.addresses}
        given = [files.get(str(each), each) for each in arguments]
        return almanac(*given, *where, "--store", bucket.url)

    return call


def _pull(matrix: Matrix, bucket: Bucket) -> Answer:
    out = matrix.folder / f"{bucket.name}.sqlite3"
    answer = almanac("store", "pull", ORG, "--out", out, "--store", bucket.url)
    fetched = out.read_bytes() if out.exists() else b""
    out.unlink(missing_ok=True)
    if answer.code == 0 and fetched != bucket.read(bucket.state().chain[0]):
        versions = [bucket.read(path) for path in bucket.state().chain]
        if fetched not in versions:
            return Answer(98, answer.out, "what was pulled is no version")
    return Answer(answer.code, answer.out, answer.err)


_ENDED = "SELECT count(*) FROM suppressions WHERE email='third@example.com' AND until IS NOT NULL"
_WITHOUT = "SELECT NOT EXISTS (SELECT 1 FROM suppressions WHERE email = 'third@example.com')"
_SUPPRESSED = "SELECT count(*) FROM suppressions WHERE email = '{}@example.com'"

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
    "undo": Command(_cli("undo"), _WITHOUT),
    "due": Command(_cli("due", "--on", TODAY)),
    "day": Command(_cli("day")),
    "explain": Command(_cli("explain", "--contact", 1)),
    "mark": Command(
        _cli("mark", "@marks"),
        "SELECT count(*) FROM email_schedules WHERE id = 1 AND status = 'processing'",
    ),
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
        _cli("campaign", "import", 3, "@targets"),
        "SELECT count(*) FROM contact_campaigns WHERE campaign_instance_id = 3",
    ),
    "suppression add": Command(
        _cli("suppression", "add", "--email", "fourth@example.com"), _SUPPRESSED.format("fourth")
    ),
    "suppression end": Command(_cli("suppression", "end", "--email", "third@example.com"), _ENDED),
    "suppression import": Command(
        _cli("suppression", "import", "@addresses"), _SUPPRESSED.format("fourth")
    ),
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
