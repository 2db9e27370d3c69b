"""A range of contacts planned together, and the case of any of them.

Explaining plans one contact alone. Here a range is planned once, and the case of a contact is cut
out of it: the same rows and the same plan, so that `explain` says the same sentences.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.balancing.occupancy import Limits
from almanac.contact_ranges import ContactRange
from almanac.database.catalog import Record
from almanac.database.occupancy import DayOccupancy
from almanac.database.reading import Snapshot
from almanac.explain.case import Case, planned_rows
from almanac.explain.model import PlannedRow
from almanac.frames import Codes, Ids, Index, Mask, ShardData
from almanac.joins import DaysByGroup, positions
from almanac.planning.brief import RunContext
from almanac.planning.history import AEP, Committed, History
from almanac.planning.kinds import KindTable
from almanac.planning.plan import ContactPlan, match_snapshot, plan_contacts
from almanac.planning.suppressions import holds_on
from almanac.planning.texts import mask
from almanac.runs.shard import read_range
from almanac.schedule_status import Status

# a row of these reached its contact, or is on its way
ON_THE_WAY = (Status.SCHEDULED, Status.PROCESSING, Status.SENT, Status.DELIVERED)


@dataclass(frozen=True)
class PlanningBasis:
    """What all blocks have in common."""

    context: RunContext
    kind_table: KindTable
    limits: Limits
    occupancy: DayOccupancy
    suppressions: list[Record]  # those in force, in the order of the table


@dataclass(frozen=True, eq=False)
class Block:
    """The contacts of a range and their plan."""

    basis: PlanningBasis
    data: ShardData  # only suppressions in force
    plan: ContactPlan
    previous_id: Ids  # by candidate: its planned row, 0 without
    previous_reason: Codes  # by candidate: 0 if the row is PRE_SCHEDULED

    @classmethod
    def read(cls, snapshot: Snapshot, basis: PlanningBasis, contacts: ContactRange) -> Block:
        """Read and plan the contacts of a range."""
        context, kind_table = basis.context, basis.kind_table
        data = read_range(snapshot, context, None, contacts)
        holds = holds_on(data.suppressions, civil.day_of(context.as_of))
        data = replace(data, suppressions=data.suppressions.filter(pa.array(holds)))
        plan = plan_contacts(data, context, kind_table)
        _, match = match_snapshot(data, plan, context, kind_table)
        columns = match.columns
        return cls(basis, data, plan, columns["previous_id"], columns["previous_reason"])

    @property
    def ids(self) -> Ids:
        """Return the ids of the contacts that can get messages."""
        return self.plan.batch.contacts.id

    @cached_property
    def ineligible(self) -> Ids:
        """Return the ids of the contacts that can get no messages at all."""
        return np.setdiff1d(self.plan.batch.scope, self.ids)

    @cached_property
    def on_the_way(self) -> Mask:
        """Return which rows of the history are sent, or with the sender."""
        statuses = self.data.committed["status"].take(pa.array(self._history.carried))
        return mask(pc.is_in(statuses, value_set=pa.array([str(each) for each in ON_THE_WAY])))

    @property
    def _history(self) -> Committed:
        return self.plan.history.rows

    def days_on_the_way(self, code: int) -> DaysByGroup:
        """Return the days of the rows of a type that are sent, or with the sender, by contact."""
        rows = self._history
        of_type = (rows.type == code) | (rows.campaign_aep & (code == AEP))
        chosen = of_type & self.on_the_way
        return DaysByGroup(rows.contact[chosen], rows.day[chosen])

    def row_of(self, contact_id: int) -> pa.Table:
        """Return the one row of a contact, whether it can get messages or not."""
        return self.data.contacts.slice(_slice(self._keys["contacts"], contact_id).start, 1)

    def case(self, contact: int) -> Case:
        """Return the case of the contact at a position; its follow-ups' metadata is that of all."""
        basis, contact_id = self.basis, int(self.ids[contact])
        names = ("contacts", "committed", "planned", "targets", "legacy")
        rows = {name: self._rows(name, contact_id) for name in names}
        data = replace(self.data, **rows)
        where = slice(*np.searchsorted(self.plan.drafts.contact, [contact, contact + 1]))
        matched = [int(row) for row in self.previous_id[where]]
        known: dict[int, PlannedRow] = planned_rows(data.planned, {}) if any(matched) else {}
        return Case(
            contact_id=contact_id,
            context=basis.context,
            kind_table=basis.kind_table,
            plan=self._plan(contact, where, data),
            data=data,
            limits=basis.limits,
            occupancy=basis.occupancy,
            suppressions=basis.suppressions,
            rows=[known.get(row) for row in matched],
            other_rows=[],
        )

    def _plan(self, contact: int, where: slice, data: ShardData) -> ContactPlan:
        plan, one = self.plan, np.array([contact], np.intp)
        batch, drafts = plan.batch, plan.drafts.take(where)
        contacts = batch.contacts.take(one)
        return replace(
            plan,
            batch=replace(
                batch,
                scope=contacts.id,
                contacts=contacts,
                exclusions=batch.exclusions.take(one),
                suppressed=batch.suppressed.take(one),
            ),
            history=History(data.committed, contacts.id, self.basis.context),
            drafts=replace(drafts, contact=np.zeros(len(drafts), np.intp)),
            sifted=plan.sifted.take(where),
        )

    @cached_property
    def _keys(self) -> dict[str, Ids]:
        """Return the contact of each row of the tables, which come in contact order."""
        names = ("committed", "planned", "targets", "legacy")
        keys = {name: getattr(self.data, name)["contact_id"].to_numpy() for name in names}
        return keys | {"contacts": self.data.contacts["id"].to_numpy()}

    def _rows(self, name: str, contact_id: int) -> pa.Table:
        where = _slice(self._keys[name], contact_id)
        table: pa.Table = getattr(self.data, name)
        return table.slice(where.start, where.stop - where.start)

    def positions(self, contact_ids: Ids) -> Index:
        """Return where contacts that can get messages are, -1 for others."""
        return positions(self.ids, contact_ids)


def _slice(keys: Ids, key: int) -> slice:
    return slice(*(int(np.searchsorted(keys, key, side)) for side in ("left", "right")))
