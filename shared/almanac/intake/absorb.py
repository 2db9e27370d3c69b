"""Absorb events: apply what waits to a database, each event once, in one transaction.

Kinds are applied one after the other, so that what an entry refers to is there whatever order it
came in: contacts, campaigns and targets, then what happened to them. Within a kind entries are
applied by publish time.
"""

from __future__ import annotations

import datetime as dt
import gc
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import apsw
import numpy as np

from almanac.config import Config
from almanac.database import intake_log
from almanac.database.contact_lookup import KnownAddresses
from almanac.database.intake_log import LoggedEvent
from almanac.email_address import clean_address
from almanac.errors import DatabaseError, RequestError
from almanac.frames import Ids
from almanac.intake import activity, contacts, deliveries, suppressions
from almanac.intake.applied import Absorption, Applied, Applier, utc_text
from almanac.intake.entries import IntakeEntry
from almanac.intake.events import EVENTS, MAX_ENTRIES, IntakeEvent, RefusedEntry, entries_of
from almanac.intake.inbox import Received, in_order
from almanac.intake.parts import check_transaction
from almanac.json_text import json_text

ALL = frozenset(EVENTS)
Step = Callable[[], AbstractContextManager[object]]


def _apply_campaigns(
    connection: apsw.Connection, entries: Sequence[tuple[int, Any]], absorption: Absorption
) -> Applied:
    from almanac.intake import campaigns  # `due`, which applies none, starts sooner

    return campaigns.apply(connection, entries, absorption)


def _apply_targets(
    connection: apsw.Connection, entries: Sequence[tuple[int, Any]], absorption: Absorption
) -> Applied:
    from almanac.intake import targets

    return targets.apply(connection, entries, absorption)


# in the order in which they are applied; events of a kind that is missing here wait
APPLIERS: Mapping[str, Applier] = {
    "contacts": contacts.apply,
    "campaigns": _apply_campaigns,
    "targets": _apply_targets,
    "activity": activity.apply,
    "deliveries": deliveries.apply,
    "suppressions": suppressions.apply,
}


@dataclass(frozen=True)
class Absorbed:
    """What became of events."""

    events: Mapping[str, int]  # that were applied, by kind
    entries: Mapping[str, int]  # of them, those that were valid, by kind
    refused: int  # entries; an event that is refused as a whole counts as one
    known: Mapping[str, Set[str]]  # the digests that intake_log has now, by id of a given event
    refusals: Sequence[tuple[str, RefusedEntry]] = ()  # what was refused now, by event id
    committed: int = 0  # rows of the sender that there are more now; those put back among them
    pre_scheduled: int = 0  # Status.PRE_SCHEDULED rows that there are fewer now
    skipped: int = 0  # Status.SKIPPED rows that there are fewer now
    contacts_added: int = 0
    # whose plan events with `replan` may change, and the campaigns that they define
    replan_contacts: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    changed_instances: Ids = field(default_factory=lambda: np.empty(0, np.int64))


_NAMING = {"contacts", "targets", "activity"}  # kinds whose entries name contacts by address
STEP_EVENTS = 100  # whose marks are in memory together


def steps_of(received: Sequence[Received]) -> list[tuple[Sequence[Received], Collection[str]]]:
    """Return what to absorb one after the other, with the kinds: some deliveries at a time.

    Together that comes to the same as `absorb` of all kinds at once.
    """
    marks = [each for each in in_order(received) if each.kind == "deliveries"]
    if len(marks) <= STEP_EVENTS:
        return [(received, ALL)]
    kinds = list(APPLIERS)
    at = kinds.index("deliveries")
    return [
        (received, kinds[:at]),
        *(
            (marks[n : n + STEP_EVENTS], kinds[at : at + 1])
            for n in range(0, len(marks), STEP_EVENTS)
        ),
        (received, kinds[at + 1 :]),
    ]


def combined(steps: Sequence[Absorbed]) -> Absorbed:
    """Return what became of events that were absorbed in steps."""
    none = np.empty(0, np.int64)
    known: dict[str, set[str]] = {}
    for event_id, digests in (pair for each in steps for pair in each.known.items()):
        known.setdefault(event_id, set()).update(digests)
    return Absorbed(
        events=sum((Counter(each.events) for each in steps), Counter()),
        entries=sum((Counter(each.entries) for each in steps), Counter()),
        refused=sum(each.refused for each in steps),
        known=known,
        refusals=[refusal for each in steps for refusal in each.refusals],
        committed=sum(each.committed for each in steps),
        pre_scheduled=sum(each.pre_scheduled for each in steps),
        skipped=sum(each.skipped for each in steps),
        contacts_added=sum(each.contacts_added for each in steps),
        replan_contacts=np.unique(np.concatenate([none, *(s.replan_contacts for s in steps)])),
        changed_instances=np.unique(np.concatenate([none, *(s.changed_instances for s in steps)])),
    )


def absorb(
    connection: apsw.Connection,
    received: Sequence[Received],
    config: Config,
    now: dt.datetime,
    applied_by: str,
    *,
    kinds: Collection[str] = ALL,
    step: Step = nullcontext,
) -> Absorbed:
    """Apply events of some kinds, inside the caller's transaction, and log them.

    An event that the database has is left out, and so is one of another kind, which waits. A wrong
    entry is refused and logged with the reason; what is wrong with an event never raises.

    step: the context of each part of the work, such as a transaction of its own, where all of them
    are kept or none: the journal stays small.
    """
    with without_collection():
        return _absorb(connection, received, Absorption(config, now, applied_by, []), kinds, step)


