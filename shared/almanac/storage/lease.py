"""At most one run per organization: the lease.

The lease keeps two runs from doing the same work; it does not protect the data. A holder whose
lease expires while it works does no harm: current.json is replaced by compare-and-swap.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import AwareDatetime

from almanac.errors import LeaseTaken, NotFound, OutcomeUnknown, PreconditionFailed
from almanac.names import check_run_id
from almanac.storage import layout
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.store import LOST_ANSWERS, ObjectStore, reading_back

_TRIES = 10  # attempts: conflicts with other deliveries of the same run


class LeaseDocument(Document):
    """lease.json. dead_runs: the runs whose lease was taken over and whose end is not recorded.

    merging_until: until then the holder is the only delivery of the run that may merge it.
    """

    run_id: str
    holder: str
    expires_at: AwareDatetime
    merging_until: AwareDatetime | None = None
    dead_runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """The run may work until expires_at. dead_runs: the caller records their ends."""

    org: str
    run_id: str
    holder: str
    expires_at: dt.datetime
    dead_runs: tuple[str, ...] = ()


def acquire(
    store: ObjectStore,
    org: str,
    run_id: str,
    holder: str,
    now: dt.datetime,
    seconds: int,
    has_ended: Callable[[str], bool] = lambda run_id: False,
) -> Lease:
    """Take the organization's lease for the run, or extend the lease that it has.

    A lease is taken over if it has expired, or if its run has_ended (it took the lease again, or
    died before it released it). The other run's id is then in dead_runs, also if this delivery
    dies and the next one of the same run takes the lease again. holder: who works, for operators.
    Raises LeaseTaken, TransientError, OutcomeUnknown.
    """
    check_run_id(run_id)

    def mine(there: LeaseDocument | None) -> LeaseDocument:
        dead = there.dead_runs if there else ()
        merging: tuple[str, dt.datetime | None] = (holder, None)
        if there and there.run_id == run_id:
            merging = (there.holder, there.merging_until)  # of another delivery, which merges
        elif there:
            if there.expires_at > now and not has_ended(there.run_id):
                raise LeaseTaken(_taken(org, there))
            dead = (*(each for each in dead if each != run_id), there.run_id)
        return LeaseDocument(
            run_id=run_id,
            holder=merging[0] if merging[1] else holder,
            expires_at=now + dt.timedelta(seconds=seconds),
            merging_until=merging[1],
            dead_runs=dead,
        )

    written = _swap(store, org, mine)
    return Lease(org, run_id, holder, written.expires_at, written.dead_runs)


def close_dead_runs(store: ObjectStore, lease: Lease) -> None:
    """Record that the ends of the dead runs are recorded.

    Raises LeaseTaken if the lease is no longer the run's, OutcomeUnknown.
    """
    _swap(store, lease.org, lambda there: _held(lease, there).model_copy(update={"dead_runs": ()}))


def claim_merge(
    store: ObjectStore, lease: Lease, now: dt.datetime, *, seconds: int, merge_seconds: int
) -> Lease:
    """Claim the merge of the run for one delivery for merge_seconds, or extend the claim.

    The claim saves work and memory when the last ShardDone messages arrive together. Raises
    LeaseTaken if the lease is no longer the run's or another holder merges, OutcomeUnknown.
    """

    def mine(there: LeaseDocument | None) -> LeaseDocument:
        held = _held(lease, there)
        if held.holder != lease.holder and held.merging_until and held.merging_until > now:
            raise LeaseTaken(f"organization {lease.org}: {held.holder} merges run {lease.run_id}")
        return LeaseDocument(
            run_id=lease.run_id,
            holder=lease.holder,
            expires_at=now + dt.timedelta(seconds=max(seconds, merge_seconds)),
            merging_until=now + dt.timedelta(seconds=merge_seconds),
            dead_runs=held.dead_runs,
        )

    written = _swap(store, lease.org, mine)
    return Lease(lease.org, lease.run_id, lease.holder, written.expires_at, written.dead_runs)


def end_merge(store: ObjectStore, lease: Lease) -> None:
    """Release the claim before it expires, so that the next delivery need not wait."""

    def mine(there: LeaseDocument | None) -> LeaseDocument:
        held = _held(lease, there)
        mine = held.holder == lease.holder
        return held.model_copy(update={"merging_until": None}) if mine else held

    _swap(store, lease.org, mine)


def _held(lease: Lease, there: LeaseDocument | None) -> LeaseDocument:
    if there is None:
        raise LeaseTaken(f"organization {lease.org}: run {lease.run_id} has lost its lease")
    if there.run_id != lease.run_id:
        raise LeaseTaken(_taken(lease.org, there))
    return there


def _swap(
    store: ObjectStore, org: str, change: Callable[[LeaseDocument | None], LeaseDocument]
) -> LeaseDocument:
    """Replace the lease by what change makes of it, by compare-and-swap."""
    lost: list[OutcomeUnknown] = []
    for _ in range(_TRIES):
        found = _read(store, org, lost)
        wanted = change(found[0] if found else None)
        if found and found[0] == wanted:
            return wanted
        _check_lost(lost)
        try:
            store.write(layout.lease(org), to_json(wanted), if_generation=found[1] if found else 0)
        except PreconditionFailed:
            continue
        except OutcomeUnknown as error:
            lost.append(error)
            continue
        return wanted
    raise LeaseTaken(f"organization {org}: its lease keeps changing hands")


def release(store: ObjectStore, org: str, run_id: str) -> None:
    """Release the lease if it is the run's; idempotent. Raises TransientError, OutcomeUnknown."""
    lost: list[OutcomeUnknown] = []
    for _ in range(_TRIES):
        found = _read(store, org, lost)
        if found is None or found[0].run_id != run_id:
            return
        _check_lost(lost)
        try:
            store.delete(layout.lease(org), if_generation=found[1])
            return
        except NotFound:
            return
        except PreconditionFailed:
            continue  # another delivery of this run extended it, or another run took it over
        except OutcomeUnknown as error:
            lost.append(error)
    raise LeaseTaken(f"organization {org}: its lease keeps changing hands")


def _read(
    store: ObjectStore, org: str, lost: list[OutcomeUnknown]
) -> tuple[LeaseDocument, int] | None:
    """Return the lease and its generation; what was lost stays unknown if there is no answer."""
    with reading_back(lost[-1] if lost else None):
        return read_document(store, layout.lease(org), LeaseDocument)


def _check_lost(lost: list[OutcomeUnknown]) -> None:
    """Raise TransientError if the answers to several attempts were lost, none of which happened."""
    if len(lost) >= LOST_ANSWERS:
        raise lost[-1].as_not_written() from lost[-1]


def _taken(org: str, there: LeaseDocument) -> str:
    until = there.expires_at.astimezone(dt.UTC).isoformat(timespec="seconds")
    return f"organization {org}: run {there.run_id} ({there.holder}) holds the lease until {until}"
