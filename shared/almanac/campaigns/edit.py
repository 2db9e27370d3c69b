"""`almanac campaign add` and `set`: types and instances, written and logged, and planned anew."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from almanac.campaigns.impact import concerned
from almanac.campaigns.model import Done, FieldChange, Replanned
from almanac.campaigns.repository import Campaigns
from almanac.campaigns.validation import (
    Changes,
    campaign_change,
    check_instance,
    check_new_instance,
    check_new_type,
    type_changes,
)
from almanac.config import Config
from almanac.database import campaigns as tables
from almanac.database.catalog import Record, describe
from almanac.database.changes import is_logged, write_change, write_type_change
from almanac.database.opening import map_errors
from almanac.database.sql import Columns
from almanac.names import check_event_id
from almanac.organizations.agency_database import AgencyDatabase
from almanac.planning.brief import TYPE_DEFAULTS
from almanac.progress import Progress
from almanac.runs.local import RunOptions, run_file
from almanac.runs.run_plan import PlannedChange

_ORG = "any"  # what a change is validated with where no organization is meant


@dataclass(frozen=True)
class ChangeRequest:
    """Who wants something changed, and when."""

    event_id: str
    changed_by: str | None
    as_of: dt.date
    now: dt.datetime

    @property
    def timestamp(self) -> str:
        """As SQLite's CURRENT_TIMESTAMP writes it."""
        return self.now.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")

    def change(self, instance: int, changes: Changes) -> PlannedChange:
        """The change as a run applies it."""
        return PlannedChange(
            event_id=self.event_id,
            campaign_instance_id=instance,
            changes=changes,
            changed_by=self.changed_by,
        )

    def anew(self, instance: int) -> PlannedChange:
        """An event of its own behind it: what is changed by now is planned anew."""
        change = self.change(instance, {})
        return change.model_copy(update={"event_id": f"{self.event_id}.{instance}"})


def look_at_instance(
    agency: AgencyDatabase, which: str, changes: Changes, request: ChangeRequest, progress: Progress
) -> Done:
    """What a change of an instance would do; nothing is written.

    Raises RequestError where it cannot be done.
    """
    config = agency.config()
    with agency.open(steady=False) as source, map_errors(source.path):
        found = Campaigns.read(source.connection)
        row = found.instance(which)
        wanted = _wanted(row, changes, request)
        done_before = _done_before(source.connection, request)
        after = found.with_row(row | wanted)
        (instance,) = (each for each in after.instances(request.as_of) if each.id == row["id"])
        affected = concerned(source, config, request.as_of, after, [instance.id], progress)
        return Done(
            database=agency.name,
            what="instance",
            instance_id=instance.id,
            name=instance.name,
            campaign_type=instance.type_name,
            changes=_differing(row, wanted),
            event_id=request.event_id,
            outcome="done before" if done_before else "dry run",
            affected=affected,
            state=_state(after, instance.id, request.as_of),
        )


def look_at_type(
    agency: AgencyDatabase, name: str, changes: Changes, request: ChangeRequest, progress: Progress
) -> tuple[Done, list[int]]:
    """The same for a type; and its instances, all of which it concerns."""
    values, config = type_changes(changes), agency.config()
    check_event_id(request.event_id)
    with agency.open(steady=False) as source, map_errors(source.path):
        found = Campaigns.read(source.connection)
        row = found.type(name)
        after = found.with_type(row | values)
        instances = [int(each["id"]) for each in found.of_type(name)]
        done_before = _done_before(source.connection, request)
        affected = concerned(source, config, request.as_of, after, instances, progress)
        done = Done(
            database=agency.name,
            what="type",
            name=name,
            campaign_type=name,
            changes=_differing(row, values),
            event_id=request.event_id,
            outcome="done before" if done_before else "dry run",
            affected=affected,
        )
        return done, instances


def write_instance(
    agency: AgencyDatabase, looked: Done, request: ChangeRequest, progress: Progress
) -> Done:
    """Write the change that was looked at, and log it, in one transaction."""
    if looked.outcome == "done before":
        return looked
    if not looked.changes:
        return looked.model_copy(update={"outcome": "nothing to change"})
    changes: Changes = {each.field: each.new for each in looked.changes}

    def edit(connection: apsw.Connection) -> Done:
        tables.complete_tables(connection)
        found = Campaigns.read(connection)
        row = found.instance(str(looked.instance_id))
        wanted = _wanted(row, changes, request)  # others may have changed it meanwhile
        written = write_change(
            connection,
            event_id=request.event_id,
            instance_id=int(row["id"]),
            changes=wanted,
            changed_by=request.changed_by,
            now=request.timestamp,
        )
        outcome = "written" if written else "done before"
        return looked.model_copy(update={"outcome": outcome, "changes": _differing(row, wanted)})

    return agency.edit(edit, "campaign", request.now, progress)


