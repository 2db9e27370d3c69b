"""`almanac campaign import` into a store: the targets of a file wait in the inbox."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from almanac.campaigns.change_request import ChangeRequest
from almanac.campaigns.model import Imported
from almanac.campaigns.repository import Campaigns
from almanac.campaigns.target_file import CONTACT, EMAIL, TRIGGER, TargetFile
from almanac.campaigns.target_import import ImportOptions, notes_on
from almanac.csv_input.rejects import Rejects
from almanac.csv_input.source import InputFile
from almanac.database.opening import map_errors
from almanac.database.undo.entries import WritingCommand
from almanac.intake.events import valid_entries
from almanac.intake.submission import submit
from almanac.organizations.agency_database import StoreDatabase
from almanac.outputs import check_out

_EXAMPLES = 5  # rejects in the summary
_NOT_USABLE = "not a target"


def put_targets(
    agency: StoreDatabase,
    which: str,
    file: InputFile,
    options: ImportOptions,
    request: ChangeRequest,
) -> Imported:
    """Put the rows of a CSV file into the inbox as targets of an instance.

    Whether their contacts exist is seen when the next run applies them. Raise InputError for a file
    that is not a CSV of targets, RequestError for an unknown instance, and what the store raises.
    """
    check_out(options.rejects, "--rejects")
    with agency.open() as source, map_errors(source.path):
        campaigns = Campaigns.read(source.connection)
        number = campaigns.instance(which)["id"]
    (instance,) = (each for each in campaigns.instances(request.as_of) if each.id == number)
    with file.path.open("rb") as stream:
        source_file = TargetFile(stream, file.name, options.pairs, options.metadata)
        rejects, kinds = Rejects(source_file.header.columns), Counter[str]()
        kept = list(_usable(source_file, instance.id, rejects, kinds))
    rejects.rows.sort(key=lambda reject: reject[0])
    outcome = "refused" if options.strict and len(rejects) else "waiting"
    if options.dry_run:
        outcome = "dry run"
    if outcome == "waiting":
        word = WritingCommand.CAMPAIGN_IMPORT.word
        submit(agency.store, agency.org, "targets", kept, word=word, now=request.now)
    rejects.write(options.rejects)
    return Imported(
        database=agency.name,
        instance_id=instance.id,
        name=instance.name,
        campaign_type=instance.type_name,
        file=file.name,
        outcome=outcome,
        read=len(kept) + len(rejects),
        added=0,
        there_already=0,
        waiting=len(kept) if outcome != "refused" else 0,
        rejected=dict(kinds.most_common()),
        rejects_file=str(options.rejects) if len(rejects) else None,
        examples=[(line, why) for line, why, _ in rejects.rows[:_EXAMPLES]],
        notes=notes_on(campaigns, instance, source_file.header.ignored, request),
    )


def _usable(
    source: TargetFile, instance: int, rejects: Rejects, kinds: Counter[str]
) -> Iterator[dict[str, Any]]:
    """Yield the rows that are targets as entries; count the others by kind."""
    name = EMAIL if source.by_email else CONTACT
    for batch in source.batches():
        for line, cells, problem in batch.bad:
            kinds[problem.kind] += 1
            rejects.add(line, problem.why, cells)
        metadata = source.metadata(batch) or [None] * len(batch.lines)
        rows = [
            {"campaign_instance_id": instance, name: contact.strip()}
            | ({TRIGGER: trigger.strip()} if trigger.strip() else {})
            | ({"metadata": json.loads(carried)} if carried else {})
            for contact, trigger, carried in zip(
                source.contacts(batch), source.triggers(batch), metadata, strict=True
            )
        ]
        kept, refused = valid_entries("targets", rows)
        for each in refused:
            kinds[_NOT_USABLE] += 1
            at = each.index or 0
            rejects.add(batch.lines[at], each.why, batch.cells[at])
        yield from (rows[index] for index, _ in kept)
