"""`almanac campaign targets add` and `remove`: a few contacts, named by id or by address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import apsw
from pydantic import BaseModel

from almanac.campaigns.change_request import ChangeRequest
from almanac.campaigns.model import Replanned
from almanac.campaigns.repository import Campaigns
from almanac.campaigns.trial import edit_if
from almanac.database.campaigns import complete_tables
from almanac.database.catalog import Record
from almanac.database.opening import map_errors
from almanac.database.undo.entries import WritingCommand
from almanac.intake import targets
from almanac.intake.applied import Absorption
from almanac.intake.events import valid_entries
from almanac.intake.submission import submit
from almanac.organizations.agency_database import AgencyDatabase, StoreDatabase
from almanac.progress import Progress

Action = Literal["add", "remove"]
_COMMANDS = {
    "add": WritingCommand.CAMPAIGN_TARGETS_ADD,
    "remove": WritingCommand.CAMPAIGN_TARGETS_REMOVE,
}


class RefusedTarget(BaseModel):
    """A contact that was not taken."""

    contact: str  # id or address
    why: str


class TargetsChanged(BaseModel):
    """What became of targets that were to be added or removed."""

    database: str
    instance_id: int
    name: str
    campaign_type: str
    action: Action
    outcome: Literal["written", "dry run", "waiting"]
    given: int  # contacts
    changed: int = 0  # targets that were added, got other metadata, or were removed
    refused: list[RefusedTarget] = []
    replanned: Replanned | None = None
    run_ids: list[str] = []

    @property
    def taken(self) -> int:
        """Return how many of the contacts are as wanted now."""
        return self.given - len(self.refused)


@dataclass(frozen=True)
class TargetChange:
    """What to do with the targets of some contacts. fields: of each entry, besides its contact."""

    action: Action
    contacts: Sequence[int | str]  # ids and addresses
    fields: dict[str, Any]

    def entries(self, instance: int) -> list[dict[str, Any]]:
        """Return the entries of an event."""
        common = {"action": self.action, "campaign_instance_id": instance} | self.fields
        return [
            common | {"contact_id" if isinstance(each, int) else "email": each}
            for each in self.contacts
        ]


def change_targets(
    agency: AgencyDatabase,
    which: str,
    change: TargetChange,
    request: ChangeRequest,
    dry_run: bool,
    progress: Progress,
) -> TargetsChanged:
    """Add or remove targets of an instance, in one transaction; in a store they wait in the inbox.

    Raises RequestError for an unknown instance, and what `AgencyDatabase.edit` raises.
    """
    with agency.open() as source, map_errors(source.path):
        row = Campaigns.read(source.connection).instance(which)  # before a store's copy is fetched
    command = _COMMANDS[change.action]
    if isinstance(agency, StoreDatabase) and not dry_run:
        return _send(agency, row, change, request, command)
    config = agency.config()

    def edit(connection: apsw.Connection) -> TargetsChanged:
        complete_tables(connection)
        row = Campaigns.read(connection).instance(which)
        entries, refused = valid_entries("targets", change.entries(int(row["id"])))
        absorption = Absorption(config, request.now, command, [])
        applied = targets.apply(connection, entries, absorption)
        done = _result(agency.name, row, change, [*refused, *applied.refused])
        outcome = "dry run" if dry_run else "written"
        return done.model_copy(update={"changed": applied.changed, "outcome": outcome})

    return edit_if(agency, lambda _: not dry_run, edit, command, request, progress)


def _send(
    agency: StoreDatabase,
    row: Record,
    change: TargetChange,
    request: ChangeRequest,
    command: WritingCommand,
) -> TargetsChanged:
    """Put the entries into the inbox."""
    entries = change.entries(int(row["id"]))
    valid, refused = valid_entries("targets", entries)
    kept = [entries[index] for index, _ in valid]
    submit(agency.store, agency.org, "targets", kept, word=command.word, now=request.now)
    return _result(agency.name, row, change, refused)


def _result(
    database: str, row: Record, change: TargetChange, refused: Sequence[Any]
) -> TargetsChanged:
    return TargetsChanged(
        database=database,
        instance_id=int(row["id"]),
        name=str(row.get("instance_name")),
        campaign_type=str(row.get("campaign_type")),
        action=change.action,
        outcome="waiting",
        given=len(change.contacts),
        refused=[
            RefusedTarget(contact=str(change.contacts[each.index or 0]), why=each.why)
            for each in refused
        ],
    )
