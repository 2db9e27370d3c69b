"""Take back what was set up by mistake: an instance, or some targets of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw
import numpy as np

from almanac.campaigns.change_request import ChangeRequest
from almanac.campaigns.model import Removed, Replanned
from almanac.campaigns.repository import Campaigns
from almanac.campaigns.trial import edit_if
from almanac.contact_ranges import ContactRange, in_ranges, merged, without_ids
from almanac.database import target_removal
from almanac.database.campaigns import campaign_messages, complete_tables, planned_of
from almanac.database.catalog import Record
from almanac.database.columnar import ColumnarReader
from almanac.database.sources import Source
from almanac.database.undo.entries import WritingCommand
from almanac.errors import InputError, RequestError
from almanac.frames import Ids
from almanac.organizations.agency_database import AgencyDatabase, Edit, FileDatabase
from almanac.planning.history import CAMPAIGN, classify, instance_named
from almanac.progress import Progress
from almanac.report.text import listed
from almanac.runs.file_change import ApplyOptions, replanner
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.schedule_status import PLANNED_STATUSES

NAMED = 10  # ids in a message


@dataclass(frozen=True)
class _Removal:
    """What both removals have in common."""

    agency: AgencyDatabase
    request: ChangeRequest
    dry_run: bool
    progress: Progress

    def edit(self, edit: Edit[tuple[Removed, Ids]], command: WritingCommand) -> tuple[Removed, Ids]:
        """Edit the database, or roll that back; return the result, and whom it affects."""
        kept = not self.dry_run
        return edit_if(self.agency, lambda _: kept, edit, command, self.request, self.progress)

    def result(
        self, row: Record, instance: bool, targets: int, planned: Ids, **more: object
    ) -> tuple[Removed, Ids]:
        """Return the result; planned: the contact of each planned row that goes."""
        contacts: Ids = np.unique(planned)
        values: dict[str, object] = {
            "database": self.agency.name,
            "instance_id": int(row["id"]),
            "name": str(row.get("instance_name")),
            "campaign_type": str(row.get("campaign_type")),
            "instance": instance,
            "outcome": "dry run" if self.dry_run else "written",
            "targets": targets,
            "planned": len(planned),
            "contacts": len(contacts),
        }
        return Removed.model_validate(values | more), contacts


def remove_instance(
    agency: AgencyDatabase,
    which: str,
    request: ChangeRequest,
    options: ApplyOptions,
    progress: Progress,
) -> Removed:
    """Remove an instance and its targets, in one transaction, and log that.

    Its planned rows go with the next run, or at once with options.replan. Raises RequestError for
    an unknown instance, and for one that has messages with the sender, which refer to it.
    """
    if options.replan and not isinstance(agency, FileDatabase):
        raise InputError(
            "--replan: a campaign that is gone cannot be planned again by a request; the next run "
            "of the organization plans without it: almanac request run ORG"
        )
    removal = _Removal(agency, request, options.dry_run, progress)

    def edit(connection: apsw.Connection) -> tuple[Removed, Ids]:
        complete_tables(connection)
        campaigns = Campaigns.read(connection)
        row = campaigns.instance(which)
        _require_unsent(connection, campaigns, row, request, progress)
        number = int(row["id"])
        planned = _planned(connection, number)
        targets = target_removal.remove_instance(
            connection, number, request.event_id, request.changed_by, request.timestamp
        )
        return removal.result(row, True, targets, planned)

    found, contacts = removal.edit(edit, WritingCommand.CAMPAIGN_REMOVE)
    if options.dry_run or not options.replan or not len(contacts):
        return found
    assert isinstance(agency, FileDatabase)
    replanned = _replan(agency, contacts, request, progress)
    return found.model_copy(update={"replanned": replanned})


def remove_targets(
    agency: AgencyDatabase,
    which: str,
    given: Sequence[ContactRange],
    request: ChangeRequest,
    options: ApplyOptions,
    progress: Progress,
) -> Removed:
    """Take the targets of some contacts out of an instance, in one transaction.

    A target whose message was sent stays. Their planned rows go with the next run, or at once with
    options.replan; in a store that is requested. Raises RequestError for an unknown instance, and
    if none of the contacts has a target that can go.
    """
    plan = replanner(agency, request, options, progress)
    removal = _Removal(agency, request, options.dry_run, progress)
    ranges = sorted(given)

    def edit(connection: apsw.Connection) -> tuple[Removed, Ids]:
        complete_tables(connection)
        row = Campaigns.read(connection).instance(which)
        there = target_removal.targets(connection, int(row["id"]))
        chosen = np.isin(there.contacts, in_ranges(np.unique(there.contacts), ranges))
        gone = chosen & ~there.sent
        without = without_ids(np.unique(there.contacts), ranges)
        unknown = [str(a) if a == b else f"{a}-{b}" for a, b in without]
        if not gone.any():
            sent = f": {int(chosen.sum())} were sent" if chosen.any() else ""
            raise RequestError(
                f"campaign {row['id']} {row.get('instance_name')}: no target of the contacts "
                f"{listed([str(a) if a == b else f'{a}-{b}' for a, b in ranges], NAMED)} to remove"
                f"{sent}"
            )
        planned = _planned(connection, int(row["id"]))
        planned = planned[np.isin(planned, there.contacts[gone])]
        target_removal.remove(connection, there.ids[gone])
        return removal.result(
            row,
            False,
            int(gone.sum()),
            planned,
            sent=int((chosen & there.sent).sum()),
            without_target=unknown,
        )

    found, _ = removal.edit(edit, WritingCommand.CAMPAIGN_TARGETS_REMOVE)
    return found.model_copy(update=plan([request.replan(found.instance_id)]))


def _require_unsent(
    connection: apsw.Connection,
    campaigns: Campaigns,
    row: Record,
    request: ChangeRequest,
    progress: Progress,
) -> None:
    """Raise RequestError if a committed row belongs to the instance."""
    number, instances = int(row["id"]), campaigns.instances(request.as_of)

    def owner(instance: int, email_type: str) -> int:
        code, name = classify(email_type)
        if instance or code != CAMPAIGN:
            return instance
        at = instance_named(name, instances)
        return instances[at].id if at >= 0 else 0

    count = sum(
        group.count
        for group in campaign_messages(connection, "9999", progress, number)
        if group.status not in PLANNED_STATUSES
        and owner(group.instance, group.email_type) == number
    )
    if count:
        raise RequestError(
            f"campaign {number} {row.get('instance_name')}: {count} of its messages are with the "
            "sender or were sent, and refer to it; to end it, change it: almanac campaign set ... "
            f"{number} active_end_date={request.as_of}"
        )


def _planned(connection: apsw.Connection, instance: int) -> Ids:
    """Return the contact of each planned row of an instance."""
    path = Path(connection.filename)
    source = Source(path, connection, ColumnarReader(path, connection), lambda: None)
    contacts: Ids = planned_of(source, np.array([instance], np.int64))["contact_id"].to_numpy()
    return contacts


def _replan(
    agency: FileDatabase, contacts: Ids, request: ChangeRequest, progress: Progress
) -> Replanned:
    """Plan the contacts of a removed instance again."""
    options = RunOptions(
        as_of=request.as_of,
        scope=merged(ContactRange(each, each) for each in contacts.tolist()),
        of_the_file=True,
        event_id=request.replan(0).event_id,
        cache=agency.cache,
    )
    summary = run_file(agency.path, agency.config(), options, progress)
    return Replanned(
        run_id=summary.run_id, contacts=summary.contacts_in_scope, changes=summary.changes
    )
