"""The last check before a commit: no message goes to whom a suppression in force takes it from.

It queries the database to be committed with SQL of its own, independent of planning, so that an
omission there cannot be committed.
"""

from __future__ import annotations

import apsw
import numpy as np

from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import in_ranges
from almanac.database.suppressed_contacts import by_scope, planned
from almanac.database.suppression_lookups import phone_of
from almanac.database.suppressions import (
    ALL_MESSAGES,
    IN_FORCE,
    SUPPRESSIONS,
    Scope,
    Suppression,
    of_contact,
    of_number,
)
from almanac.database.triggers import may_be_changed
from almanac.errors import Corrupt
from almanac.frames import Ids
from almanac.runs.balance import Balanced
from almanac.runs.fragment_validation import judged
from almanac.schedule_status import suppression_reason


def check_suppressed(connection: apsw.Connection, balanced: Balanced, affected: Ids | None) -> None:
    """Raise BadFragment for the shard of the first message that is suppressed, if any.

    Suppressions of all messages, of messages of some types, and of text messages count. Called at
    the end of the run's transaction. Contacts outside the scope are not checked. affected: of a run
    for changes, the contacts of its messages.
    """
    plan = balanced.plan
    day, settings = plan.as_of.isoformat(), plan.context.config.contacts
    suppressed = balanced.facts.suppressed
    if may_be_changed(connection, "contacts", SUPPRESSIONS.name):  # the run itself changes neither
        suppressed = by_scope(connection, day, settings)
    for scope, ids in suppressed.items():
        contacts = in_ranges(in_ranges(ids, plan.shards), plan.scope)
        if affected is not None:
            contacts = np.intersect1d(contacts, affected)
        types = _types(balanced, scope)
        rows = planned(connection, contacts, day, types, with_text=scope.only_texts)
        for contact, date, email_type in rows:
            row = _row(connection, contact, scope, day, settings)
            if row is None:
                continue  # ids are not unique: another contact with this id is suppressed
            (shard,) = (
                n for n, (first, last) in enumerate(plan.shards) if first <= contact <= last
            )
            with judged(shard, balanced.fragments[shard].name):
                why = suppression_reason(row.reason).text
                taken, found = _in_words(scope, email_type)
                raise Corrupt(f"contact {contact} gets {taken} ({why}), yet has {found} on {date}")


def _types(balanced: Balanced, scope: Scope) -> set[str] | None:
    """Return which of the run's types of message are concerned; None for all."""
    if not scope.types:
        return None
    return {k.email_type for k in balanced.kind_table.kinds if scope.concerns(k.email_type)}


def _row(
    connection: apsw.Connection, contact: int, scope: Scope, day: str, settings: ContactColumns
) -> Suppression | None:
    """Return a suppression of the scope in force on the ISO date that concerns the contact."""
    rows = of_contact(connection, contact, day, settings)
    named = (row for row in rows if not row.phone.strip())
    found = [*named, *of_number(connection, phone_of(connection, contact, settings), day)]
    return next((row for row in found if row.state == IN_FORCE and row.scope == scope), None)


def _in_words(scope: Scope, email_type: str) -> tuple[str, str]:
    """Return what the suppressed contact does not get, and what was found."""
    if scope == ALL_MESSAGES:
        return "nothing", "a message"
    kind = f" {email_type}" if scope.types else ""
    return (f"no{kind} text message", "one") if scope.only_texts else (f"no{kind}", "one")
