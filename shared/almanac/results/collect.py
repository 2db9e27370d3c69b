"""What `almanac results` reads of a database, in this process or in worker processes.

A worker process begins by importing this module, which therefore imports little.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import ContactRange
from almanac.database.columnar import coded
from almanac.database.opening import live_uri
from almanac.database.result_rows import ResultRows
from almanac.errors import AlmanacError
from almanac.frames import Codes, Days, Ids, Small
from almanac.joins import distinct_values
from almanac.planning.contact_states import states_of
from almanac.processes import worker_pool
from almanac.progress import Progress

WORKERS = 2
CONTACTS = 500_000  # read at a time
ROWS = 500_000
_HIGHEST = np.iinfo(np.int32).max


class Asked(NamedTuple):
    """What is to be read."""

    first: str  # ISO date: of planned messages the first
    last: str
    settings: ContactColumns
    carriers: bool  # whether the carriers of contacts are needed
    reasons: tuple[str, ...]  # of suppressions by which a contact unsubscribes
    listed: tuple[int, ...]  # campaign instances whose targets are needed


class People(NamedTuple):
    """Contacts by id."""

    ids: Ids
    states: Small  # index into USPS_STATES, -1 unknown
    carriers: pa.Array  # as they are; null where they are not needed


class MessageRows(NamedTuple):
    """Messages in table order."""

    ids: Ids  # of a part of them with 32 bits, as the contacts, where they fit
    contacts: Ids  # 0 where the row names none
    kind: Codes  # index into kinds
    kinds: list[str]  # the PARTS of each


@dataclass(frozen=True)
class ContactActivity:
    """What contacts did, row by row."""

    contact: Ids  # 0 where the row names none
    day: Days  # NO_DAY for a time that cannot be read
    named: Ids  # the message that its metadata names; 0 for none, -1 for what is none


def activity_of(table: pa.Table) -> ContactActivity:
    """Return the rows of a table with contact_id, at and named."""
    return ContactActivity(
        table["contact_id"].to_numpy(), civil.parse_times(table["at"]), table["named"].to_numpy()
    )


@dataclass(frozen=True)
class Collected:
    """The rows that results are counted from, by the schemas of `database.result_rows`."""

    messages: MessageRows
    people: People
    clicks: ContactActivity
    answers: pa.Table
    complaints: Ids  # the messages, each once; 0 where the mark names none
    unsubscribed: pa.Table
    addressed: pa.Table
    targeted: pa.Table


Call = tuple[str, tuple[Any, ...]]  # a method of _ResultReader, and its arguments
# the results of calls, in order
Run = Callable[[Sequence[Call]], Iterable[Any]]


class _ResultReader:
    """Answers calls about one database."""

    def __init__(self, rows: ResultRows, asked: Asked) -> None:
        self._rows, self._asked = rows, asked

    def messages(self, first: int, last: int) -> MessageRows:
        asked = self._asked
        table = self._rows.messages(ContactRange(first, last), asked.first, asked.last)
        kinds, kind = coded(table["kind"])
        ids, contacts = table["id"].to_numpy(), table["contact_id"].to_numpy()
        return MessageRows(_small(ids), _small(contacts), kind, kinds)

    def people(self, first: int, last: int) -> People:
        asked = self._asked
        table = self._rows.people(ContactRange(first, last), asked.settings, asked.carriers)
        carriers = pa.nulls(len(table), pa.string()).dictionary_encode()
        if asked.carriers:
            carriers = table["carrier"].combine_chunks()
        return People(table["id"].to_numpy(), states_of(table).astype(np.int8), carriers)

    def clicks(self) -> ContactActivity:
        return activity_of(self._rows.clicks())

    def answers(self) -> pa.Table:
        return self._rows.answers()

    def complaints(self, first: int, last: int) -> Ids:
        found: Ids = self._rows.complaints(ContactRange(first, last))["schedule_id"].to_numpy()
        return found

    def unsubscribed(self) -> pa.Table:
        return self._rows.unsubscribed(self._asked.reasons)

    def addressed(self) -> pa.Table:
        return self._rows.addressed(self._asked.reasons, self._asked.settings)

    def targeted(self) -> pa.Table:
        return self._rows.targeted(self._asked.listed)


def _small(ids: Ids) -> Ids:
    """Return the ids with half as many bits where they fit: they go to another process."""
    kind: Any = np.int32 if int(np.abs(ids).max(initial=0)) <= _HIGHEST else np.int64
    small: Ids = ids.astype(kind, copy=False)
    return small


def collect(rows: ResultRows, asked: Asked, progress: Progress) -> Collected:
    """Read a database that does not change meanwhile."""
    reader = _ResultReader(rows, asked)
    calls = _calls(rows, asked)
    return _collected(calls, (getattr(reader, name)(*values) for name, values in calls), progress)


def collect_live(path: Path, rows: ResultRows, asked: Asked, progress: Progress) -> Collected:
    """Read a file that the caller holds open, by worker processes.

    It is consistent if no program wrote to it meanwhile; the caller checks that.
    """
    calls, uri = _calls(rows, asked), live_uri(path)
    with worker_pool(WORKERS, warm_up) as pool:
        try:
            return _collected(
                calls, pool.map(functools.partial(answer, path, uri, asked), calls), progress
            )
        except BrokenProcessPool as error:
            raise AlmanacError(
                f"{path}: a worker process that read it ended unexpectedly, perhaps for lack of "
                "memory"
            ) from error


def _calls(rows: ResultRows, asked: Asked) -> list[Call]:
    """Return all calls; those that take long come first."""
    return [
        ("addressed", ()),
        *(("messages", tuple(each)) for each in rows.row_ranges(ROWS)),
        *(("people", tuple(each)) for each in rows.contact_ranges(CONTACTS, asked.settings)),
        *(("complaints", tuple(each)) for each in rows.mark_ranges()),
        *((name, ()) for name in ("clicks", "answers", "unsubscribed", "targeted")),
    ]


def _collected(calls: Sequence[Call], results: Iterable[Any], progress: Progress) -> Collected:
    found: dict[str, list[Any]] = {"messages": [], "people": []}
    for done, ((name, _), result) in enumerate(zip(calls, results, strict=True)):
        progress("messages", done, len(calls))
        found.setdefault(name, []).append(result)
    progress("messages", len(calls), len(calls))
    people = [People(np.empty(0, np.int64), np.empty(0, np.int8), _NO_CARRIERS), *found["people"]]
    carriers = pa.chunked_array([each.carriers for each in people])
    single = ("clicks", "answers", "unsubscribed", "addressed", "targeted")
    return Collected(
        messages=_all_messages(found["messages"]),
        people=People(
            np.concatenate([each.ids for each in people]),
            np.concatenate([each.states for each in people]),
            carriers.unify_dictionaries().combine_chunks(),
        ),
        complaints=distinct_values(np.concatenate(found["complaints"])),
        **{name: found[name][0] for name in single},
    )


def _all_messages(parts: Sequence[MessageRows]) -> MessageRows:
    index: dict[str, int] = {}
    kinds: list[Codes] = [np.empty(0, np.int32)]
    for part in parts:
        codes = [index.setdefault(each, len(index)) for each in part.kinds]
        kinds.append(np.array(codes, np.int32)[part.kind])
    ids, contacts = ([np.empty(0, np.int64)] for _ in range(2))
    ids += [part.ids for part in parts]
    contacts += [part.contacts for part in parts]
    return MessageRows(
        np.concatenate(ids), np.concatenate(contacts), np.concatenate(kinds), list(index)
    )


_NO_CARRIERS = pa.array([], pa.string()).dictionary_encode()


def warm_up() -> None:
    """Do nothing: to import this module is what takes time in a new process."""


def answer(path: Path, uri: str, asked: Asked, call: Call) -> Any:
    """Return the result of a call, in a worker process."""
    name, values = call
    return getattr(_ResultReader(_opened(path, uri), asked), name)(*values)


@functools.lru_cache(maxsize=1)
def _opened(path: Path, uri: str) -> ResultRows:
    return ResultRows.of_live(path, uri)
