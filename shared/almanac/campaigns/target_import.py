"""`almanac campaign import`: targets of an instance from a CSV file, the bad rows told by line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import apsw

from almanac.campaigns.change_request import ChangeRequest
from almanac.campaigns.model import Imported
from almanac.campaigns.repository import Campaigns
from almanac.campaigns.target_file import TargetFile
from almanac.campaigns.target_validation import ImportCounts
from almanac.database import campaigns as tables
from almanac.database.target_import import TargetImport
from almanac.organizations.agency_database import AgencyDatabase
from almanac.outputs import check_out, partial_of
from almanac.progress import Progress


class _Undone(Exception):
    """Ends the transaction without a change; carries what it would have been."""

    def __init__(self, imported: Imported) -> None:
        super().__init__("undone")
        self.imported = imported


@dataclass(frozen=True)
class Options:
    """How to import."""

    rejects: Path
    strict: bool = False  # one bad row refuses all
    dry_run: bool = False


def import_targets(
    agency: AgencyDatabase,
    which: str,
    file: Path,
    name: str,
    options: Options,
    request: ChangeRequest,
    progress: Progress,
) -> Imported:
    """Add the rows of a CSV file to the targets of an instance, in one transaction.

    name: what messages call the file. Raises InputError for a file that is no CSV of targets,
    RequestError for an unknown instance, and what `AgencyDatabase.edit` raises.
    """
    check_out(options.rejects, "--rejects")
    with agency.open() as source:
        Campaigns.read(source.connection).instance(which)  # before a store's copy is fetched
    with partial_of(options.rejects, "--rejects") as partial:

        def edit(connection: apsw.Connection) -> Imported:
            return _import(
                connection, agency, which, file, name, partial, options, request, progress
            )

        try:
            done = agency.edit(edit, "campaign-import", request.now, progress)
        except _Undone as undone:
            done = undone.imported
        if done.rejected_total:
            partial.replace(options.rejects)
    return done


def _import(
    connection: apsw.Connection,
    agency: AgencyDatabase,
    which: str,
    file: Path,
    name: str,
    partial: Path,
    options: Options,
    request: ChangeRequest,
    progress: Progress,
) -> Imported:
    tables.complete_tables(connection)
    found = Campaigns.read(connection)
    row = found.instance(which)
    (instance,) = (each for each in found.instances(request.as_of) if each.id == row["id"])
    with (
        file.open("rb") as stream,
        partial.open("w", encoding="utf-8", newline="", errors="surrogateescape") as out,
    ):
        source = TargetFile(stream, name)
        progress("look up contacts", 0, 1)
        targets = TargetImport(connection, instance.id, source.by_email)
        progress("look up contacts", 1, 1)
        tally = ImportCounts(source, out)
        size = max(1, file.stat().st_size)
        for batch in source.batches():
            tally.judge(batch, targets)
            progress("read", min(source.position(), size), size)
    if not (options.dry_run or (options.strict and tally.rejected)):
        progress("write", 0, 1)
        targets.write(request.timestamp)
        progress("write", 1, 1)
    targets.close()
    line = found.line(instance, request.as_of)
    notes = []
    if instance.target_all_contacts:
        notes.append("its type targets all contacts: rows of targets play no part in it")
    if line.state != "active":
        notes.append(f"the campaign is not active on {request.as_of}: {line.state_words}")
    imported = Imported(
        database=agency.name,
        instance_id=instance.id,
        name=instance.name,
        campaign_type=instance.type_name,
        file=name,
        outcome="written",
        read=tally.read,
        added=tally.added,
        there_already=tally.there,
        rejected=dict(tally.rejected.most_common()),
        rejects_file=str(options.rejects) if tally.rejected else None,
        examples=tally.examples,
        notes=notes,
    )
    if options.strict and tally.rejected:
        raise _Undone(imported.model_copy(update={"outcome": "refused", "added": 0}))
    if options.dry_run:
        raise _Undone(imported.model_copy(update={"outcome": "dry run"}))
    return imported