def _absorb(
    connection: apsw.Connection,
    received: Sequence[Received],
    absorption: Absorption,
    kinds: Collection[str],
    step: Step,
) -> Absorbed:
    with step():
        intake_log.prepare(connection)
    known = intake_log.logged(connection, {each.event_id for each in received})
    taken: list[_Taken] = []
    for each in in_order(received):
        if each.kind not in kinds or each.kind not in APPLIERS:
            continue
        digests = known.setdefault(each.event_id, set())
        if each.content_digest not in digests:
            taken.append(_Taken(each, another_has_its_id=bool(digests)))
            digests.add(each.content_digest)
    valid = [each for each in taken if each.event is not None]
    events = [(each.received, each.event) for each in valid if each.event is not None]
    absorption = replace(absorption, events=events)
    entries: dict[str, list[tuple[int, Any]]] = {}
    for number, one in enumerate(valid):
        found = ((number * MAX_ENTRIES + index, entry) for index, entry in one.entries)
        entries.setdefault(one.received.kind, []).extend(found)
    absorption = replace(absorption, addresses=KnownAddresses(_addresses(valid)))
    results = []
    for kind, apply in APPLIERS.items():
        given = entries.get(kind, [])
        for part in deliveries.in_steps(given) if kind == "deliveries" else filter(None, [given]):
            with step():
                results.append(_applied(apply, connection, part, absorption))
    for result in results:
        for refused in result.refused:
            number, index = divmod(refused.index or 0, MAX_ENTRIES)
            valid[number].refused.append(RefusedEntry(index, refused.why))
    log = (each.logged(absorption) for each in taken)
    with step():
        intake_log.record(connection, log, absorption.now)
    return _absorbed(taken, results, absorption, known)


def _addresses(taken: Sequence[_Taken]) -> Iterator[str]:
    """Yield the addresses by which entries may name contacts, as they are compared."""
    for each in taken:
        kind = each.received.kind
        if kind in _NAMING or (kind == "suppressions" and each.event and each.event.replan):
            for _, entry in each.entries:
                if text := getattr(entry, "email", None):
                    yield from {text.lower(), clean_address(text).lower()}


class _Taken:
    """An event that is applied now, or refused as a whole."""

    def __init__(self, received: Received, *, another_has_its_id: bool) -> None:
        self.received = received
        self.event: IntakeEvent | None = None
        self.entries: list[tuple[int, IntakeEntry]] = []
        self.refused: list[RefusedEntry] = []
        try:
            if another_has_its_id:
                raise RequestError("event_id: an event with other content has it already")
            self.event = received.parsed()
            self.entries, self.refused = entries_of(self.event)
        except RequestError as error:
            self.refused = [RefusedEntry(None, str(error))]

    def logged(self, absorption: Absorption) -> LoggedEvent:
        """Return the row of intake_log."""
        refused = sorted(self.refused, key=lambda each: each.index or 0)
        return LoggedEvent(
            event_id=self.received.event_id,
            kind=self.received.kind,
            digest=self.received.content_digest,
            received=utc_text(self.received.received),
            applied_at=absorption.timestamp,
            applied_by=absorption.applied_by,
            entries=len(self.event.entries) if self.event else 0,
            refused=json_text([asdict(each) for each in refused]) if refused else "",
        )


def _applied(
    apply: Applier,
    connection: apsw.Connection,
    entries: Sequence[tuple[int, Any]],
    absorption: Absorption,
) -> Applied:
    """Apply entries of a kind; all are refused where a table of theirs cannot be written.

    Raises DatabaseError if a trigger has ended the transaction.
    """
    try:
        with connection:  # a savepoint
            result = apply(connection, entries, absorption)
    except (DatabaseError, apsw.Error) as error:
        check_transaction(connection, error)
        absorption.addresses.forget()
        if not isinstance(error, DatabaseError | apsw.ConstraintError):
            raise
        result = Applied([RefusedEntry(number, str(error)) for number, _ in entries])
    return result


@contextmanager
def without_collection() -> Iterator[None]:
    """Turn the search for reference cycles off: it would walk all entries again and again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _absorbed(
    taken: Sequence[_Taken],
    results: Sequence[Applied],
    absorption: Absorption,
    known: Mapping[str, Set[str]],
) -> Absorbed:
    events, entries = Counter[str](), Counter[str]()
    for each in taken:
        if each.event is not None:
            events[each.received.kind] += 1
            entries[each.received.kind] += len(each.event.entries) - len(each.refused)
    return Absorbed(
        events=events,
        entries=entries,
        refused=sum(len(each.refused) for each in taken),
        known=known,
        refusals=[(each.received.event_id, refused) for each in taken for refused in each.refused],
        committed=sum(each.committed for each in results),
        pre_scheduled=sum(each.pre_scheduled for each in results),
        skipped=sum(each.skipped for each in results),
        contacts_added=sum(each.contacts_added for each in results),
        replan_contacts=_replanned([each.affected for each in results], absorption),
        changed_instances=_replanned([each.instances for each in results], absorption),
    )


def _replanned(pairs: Sequence[Ids], absorption: Absorption) -> Ids:
    """Return the ids, ascending, that entries of events with `replan` affect."""
    found = np.concatenate([np.empty((0, 2), np.int64), *pairs])
    replan = np.array([event.replan for _, event in absorption.events], bool)
    return np.unique(found[replan[found[:, 0] // MAX_ENTRIES], 1])
