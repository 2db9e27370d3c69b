"""Before a run is planned: apply the events that wait in the inbox to its snapshot.

The version stays in the store; the events are applied to a private view of it, and only the pages
that they change become objects of the run (`organizations/changed_snapshots.py`). So one version
has both the events and the plan made from them, and a run that fails or is superseded applies
nothing. The merge looks for deliveries once more, in its own transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import numpy as np

from almanac.database.blocks import CACHE_BYTES, Blocks, block_bytes
from almanac.database.catalog import scalar
from almanac.database.census import Census, with_new_contacts
from almanac.database.change_sets.rows import record_changes
from almanac.database.changed_contacts import ChangedContacts
from almanac.database.changed_pages import View, changed_view
from almanac.database.intake_log import logged
from almanac.database.opening import map_errors, transaction
from almanac.errors import AlmanacError, NotFound, PreconditionFailed, SnapshotMoved
from almanac.frames import Ids
from almanac.logs import clean, get_log
from almanac.organizations.carried_rows import most_changed
from almanac.organizations.changed_snapshots import AbsorbedEvents, read_change, store_change
from almanac.organizations.snapshots import SnapshotRef, located
from almanac.report.events import EXAMPLES, RefusedExample, RunEvents
from almanac.runs.plan import PlanRequest, Replan
from almanac.runs.run_plan import RunPlan
from almanac.runs.services import Services
from almanac.storage import layout
from almanac.storage.block_checksums import VerifiedRanges
from almanac.storage.store import ObjectInfo, ObjectStore
from almanac.storage.versions import Manifest
from almanac.tracing import note, traced
from almanac.workspaces import workspace

if TYPE_CHECKING:  # a run for which nothing waits needs none of it
    from almanac.intake.absorb import Absorbed
    from almanac.intake.inbox import Batches, Received

# A change set is recorded in memory; a run that changes more goes without one.
CHANGES_BYTES = 64 << 20
NEW_TABLES = "tables, columns or indexes were added, which it cannot express"
TOO_LARGE = "it is too large"
LATE = frozenset({"deliveries"})
LATE_OBJECTS = "late_objects"  # in a manifest


@dataclass(frozen=True)
class Start:
    """What a run is planned on. absorbed: None if no event was applied to the snapshot for it."""

    snapshot: SnapshotRef
    census: Census | None
    absorbed: Absorbed | None = None

    def has(self, event_id: str) -> bool:
        """Return whether the event is among those that were absorbed."""
        return self.absorbed is not None and event_id in self.absorbed.known

    @property
    def replan(self) -> Replan:
        """What the absorbed events ask to be planned at once."""
        if self.absorbed is None:
            return Replan(np.empty(0, np.int64), np.empty(0, np.int64))
        return Replan(self.absorbed.replan_contacts, self.absorbed.changed_instances)


@dataclass(frozen=True)
class Late:
    """What came while a run was in flight. objects: of the inbox, those that are applied now.

    committed, pre_scheduled: as of `Absorbed`. new_tables: whether the schema changed.
    """

    counts: RunEvents
    objects: Sequence[str] = ()
    committed: int = 0
    pre_scheduled: int = 0
    new_tables: bool = False


def waiting_events(store: ObjectStore, org: str) -> list[ObjectInfo]:
    """Return the objects of the organization's inbox, by the time of their first event."""
    return list(store.list(layout.inbox(org)))


@traced("absorb")
def absorb_waiting(
    services: Services, request: PlanRequest, waiting: Sequence[ObjectInfo], start: Start
) -> Start:
    """Return the start with all that waits applied to its snapshot.

    waiting: the inbox, listed before current.json was read: what was applied and deleted in between
    is then in the snapshot. Raises SnapshotMoved, DatabaseError.
    """
    if not waiting:
        return start
    batches = _batches(services.store, waiting)
    if not batches.events:
        return start
    with (
        workspace(services.workspace) as folder,
        _view(services.store, start.snapshot, folder, sum(each.size for each in waiting)) as view,
    ):
        received = batches.in_order()
        absorbed, changes, contacts = _apply(view, received, services, request, start)
        done = _applied(batches, absorbed.known)
        if not absorbed.events and not absorbed.refused:
            return start  # an earlier run died before it deleted them: the merge does so
        census = start.census and with_new_contacts(
            view.connection, start.census, absorbed.contacts_added, request.config.contacts
        )
        events = AbsorbedEvents(
            counts=_counts(absorbed),
            committed=absorbed.committed,
            objects=done,
        )
        run = layout.run(request.org_id, request.run_id)
        base = (start.snapshot.size, start.snapshot.crc32c)
        name = store_change(
            services.store, run, base, view.pages, events, changes, folder, contacts
        )
    pages = len(view.pages.map().numbers)
    note(events=sum(absorbed.events.values()), pages=pages)
    get_log().info(
        "events absorbed",
        events=dict(absorbed.events),
        entries=dict(absorbed.entries),
        refused=absorbed.refused,
        pages=pages,
    )
    snapshot = start.snapshot.model_copy(update={"absorbed": name})
    return Start(snapshot, census, absorbed)


