"""Campaign types and instances created or changed by their fields, in the caller's transaction.

Each field that gets another value is logged with the old and the new one.
"""

from __future__ import annotations

import apsw

from almanac.campaigns.change_request import ChangeRequest, Changes
from almanac.campaigns.edit import differing, validated_change
from almanac.campaigns.repository import Campaigns
from almanac.campaigns.validation import check_new_instance, check_new_type, type_changes
from almanac.database.campaigns import add_row
from almanac.database.catalog import Record
from almanac.database.changes import write_change, write_type_change
from almanac.errors import RequestError
from almanac.planning.instance_fields import TYPE_DEFAULTS

_NAMES = ("campaign_type", "instance_name")


def define_type(
    connection: apsw.Connection,
    campaigns: Campaigns,
    name: str,
    changes: Changes,
    request: ChangeRequest,
) -> tuple[Campaigns, bool]:
    """Create a type, or change it; return the campaigns as they are then, and whether it did.

    campaigns: those of the database. Raises RequestError.
    """
    values, row = type_changes(changes), campaigns.find_type(name)
    if row is None:
        check_new_type(campaigns, name)
        values = {field: int(default) for field, default in TYPE_DEFAULTS.items()} | values
        row = {"name": name, **dict.fromkeys(values), **request.times}
        add_row(connection, "campaign_types", row)
    else:
        values = {each.field: values[each.field] for each in differing(row, values)}
    if values:
        write_type_change(
            connection,
            event_id=request.event_id,
            type_name=name,
            changes=values,
            changed_by=request.changed_by,
            now=request.timestamp,
        )
    return campaigns.with_type(row | values), bool(values)


def define_instance(
    connection: apsw.Connection,
    campaigns: Campaigns,
    names: Record,
    changes: Changes,
    request: ChangeRequest,
) -> tuple[Campaigns, int, bool]:
    """Create an instance, or change it; return the campaigns as they are then, its id, and whether
    it did.

    names: its id, or its campaign_type and instance_name. Raises RequestError.
    """
    row = _instance(campaigns, names)
    is_new = row is None
    if row is None:
        check_new_instance(campaigns, str(names["campaign_type"]), str(names["instance_name"]))
        row = {name: names[name] for name in _NAMES}
    wanted = validated_change({"id": 0} | row, changes, request)
    if is_new:
        row |= request.times
        row["id"] = add_row(connection, "campaign_instances", row)
    number = int(row["id"])
    if wanted or is_new:
        write_change(
            connection,
            event_id=request.event_id,
            instance_id=number,
            changes=wanted,
            changed_by=request.changed_by,
            now=request.timestamp,
        )
    return campaigns.with_row(row | wanted), number, is_new or bool(wanted)


def _instance(campaigns: Campaigns, names: Record) -> Record | None:
    """Return the row that the names mean, None for a new one. Raises RequestError."""
    if "id" in names:
        for row in campaigns.rows:
            if row["id"] == names["id"]:
                for name in _NAMES:
                    if name in names and names[name] != row.get(name):
                        raise RequestError(
                            f"{name}: {names[name]!r} is not that of instance {row['id']}, "
                            f"{row.get(name)!r}, which cannot be changed"
                        )
                return row
        raise RequestError(
            f"id: there is no instance {names['id']}; a new one is named by campaign_type and "
            "instance_name, and gets its id"
        )
    missing = [name for name in _NAMES if name not in names]
    if missing:
        raise RequestError(f"{missing[0]}: is missing; expected it, or id")
    for row in campaigns.of_type(str(names["campaign_type"])):
        if row.get("instance_name") == names["instance_name"]:
            return row
    return None
