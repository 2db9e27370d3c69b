"""The last check before a commit: no suppressed contact has a message to be sent.

It queries the database to be committed with SQL of its own, independent of planning, so that an
omission there cannot be committed.
"""

from __future__ import annotations

import apsw
import numpy as np

from almanac.contact_ranges import in_ranges
from almanac.database.suppressions import IN_FORCE, of_contact, planned, suppressed
from almanac.errors import Corrupt
from almanac.frames import Ids
from almanac.runs.balance import Balanced
from almanac.runs.fragment_validation import judged
from almanac.schedule_status import suppression_reason


def check_suppressed(connection: apsw.Connection, balanced: Balanced, affected: Ids | None) -> None:
    """Raise BadFragment for the shard of the first suppressed contact with a message, if any.

    Called at the end of the run's transaction. Contacts outside the scope are not checked.
    affected: of a run for changes, the contacts of its messages.
    """
    plan = balanced.plan
    day, settings = plan.as_of.isoformat(), plan.context.config.contacts
    contacts = in_ranges(in_ranges(suppressed(connection, day, settings), plan.shards), plan.scope)
    if affected is not None:
        contacts = np.intersect1d(contacts, affected)
    for contact, date in planned(connection, contacts, day):
        found = of_contact(connection, contact, day, settings, of_all=True)
        row = next((r for r in found if r.state == IN_FORCE), None)
        if row is None:
            continue  # ids are not unique: another contact with this id is suppressed
        (shard,) = (n for n, (first, last) in enumerate(plan.shards) if first <= contact <= last)
        with judged(shard, balanced.fragments[shard].name):
            why = suppression_reason(row.reason).text
            raise Corrupt(f"contact {contact} gets nothing ({why}), yet has a message on {date}")
