"""At most one run per organization: the lease.

The lease keeps two runs from doing the same work; it does not protect the data. A holder whose
lease ran out while it still works cannot harm: current.json is swung by compare-and-swap.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pydantic import AwareDatetime

from almanac.errors import LeaseTaken, NotFound, OutcomeUnknown, PreconditionFailed
from almanac.names import check_run_id
from almanac.storage import layout
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.store import ObjectStore

_TRIES = 10  # conflicts with other deliveries of the same run, and lost answers


class LeaseDocument(Document):
    """lease.json. dead_runs: the runs whose lease was taken over and that nobody closed since."""

    run_id: str
    holder: str
    expires_at: AwareDatetime
    dead_runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """The run may work until expires_at. dead_runs: to be marked as failed by the caller."""

    org: str
    run_id: str
    holder: str
    expires_at: dt.datetime
    dead_runs: tuple[str, ...] = ()


def acquire(
    store: ObjectStore, org: str, run_id: str, holder: str, now: dt.datetime, seconds: int
) -> Lease:
    """Take the organization's lease for the run; a run that has it already has it anew.

    An expired lease is taken over; the dead run's id is in dead_runs then, also if this
    delivery dies and the next one of the same run enters again. holder says who works, for
    people. Raises LeaseTaken, OutcomeUnknown.
    """
    check_run_id(run_id)
    name = layout.lease(org)
    lost: OutcomeUnknown | None = None
    for _ in range(_TRIES):
        found = read_document(store, name, LeaseDocument)
        dead: tuple[str, ...] = ()
        if found:
            there = found[0]
            dead = there.dead_runs
            if there.run_id != run_id:
                if there.expires_at > now:
                    raise LeaseTaken(_taken(org, there))
                dead = (*(each for each in dead if each != run_id), there.run_id)
        mine = LeaseDocument(
            run_id=run_id,
            holder=holder,
            expires_at=now + dt.timedelta(seconds=seconds),
            dead_runs=dead,
        )
        try:
            store.write(name, to_json(mine), if_generation=found[1] if found else 0)
        except PreconditionFailed:
            continue
        except OutcomeUnknown as error:
            lost = error
            continue
        return Lease(org, run_id, holder, mine.expires_at, dead)
    raise lost or LeaseTaken(f"organization {org}: its lease keeps changing hands")


def renew(store: ObjectStore, lease: Lease, now: dt.datetime, seconds: int) -> Lease:
    """Hold the lease for longer, with no dead runs left to mark.

    Raises LeaseTaken if it is no longer the run's (taken over, or released by another
    delivery of the run), OutcomeUnknown.
    """
    name = layout.lease(lease.org)
    lost: OutcomeUnknown | None = None
    for _ in range(_TRIES):
        found = read_document(store, name, LeaseDocument)
        if found is None:
            raise LeaseTaken(f"organization {lease.org}: run {lease.run_id} has no lease any more")
        if found[0].run_id != lease.run_id:
            raise LeaseTaken(_taken(lease.org, found[0]))
        expires_at = now + dt.timedelta(seconds=seconds)
        mine = LeaseDocument(run_id=lease.run_id, holder=lease.holder, expires_at=expires_at)
        try:
            store.write(name, to_json(mine), if_generation=found[1])
        except PreconditionFailed:
            continue
        except OutcomeUnknown as error:
            lost = error
            continue
        return Lease(lease.org, lease.run_id, lease.holder, expires_at)
    raise lost or LeaseTaken(f"organization {lease.org}: its lease keeps changing hands")


def release(store: ObjectStore, org: str, run_id: str) -> None:
    """Give the lease back, if it is the run's; again and again does no harm."""
    name = layout.lease(org)
    lost: OutcomeUnknown | None = None
    for _ in range(_TRIES):
        found = read_document(store, name, LeaseDocument)
        if found is None or found[0].run_id != run_id:
            return
        try:
            store.delete(name, if_generation=found[1])
            return
        except NotFound:
            return
        except PreconditionFailed:
            continue  # another delivery of this run has entered again, or somebody took over
        except OutcomeUnknown as error:
            lost = error
    raise lost or LeaseTaken(f"organization {org}: its lease keeps changing hands")


def _taken(org: str, there: LeaseDocument) -> str:
    until = there.expires_at.astimezone(dt.UTC).isoformat(timespec="seconds")
    return f"organization {org}: run {there.run_id} ({there.holder}) holds the lease until {until}"
