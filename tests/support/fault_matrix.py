"""The matrix of commands on a store by kinds of fault: what a command does at the n-th request."""

from __future__ import annotations

import functools
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from almanac.storage import layout
from almanac.storage.cloud import CloudStore
from almanac_emulation.cloud_storage.emulator import StorageEmulator
from tests.support.cli_calls import Answer
from tests.support.fault_commands import COMMANDS, Command, Files
from tests.support.fault_proxy import FaultProxy, Passed, WireFault
from tests.support.matrix_store import ORG, OTHER, Bucket, State, masked, new_bucket, prepare

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
        self._files = Files.written(self.folder, prepare(self.emulator, self.folder))
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
            answer = command.call(self._files, bucket)
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
    reads = not (command.effect or command.waits or command.configures)
    if reads and seen.answer.code == 0 and masked(seen.answer.out) != masked(plain.answer.out):
        found.append(f"other output: {seen.answer.out[:200]}")
    return found


def _beside_another(command: Command, bucket: Bucket, seen: Seen, before: State) -> list[str]:
    """What is wrong where another writer acted before a lost answer could be read back."""
    code, err = seen.answer.code, seen.answer.err
    if command.takes_back and f"(run {bucket.run_of_other})." in " ".join(seen.answer.out.split()):
        # it was current before the command looked
        return [] if seen.state.plain == before.plain else ["more than their version is undone"]
    found = []
    if command.configures:
        happened = command.empty or len(seen.state.configs) > len(before.configs) + 1
    elif command.waits:
        happened = "".join(seen.state.inbox).count(command.waits) == 1
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