@traced("absorb late")
def absorb_late(
    services: Services, plan: RunPlan, connection: apsw.Connection, known: Sequence[str]
) -> Late | None:
    """Apply the deliveries that came since the run was planned, inside the caller's transaction.

    known: the objects of the inbox that the run's snapshot has. None if no others wait.
    """
    before = set(known)
    waiting = [
        each for each in waiting_events(services.store, plan.org_id) if each.name not in before
    ]
    if not waiting:
        return None
    from almanac.intake.absorb import absorb

    batches = _batches(services.store, waiting)
    received, unreadable = batches.in_order(), RunEvents(unreadable=clean(batches.unreadable))
    if not any(each.kind in LATE for each in received):
        known_events = logged(connection, {each.event_id for each in received})
        return Late(unreadable, _applied(batches, known_events))
    schema = scalar(connection, "PRAGMA schema_version")
    # not the clock: another delivery that finds the same events writes the same version
    now = max(plan.started_at, *(each.received for each in received))
    absorbed = absorb(connection, received, plan.context.config, now, plan.run_id, kinds=LATE)
    new_tables = scalar(connection, "PRAGMA schema_version") != schema
    return Late(
        _counts(absorbed).plus(unreadable),
        _applied(batches, absorbed.known),
        absorbed.committed,
        absorbed.pre_scheduled,
        new_tables,
    )


def forget_absorbed(services: Services, plan: RunPlan, version: Manifest | None = None) -> None:
    """Delete the objects of the inbox whose events the run's version has, which has been in force.

    version: that version. What was applied in its merge is deleted too; not what another merge of
    the run applied, which lost. An error is a warning in the log: the next run finds the events in
    intake_log, and deletes them.
    """
    try:
        names = {*late_objects(version)}
        if plan.snapshot.absorbed is not None:
            with suppress(NotFound):  # by now it may be collected
                names |= {*read_change(services.store, plan.snapshot.absorbed).absorbed.objects}
        if names:
            from almanac.intake import inbox

            there = {each.name for each in waiting_events(services.store, plan.org_id)}
            inbox.delete(services.store, sorted(names & there))
    except (AlmanacError, OSError) as error:
        get_log().warning("applied events not deleted, the next run does it", reason=str(error))


def late_objects(version: Manifest | None) -> list[str]:
    """Return the objects of the inbox whose deliveries were applied in the version's merge."""
    extra = (version.model_extra or {}) if version is not None else {}
    return list(extra.get(LATE_OBJECTS, []))


def _apply(
    view: View,
    received: Sequence[Received],
    services: Services,
    request: PlanRequest,
    start: Start,
) -> tuple[Absorbed, bytes | str, Ids | None]:
    """Apply events to the view; return what became of them, the change set or why there is none,
    and the contacts whose rows of email_schedules changed, None if that is not known."""
    from almanac.intake.absorb import absorb, combined, steps_of

    connection, path = view.connection, view.source.path
    schema = scalar(connection, "PRAGMA schema_version")
    most = most_changed(start.census.contacts) if start.census else 0
    noted = ChangedContacts(connection, most) if start.snapshot.planned else None
    session, too_large = record_changes(connection), False
    done: list[Absorbed] = []

    @contextmanager
    def step() -> Iterator[None]:
        nonlocal too_large
        with transaction(connection, path):
            yield
        if not too_large and session.memory_used > CHANGES_BYTES:
            session.close()
            too_large = True

    try:
        now, run = services.clock(), request.run_id
        for events, kinds in steps_of(received):
            each = absorb(connection, events, request.config, now, run, kinds=kinds, step=step)
            done.append(each)
        contacts = noted.take() if noted is not None else None
        if scalar(connection, "PRAGMA schema_version") != schema:
            return combined(done), NEW_TABLES, None
        return combined(done), TOO_LARGE if too_large else session.changeset(), contacts
    finally:
        session.close()


def _batches(store: ObjectStore, waiting: Sequence[ObjectInfo]) -> Batches:
    """Read objects of the inbox. One that is no batch stays there, and is an error in the log.

    What cannot be read for the moment raises, for another delivery of the message.
    """
    from almanac.intake import inbox

    batches = inbox.read_batches(store, waiting)
    for name, why in batches.unreadable.items():
        get_log().error("object of the inbox cannot be read", object=name, reason=why)
    return batches


def _counts(absorbed: Absorbed) -> RunEvents:
    return RunEvents(
        applied=dict(absorbed.events),
        entries=dict(absorbed.entries),
        refused=absorbed.refused,
        examples=[
            RefusedExample(event_id=event_id, index=each.index, why=clean(each.why))
            for event_id, each in absorbed.refusals[:EXAMPLES]
        ],
    )


def _applied(batches: Batches, known: Mapping[str, Set[str]]) -> list[str]:
    """Return the objects whose events the database all has; known: digests by id of an event.

    One with other content under the id of another stays, until a run refuses it and logs that.
    """
    return [
        name
        for name, events in batches.events.items()
        if all(each.content_digest in known.get(each.event_id, ()) for each in events)
    ]


@contextmanager
def _view(store: ObjectStore, snapshot: SnapshotRef, folder: Path, new: int) -> Iterator[View]:
    ranges = VerifiedRanges(store, located(store, snapshot))

    def fetch(start: int, length: int) -> bytes:
        try:
            return ranges.read(start, length)
        except (NotFound, PreconditionFailed) as error:
            raise SnapshotMoved(
                f"{snapshot.name}: replaced while events were applied ({error})"
            ) from error

    path = Path(snapshot.name)
    size, cache = block_bytes(snapshot.size, new), 2 * CACHE_BYTES
    blocks = Blocks(snapshot.name, snapshot.size, fetch, block_bytes=size, cache_bytes=cache)
    with changed_view(path, blocks, folder) as view, map_errors(path):
        yield view
