"""Events from the command line: applied to a file at once, or put into the inbox of a store."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import apsw
from pydantic import BaseModel

from almanac.campaigns.model import Replanned
from almanac.config import Config
from almanac.contact_ranges import ContactRange, merged
from almanac.database.undo.entries import WritingCommand
from almanac.errors import ConfigError
from almanac.intake import inbox
from almanac.intake.absorb import Absorbed, absorb
from almanac.intake.event_file import EventFile, FileEvent
from almanac.messaging.messages import RunRequest
from almanac.messaging.planned_change import PlannedChange
from almanac.messaging.requests import Requested, no_replan, publish_request, request_bus
from almanac.messaging.topics import Topics
from almanac.names import change_run_id
from almanac.organizations.agency_database import AgencyDatabase, FileDatabase, StoreDatabase
from almanac.organizations.organizations import own_id
from almanac.progress import Progress
from almanac.report.summary import RunSummary
from almanac.runs.early_workers import start_workers_for
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.settings import load_settings

EVENTS_AT_ONCE = 32  # of an object of the inbox
EXAMPLES = 5  # rejects in the summary


class IntakeExample(BaseModel):
    """An entry that was refused; index: its place in its event."""

    line: int
    index: int | None
    why: str


class IntakeDone(BaseModel):
    """What became of the events of a file."""

    database: str
    file: str
    outcome: Literal["written", "waiting"]
    events: dict[str, int] = {}  # by kind: applied now, or waiting
    entries: dict[str, int] = {}
    done_before: int = 0  # events that were applied by an earlier call
    contacts_added: int = 0
    rejected: int = 0
    rejects_file: str | None = None
    examples: list[IntakeExample] = []
    replanned: list[Replanned] = []
    run_ids: list[str] = []  # that were requested

    @property
    def taken(self) -> int:
        """Return how many entries or events hold now."""
        return sum(self.entries.values()) + self.done_before


def take_events(
    agency: AgencyDatabase, file: str, found: EventFile, now: dt.datetime, progress: Progress
) -> IntakeDone:
    """Apply the events of a file to a database, or put them into the inbox of an organization.

    What is refused becomes a reject of `found`. Raises as `AgencyDatabase.edit`, or as `inbox.put`.
    """
    if isinstance(agency, StoreDatabase):
        done = _send(agency, found.events, now)
    else:
        assert isinstance(agency, FileDatabase)
        done = _apply(agency, found, now, progress)
    found.rejects.rows.sort(key=lambda reject: reject[0])
    return done.model_copy(
        update={
            "file": file,
            "rejected": len(found.rejects),
            "examples": [
                IntakeExample(line=line, index=int(cells[0]) if cells[0] else None, why=why)
                for line, why, cells in found.rejects.rows[:EXAMPLES]
            ],
        }
    )


def _apply(
    agency: FileDatabase, found: EventFile, now: dt.datetime, progress: Progress
) -> IntakeDone:
    """Absorb the events in one transaction, and plan whom those with `replan` affect."""
    word, config = own_id("intake", now), agency.config()
    received = [each.received for each in found.events]
    if any(each.event.get("replan") for each in received):
        start_workers_for(agency.path)

    def edit(connection: apsw.Connection) -> Absorbed:
        return absorb(connection, received, config, now, word)

    absorbed = agency.edit(edit, WritingCommand.INTAKE, now, progress, word)
    found.refuse_applied(absorbed.refusals)
    refused = {event_id for event_id, entry in absorbed.refusals if entry.index is None}
    applied = sum(absorbed.events.values())
    return IntakeDone(
        database=agency.name,
        file="",
        outcome="written",
        events=dict(absorbed.events),
        entries=dict(absorbed.entries),
        done_before=len(received) - applied - len(refused),
        contacts_added=absorbed.contacts_added,
        replanned=_replan(agency, config, absorbed, word, now, progress),
    )


def _replan(
    agency: FileDatabase,
    config: Config,
    absorbed: Absorbed,
    word: str,
    now: dt.datetime,
    progress: Progress,
) -> list[Replanned]:
    """Plan the contacts whom events with `replan` affect; an undo takes it back with them."""
    event, runs = word, list[RunSummary]()
    options = RunOptions(now=now, of_the_file=True, cache=agency.cache)
    changes = [
        PlannedChange(event_id=f"{word}.{each}", campaign_instance_id=each, changes={})
        for each in absorbed.changed_instances.tolist()
    ]
    if changes:
        event = changes[0].event_id
        runs.append(run_file(agency.path, config, replace(options, changes=changes), progress))
    contacts = absorbed.replan_contacts.tolist()
    if contacts:
        scope = merged(ContactRange(each, each) for each in contacts)
        # undo takes back what belongs to one command: each id begins with that of the step before
        wanted = replace(options, scope=scope, event_id=f"{event}.contacts")
        runs.append(run_file(agency.path, config, wanted, progress))
    return [
        Replanned(run_id=each.run_id, contacts=each.contacts_in_scope, changes=each.changes)
        for each in runs
    ]


def _send(agency: StoreDatabase, events: Sequence[FileEvent], now: dt.datetime) -> IntakeDone:
    """Put the events into the inbox; request a run if one has `replan`: it takes all along."""
    agency.version()  # without one there is nothing that the events could be about
    replans = [each.received.event_id for each in events if each.received.event.get("replan")]
    ask = replan_requester(agency) if replans else None
    for at in range(0, len(events), EVENTS_AT_ONCE):
        some = [each.received for each in events[at : at + EVENTS_AT_ONCE]]
        inbox.put(agency.store, agency.org, some)
    entries = Counter[str]()
    for each in events:
        entries[each.received.kind] += len(each.places)
    return IntakeDone(
        database=agency.name,
        file="",
        outcome="waiting",
        events=dict(Counter(each.received.kind for each in events)),
        entries=dict(entries),
        run_ids=[ask(replans[-1])] if ask else [],
    )


def replan_requester(agency: StoreDatabase) -> Callable[[str], str]:
    """Return what requests the run of an event that waits, and returns its id.

    Raises ConfigError without a project, before anything is written.
    """
    settings = load_settings()
    try:
        bus, topic = request_bus(settings), Topics(settings.topic_prefix).run_requests
    except ConfigError:  # as for a store in a folder, which has no functions
        raise no_replan("replan") from None

    def ask(event_id: str) -> str:
        message = RunRequest(org_id=agency.org, reason="replan", event_id=event_id)
        requested = Requested.now()
        publish_request(bus, topic, message, requested)
        return change_run_id(requested.at.astimezone(agency.config().zone).date(), event_id)

    return ask
