"""`almanac campaign import`: add targets of an instance from a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from almanac.campaigns.change_request import ChangeRequest
from almanac.campaigns.model import Imported
from almanac.campaigns.repository import Campaigns
from almanac.campaigns.target_file import TargetFile
from almanac.campaigns.target_validation import ImportCounts
from almanac.campaigns.trial import edit_if
from almanac.config_contacts import ContactColumns
from almanac.csv_input.rejects import ENCODING, ERRORS
from almanac.csv_input.source import InputFile
from almanac.database.campaigns import complete_tables
from almanac.database.target_import import TargetImport
from almanac.database.undo.entries import WritingCommand
from almanac.organizations.agency_database import AgencyDatabase
from almanac.outputs import check_out, partial_of
from almanac.planning.brief import Instance
from almanac.progress import Progress
from almanac.report.text import listed


@dataclass(frozen=True)
class ImportOptions:
    """How to import."""

    rejects: Path
    strict: bool = False  # one invalid row rejects the whole file
    dry_run: bool = False
    pairs: Sequence[str] = ()  # the values of --map
    metadata: Sequence[str] = ()  # columns that go into the metadata of the targets


def import_targets(
    agency: AgencyDatabase,
    which: str,
    file: InputFile,
    options: ImportOptions,
    request: ChangeRequest,
    progress: Progress,
) -> Imported:
    """Add the rows of a CSV file to the targets of an instance, in one transaction.

    Raise InputError for a file that is not a CSV of targets, RequestError for an unknown instance,
    and what `AgencyDatabase.edit` raises.
    """
    check_out(options.rejects, "--rejects")
    settings = agency.config().contacts
    with agency.open() as source:
        Campaigns.read(source.connection).instance(which)  # before a store's copy is fetched
    with partial_of(options.rejects, "--rejects") as partial:

        def edit(connection: apsw.Connection) -> Imported:
            complete_tables(connection)
            campaigns = Campaigns.read(connection)
            row = campaigns.instance(which)
            (instance,) = (
                each for each in campaigns.instances(request.as_of) if each.id == row["id"]
            )
            counts = _read(
                connection, instance.id, settings, file, partial, options, request, progress
            )
            return _result(campaigns, instance, agency.name, file.name, counts, options, request)

        done = edit_if(
            agency,
            lambda result: result.outcome == "written",
            edit,
            WritingCommand.CAMPAIGN_IMPORT,
            request,
            progress,
        )
        if done.rejected_total:
            partial.replace(options.rejects)
    return done


def _read(
    connection: apsw.Connection,
    instance: int,
    settings: ContactColumns,
    file: InputFile,
    rejects: Path,
    options: ImportOptions,
    request: ChangeRequest,
    progress: Progress,
) -> ImportCounts:
    """Read the whole file, and write its targets unless the options say otherwise."""
    with (
        file.path.open("rb") as stream,
        rejects.open("w", encoding=ENCODING, errors=ERRORS, newline="") as report,
    ):
        source = TargetFile(stream, file.name, options.pairs, options.metadata)
        progress("look up contacts", 0, 1)
        targets = TargetImport(connection, instance, settings, source.by_email)
        progress("look up contacts", 1, 1)
        counts = ImportCounts(source, report)
        size = max(1, file.path.stat().st_size)
        for batch in source.batches():
            counts.take(batch, targets)
            progress("read", min(source.position(), size), size)
    if not (options.dry_run or (options.strict and counts.rejected)):
        progress("write", 0, 1)
        targets.write(request.timestamp)
        if options.metadata:
            counts.updated = targets.update(request.timestamp)
        progress("write", 1, 1)
    targets.close()
    return counts


def _result(
    campaigns: Campaigns,
    instance: Instance,
    database: str,
    file: str,
    counts: ImportCounts,
    options: ImportOptions,
    request: ChangeRequest,
) -> Imported:
    result = Imported(
        database=database,
        instance_id=instance.id,
        name=instance.name,
        campaign_type=instance.type_name,
        file=file,
        outcome="written",
        read=counts.read,
        added=counts.added,
        there_already=counts.existing,
        updated=counts.updated,
        rejected=dict(counts.rejected.most_common()),
        rejects_file=str(options.rejects) if counts.rejected else None,
        examples=counts.examples,
        notes=notes_on(campaigns, instance, counts.ignored_columns, request),
    )
    if options.strict and counts.rejected:
        return result.model_copy(update={"outcome": "refused", "added": 0})
    if options.dry_run:
        return result.model_copy(update={"outcome": "dry run"})
    return result


def notes_on(
    campaigns: Campaigns, instance: Instance, ignored: Sequence[str], request: ChangeRequest
) -> list[str]:
    """Return what an operator should know who imports targets of an instance."""
    notes = []
    if ignored:
        notes.append(f"columns that are not read: {listed(ignored, 8)}")
    if instance.target_all_contacts:
        notes.append("its type targets all contacts: rows of targets play no part in it")
    line = campaigns.line(instance, request.as_of)
    if line.state != "active":
        notes.append(f"the campaign is not active on {request.as_of}: {line.state_words}")
    return notes
