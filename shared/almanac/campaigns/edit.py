"""Changes of campaign types and instances: previewed, written and logged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import apsw

from almanac.campaigns.change_request import ChangeRequest, Changes
from almanac.campaigns.impact import impact_of
from almanac.campaigns.model import ChangeResult, FieldChange
from almanac.campaigns.repository import Campaigns
from almanac.campaigns.validation import (
    campaign_change,
    check_instance,
    check_new_instance,
    check_new_type,
    type_changes,
)
from almanac.database.campaigns import add_row, complete_tables
from almanac.database.catalog import Record
from almanac.database.changes import is_logged, write_change, write_type_change
from almanac.database.opening import map_errors
from almanac.database.sql import columns_of
from almanac.database.undo.entries import WritingCommand
from almanac.names import check_event_id
from almanac.organizations.agency_database import AgencyDatabase, Edit
from almanac.planning.instance_fields import TYPE_DEFAULTS
from almanac.progress import Progress

_ORG = "any"  # stands for the organization where a change is only validated

# Writes a change that differs from the row; returns whether it did, and the fields.
_Write = Callable[[apsw.Connection], tuple[bool, list[FieldChange]]]


def preview_instance_change(
    agency: AgencyDatabase, which: str, changes: Changes, request: ChangeRequest, progress: Progress
) -> ChangeResult:
    """Return what a change of an instance would do; nothing is written.

    Raises RequestError for an invalid change.
    """
    config = agency.config()
    with agency.open(steady=False) as source, map_errors(source.path):
        found = Campaigns.read(source.connection)
        row = found.instance(which)
        wanted = validated_change(row, changes, request)
        done_before = _is_logged(source.connection, request)
        after = found.with_row(row | wanted)
        (instance,) = (each for each in after.instances(request.as_of) if each.id == row["id"])
        affected = impact_of(source, config, request.as_of, after, [instance.id], progress)
        return ChangeResult(
            database=agency.name,
            what="instance",
            instance_id=instance.id,
            name=instance.name,
            campaign_type=instance.type_name,
            changes=differing(row, wanted),
            event_id=request.event_id,
            outcome="done before" if done_before else "dry run",
            affected=affected,
            state=_state(after, instance.id, request.as_of),
        )


def preview_type_change(
    agency: AgencyDatabase, name: str, changes: Changes, request: ChangeRequest, progress: Progress
) -> tuple[ChangeResult, list[int]]:
    """Return what a change of a type would do, and the ids of its instances, all affected."""
    values, config = type_changes(changes), agency.config()
    check_event_id(request.event_id)
    with agency.open(steady=False) as source, map_errors(source.path):
        found = Campaigns.read(source.connection)
        row = found.type(name)
        after = found.with_type(row | values)
        instances = [int(each["id"]) for each in found.of_type(name)]
        done_before = _is_logged(source.connection, request)
        affected = impact_of(source, config, request.as_of, after, instances, progress)
        result = ChangeResult(
            database=agency.name,
            what="type",
            name=name,
            campaign_type=name,
            changes=differing(row, values),
            event_id=request.event_id,
            outcome="done before" if done_before else "dry run",
            affected=affected,
        )
        return result, instances


def commit_instance_change(
    agency: AgencyDatabase, preview: ChangeResult, request: ChangeRequest, progress: Progress
) -> ChangeResult:
    """Write a previewed change of an instance, and log it, in one transaction."""
    changes: Changes = {each.field: each.new for each in preview.changes}

    def write(connection: apsw.Connection) -> tuple[bool, list[FieldChange]]:
        row = Campaigns.read(connection).instance(str(preview.instance_id))
        wanted = validated_change(row, changes, request)  # others may have changed it meanwhile
        written = write_change(
            connection,
            event_id=request.event_id,
            instance_id=int(row["id"]),
            changes=wanted,
            changed_by=request.changed_by,
            now=request.timestamp,
        )
        return written, differing(row, wanted)

    return _commit(agency, preview, write, WritingCommand.CAMPAIGN_SET, request, progress)


def commit_type_change(
    agency: AgencyDatabase, preview: ChangeResult, request: ChangeRequest, progress: Progress
) -> ChangeResult:
    """Write a previewed change of a type, and log it, in one transaction."""
    values = {each.field: int(each.new or 0) for each in preview.changes}

    def write(connection: apsw.Connection) -> tuple[bool, list[FieldChange]]:
        row = Campaigns.read(connection).type(preview.name)
        written = write_type_change(
            connection,
            event_id=request.event_id,
            type_name=preview.name,
            changes=values,
            changed_by=request.changed_by,
            now=request.timestamp,
        )
        return written, differing(row, values)

    return _commit(agency, preview, write, WritingCommand.CAMPAIGN_SET_TYPE, request, progress)


def _commit(
    agency: AgencyDatabase,
    preview: ChangeResult,
    write: _Write,
    command: WritingCommand,
    request: ChangeRequest,
    progress: Progress,
) -> ChangeResult:
    """Write the change unless it was made before or changes nothing."""
    if preview.outcome == "done before":
        return preview
    if not preview.changes:
        return preview.model_copy(update={"outcome": "nothing to change"})

    def edit(connection: apsw.Connection) -> ChangeResult:
        complete_tables(connection)
        written, changes = write(connection)
        outcome = "written" if written else "done before"
        return preview.model_copy(update={"outcome": outcome, "changes": changes})

    return agency.edit(edit, command, request.now, progress, request.event_id)


def add_type(
    agency: AgencyDatabase,
    name: str,
    changes: Changes,
    request: ChangeRequest,
    dry_run: bool,
    progress: Progress,
) -> ChangeResult:
    """Add a type; a field that is not given has its default. Raises RequestError."""
    values = {field: int(default) for field, default in TYPE_DEFAULTS.items()}
    values |= type_changes(changes)

    def edit(connection: apsw.Connection) -> ChangeResult:
        if not dry_run:
            complete_tables(connection)
        check_new_type(Campaigns.read(connection), name)
        if not dry_run:
            add_row(connection, "campaign_types", {"name": name, **values, **request.times})
        return ChangeResult(
            database=agency.name,
            what="type",
            name=name,
            campaign_type=name,
            added=True,
            changes=[
                FieldChange(field=field, old=None, new=str(new)) for field, new in values.items()
            ],
            outcome="dry run" if dry_run else "written",
        )

    return _add(agency, edit, WritingCommand.CAMPAIGN_ADD_TYPE, request, dry_run, progress)


def add_instance(
    agency: AgencyDatabase,
    type_name: str,
    name: str,
    changes: Changes,
    request: ChangeRequest,
    dry_run: bool,
    progress: Progress,
) -> ChangeResult:
    """Add an instance of an existing type. Raises RequestError."""
    values = dict(campaign_change(_ORG, request.change(0, changes)).changes)
    names: Record = {"campaign_type": type_name, "instance_name": name}

    def edit(connection: apsw.Connection) -> ChangeResult:
        if not dry_run:
            complete_tables(connection)
        found = Campaigns.read(connection)
        check_new_instance(found, type_name, name)
        check_instance(names | values, values)
        number, state = None, None
        if not dry_run:
            row = names | values | request.times
            number = add_row(connection, "campaign_instances", row)
            state = _state(Campaigns.read(connection), number, request.as_of)
        return ChangeResult(
            database=agency.name,
            what="instance",
            instance_id=number,
            name=name,
            campaign_type=type_name,
            added=True,
            changes=[
                FieldChange(field=field, old=None, new=new) for field, new in values.items() if new
            ],
            outcome="dry run" if dry_run else "written",
            state=state,
        )

    return _add(agency, edit, WritingCommand.CAMPAIGN_ADD, request, dry_run, progress)


def _add(
    agency: AgencyDatabase,
    edit: Edit[ChangeResult],
    command: WritingCommand,
    request: ChangeRequest,
    dry_run: bool,
    progress: Progress,
) -> ChangeResult:
    """Return what the edit returns; a dry run only validates, on a read-only connection."""
    if dry_run:
        with agency.open(steady=False) as source, map_errors(source.path):
            return edit(source.connection)
    return agency.edit(edit, command, request.now, progress, request.event_id)


def validated_change(row: Record, changes: Changes, request: ChangeRequest) -> Changes:
    """Return the fields of a row that the change gives another value. Raises RequestError."""
    number = int(row["id"])
    wanted = dict(campaign_change(_ORG, request.change(number, changes)).changes)
    check_instance(row | wanted, wanted)
    return {each.field: each.new for each in differing(row, wanted)}


def differing(row: Record, wanted: Mapping[str, str | int | None]) -> list[FieldChange]:
    """Return the fields that get another value; nothing and empty text are the same."""
    pairs = [(field, _text(row.get(field)), _text(new)) for field, new in sorted(wanted.items())]
    return [
        FieldChange(field=field, old=old, new=new)
        for field, old, new in pairs
        if (old or "") != (new or "")
    ]


def _is_logged(connection: apsw.Connection, request: ChangeRequest) -> bool:
    """Return whether the event was applied; an older database has no column for it."""
    has_column = columns_of(connection, "campaign_change_log").has("event_id")
    return has_column and is_logged(connection, request.event_id)


def _state(found: Campaigns, number: int, as_of: dt.date) -> str:
    (instance,) = (each for each in found.instances(as_of) if each.id == number)
    return found.line(instance, as_of).state_words


def _text(value: object) -> str | None:
    return None if value is None else str(value)