def write_type(
    agency: AgencyDatabase, looked: Done, request: ChangeRequest, progress: Progress
) -> Done:
    """The same for a type."""
    if looked.outcome == "done before":
        return looked
    if not looked.changes:
        return looked.model_copy(update={"outcome": "nothing to change"})
    values = {each.field: int(each.new or 0) for each in looked.changes}

    def edit(connection: apsw.Connection) -> Done:
        tables.complete_tables(connection)
        row = Campaigns.read(connection).type(looked.name)
        written = write_type_change(
            connection,
            event_id=request.event_id,
            type_name=looked.name,
            changes=values,
            changed_by=request.changed_by,
            now=request.timestamp,
        )
        outcome = "written" if written else "done before"
        return looked.model_copy(update={"outcome": outcome, "changes": _differing(row, values)})

    return agency.edit(edit, "campaign", request.now, progress)


def add_type(
    agency: AgencyDatabase,
    name: str,
    changes: Changes,
    request: ChangeRequest,
    dry_run: bool,
    progress: Progress,
) -> Done:
    """A new type: the fields that are not given have their defaults. RequestError."""
    values = {field: int(default) for field, default in TYPE_DEFAULTS.items()}
    values |= type_changes(changes)

    def edit(connection: apsw.Connection) -> Done:
        if not dry_run:
            tables.complete_tables(connection)
        check_new_type(Campaigns.read(connection), name)
        if not dry_run:
            tables.add_row(
                connection, "campaign_types", {"name": name, **values, **_times(request)}
            )
        return Done(
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

    return _edited(agency, edit, request, dry_run, progress)


def add_instance(
    agency: AgencyDatabase,
    type_name: str,
    name: str,
    changes: Changes,
    request: ChangeRequest,
    dry_run: bool,
    progress: Progress,
) -> Done:
    """A new instance of a type that is there. RequestError."""
    values = dict(campaign_change(_ORG, request.change(0, changes)).changes)
    names: Record = {"campaign_type": type_name, "instance_name": name}

    def edit(connection: apsw.Connection) -> Done:
        if not dry_run:
            tables.complete_tables(connection)
        found = Campaigns.read(connection)
        check_new_instance(found, type_name, name)
        check_instance(names | values, values)
        number, state = None, None
        if not dry_run:
            row = names | values | _times(request)
            number = tables.add_row(connection, "campaign_instances", row)
            state = _state(Campaigns.read(connection), number, request.as_of)
        return Done(
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

    return _edited(agency, edit, request, dry_run, progress)


def plan_file(
    path: Path, config: Config, changes: Sequence[PlannedChange], as_of: dt.date, progress: Progress
) -> Replanned:
    """Apply the changes to a file and plan whom they concern, in one transaction."""
    summary = run_file(path, config, RunOptions(as_of=as_of, changes=changes), progress)
    return Replanned(
        run_id=summary.run_id, contacts=summary.contacts_in_scope, changes=summary.changes
    )


def _edited(
    agency: AgencyDatabase, edit: Any, request: ChangeRequest, dry_run: bool, progress: Progress
) -> Done:
    """What the edit gives; first on the database as it is, so that a mistake is told at once."""
    if dry_run:
        with agency.open(steady=False) as source, map_errors(source.path):
            done: Done = edit(source.connection)
            return done
    written: Done = agency.edit(edit, "campaign", request.now, progress)
    return written


def _wanted(row: Record, changes: Changes, request: ChangeRequest) -> Changes:
    """The fields of a row that are to be other than they are; RequestError."""
    number = int(row["id"])
    wanted = dict(campaign_change(_ORG, request.change(number, changes)).changes)
    check_instance(row | wanted, wanted)
    return {each.field: each.new for each in _differing(row, wanted)}


def _differing(row: Record, wanted: Mapping[str, str | int | None]) -> list[FieldChange]:
    pairs = [(field, _text(row.get(field)), _text(new)) for field, new in sorted(wanted.items())]
    return [
        FieldChange(field=field, old=old, new=new)
        for field, old, new in pairs
        if (old or "") != (new or "")
    ]


def _done_before(connection: apsw.Connection, request: ChangeRequest) -> bool:
    there = Columns(describe(connection, "campaign_change_log")).has("event_id")
    return there and is_logged(connection, request.event_id)


def _state(found: Campaigns, number: int, as_of: dt.date) -> str:
    (instance,) = (each for each in found.instances(as_of) if each.id == number)
    return found.line(instance, as_of).state_words


def _times(request: ChangeRequest) -> Record:
    return {"created_at": request.timestamp, "updated_at": request.timestamp}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
