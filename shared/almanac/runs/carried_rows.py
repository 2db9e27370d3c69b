"""Planned rows in columns from before a run, and whose rows the run changes in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import apsw
import numpy as np

from almanac.contact_ranges import ContactRange
from almanac.database.changed_contacts import ChangedContacts
from almanac.database.planned_pieces import PlannedPieces
from almanac.runs.run_plan import RunPlan

MOST_CHANGED = 0.2  # of the contacts; with more of them, the columns save no time


@dataclass
class CarriedRows:
    """What a run takes over. pieces: None if nothing is known of what the database has."""

    pieces: PlannedPieces | None = None
    _noted: ChangedContacts | None = field(default=None, init=False)

    def begin(self, connection: apsw.Connection, contacts: int) -> None:
        """Note from now on whose rows the connection changes; contacts: how many there are."""
        if self.pieces is not None:
            self._noted = ChangedContacts(connection, int(contacts * MOST_CHANGED))

    def watch(self) -> None:
        """Stop if too much has changed; to be called during the write."""
        if self._noted is not None:
            self._noted.check()

    def end(self, *, migrated: bool) -> None:
        """Take what the connection has changed. migrated: the schema too, so that is not known."""
        noted = self._noted.take() if self._noted is not None else None
        self._noted = None
        if self.pieces is None or noted is None or migrated:
            self.pieces = None
        else:
            self.pieces = replace(self.pieces, changed=np.union1d(self.pieces.changed, noted))

    def ranges(self, plan: RunPlan) -> Sequence[ContactRange] | None:
        """Return by which ranges the columns after the run are made; None for none.

        If nothing is taken over, only a run over all contacts reads the whole table.
        """
        if plan.of_all_contacts:
            return plan.shards
        return self.pieces.index.ranges() if self.pieces is not None else None
