"""The campaign types and instances of a database, found by name or id."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import apsw

from almanac.campaigns.model import InstanceLine, State
from almanac.config import Config
from almanac.database.catalog import Record
from almanac.database.keyed import keyed_records
from almanac.errors import RequestError
from almanac.planning.brief import Instance, make_run_context
from almanac.planning.instance_fields import type_fields
from almanac.report.text import listed

NAMES_SHOWN = 10  # in an error


@dataclass(frozen=True)
class Campaigns:
    """The rows of campaign_types and campaign_instances."""

    types: list[Record]
    rows: list[Record]

    @classmethod
    def read(cls, connection: apsw.Connection) -> Campaigns:
        """Read both tables."""
        types, rows = (keyed_records(connection, f"campaign_{t}") for t in ("types", "instances"))
        return cls(types, rows)

    def with_row(self, row: Mapping[str, Any]) -> Campaigns:
        """Return the campaigns with this instance replaced by its id, or added."""
        others = [each for each in self.rows if each["id"] != row["id"]]
        return Campaigns(self.types, [*others, dict(row)])

    def with_type(self, row: Mapping[str, Any]) -> Campaigns:
        """Return the campaigns with this type replaced by its name, or added."""
        others = [each for each in self.types if each["name"] != row["name"]]
        return Campaigns([*others, dict(row)], self.rows)

    def instances(self, as_of: dt.date) -> list[Instance]:
        """Return the instances as planning reads them."""
        return make_run_context(
            as_of=as_of,
            t0=as_of,
            config=Config(),
            campaign_types=self.types,
            campaign_instances=self.rows,
        ).instances

    def instance(self, text: str) -> Record:
        """Return the row of the instance with this id, or else this name; raise RequestError."""
        by_id = [row for row in self.rows if str(row["id"]) == text.strip()]
        found = by_id or [row for row in self.rows if row.get("instance_name") == text]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(f"{row['id']} ({row['campaign_type']})" for row in found)
            raise RequestError(f"campaign {text!r}: several have this name: {ids}; give the id")
        names = {f"{row['id']} {row.get('instance_name')}": row for row in self.rows}
        near = _near(text, {str(row.get("instance_name")) for row in self.rows})
        hint = (
            near or f"there are {listed(list(names), NAMES_SHOWN)}"
            if names
            else "there is none yet"
        )
        raise RequestError(f"campaign {text!r}: no instance has this id or name; {hint}")

    def type(self, name: str) -> Record:
        """Return the row of the type; raise RequestError if it is unknown."""
        row = self.find_type(name)
        if row is not None:
            return row
        names = [str(row["name"]) for row in self.types]
        hint = _near(name, names) or (
            f"there are {listed(names, NAMES_SHOWN)}" if names else "there is none yet"
        )
        raise RequestError(f"campaign type {name!r}: there is no such type; {hint}")

    def find_type(self, name: str) -> Record | None:
        """Return the row of the type, None if there is none."""
        return next((row for row in self.types if row["name"] == name), None)

    def of_type(self, name: str) -> list[Record]:
        """Return the rows of the instances of a type."""
        return [row for row in self.rows if row.get("campaign_type") == name]

    def line(self, instance: Instance, as_of: dt.date) -> InstanceLine:
        """Return an instance with its state on a day, and without counts."""
        return InstanceLine(
            instance_id=instance.id,
            name=instance.name,
            campaign_type=instance.type_name,
            start=instance.active_start,
            end=instance.active_end,
            state=self._state(instance, as_of),
            problem=instance.why_silent if instance.silent_aep else instance.problem,
        )

    def _state(self, instance: Instance, as_of: dt.date) -> State:
        if instance.problem is not None:
            return "left out"
        if instance.silent_aep:
            return "lends" if instance.lends_aep else "silent"
        if not type_fields(self.type(instance.type_name))["active"]:
            return "inactive"
        if instance.active_start is not None and instance.active_start > as_of:
            return "begins"
        if instance.active_end is not None and instance.active_end < as_of:
            return "ended"
        return "active"


def _near(name: str, names: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, [str(each) for each in names], n=3)
    return f"did you mean {' or '.join(found)}?" if found else ""
