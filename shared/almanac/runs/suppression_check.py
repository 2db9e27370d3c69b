"""The last look before a commit: nobody who is suppressed is left with a message to be sent.

It asks the database that is about to be published, by SQL of its own, and knows nothing of how the
planning comes to its plan: what that has forgotten does not get any further.
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
    """BadFragment, of the first such contact's shard, if the run left a suppressed one a message.

    Called at the end of the run's transaction. Rows of contacts outside the scope are none of the
    run's, whatever they are. affected: of a run for changes, the contacts of its messages.
    """
    plan = balanced.plan
    day = plan.as_of.isoformat()
    contacts = in_ranges(in_ranges(suppressed(connection, day), plan.shards), plan.scope)
    if affected is not None:
        contacts = np.intersect1d(contacts, affected)
    for contact, date in planned(connection, contacts, day):
        row = next((r for r in of_contact(connection, contact, day) if r.state == IN_FORCE), None)
        if row is None:
            continue  # of several with this id, in a table without an order, another is suppressed
        (shard,) = (n for n, (first, last) in enumerate(plan.shards) if first <= contact <= last)
        with judged(shard, balanced.fragments[shard].name):
            why = suppression_reason(row.reason).text
            raise Corrupt(f"contact {contact} gets nothing ({why}), yet has a message on {date}")
