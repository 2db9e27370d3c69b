"""Whether the state of any contact can be read, which `almanac run` asks for."""

from __future__ import annotations

from almanac.config import Config
from almanac.database.reading import Snapshot
from almanac.planning.contact_states import UNKNOWN, states_of
from almanac.planning.texts import trimmed

BLOCK = 50_000  # rows of contacts
FIRST_ROWS = 500  # of most files one of these has a state that can be read
EXAMPLES = 3


def no_state_read(snapshot: Snapshot, config: Config) -> str | None:
    """Return why no contact's state can be read, or None if one can.

    None also if nothing depends on it: no contact with a usable id, no state with a rule, or a
    configuration that sends nothing to contacts of unknown state. Raises as
    `Snapshot.contact_columns`.
    """
    columns = snapshot.contact_columns(config.contacts)
    if not any(config.rules.values()):
        return None
    if not config.organization.send_without_zipcode_for_universal or columns.table is None:
        return None
    contacts, found = snapshot.total_contacts(), set[str]()
    if not contacts:
        return None
    if not (columns.has("state") or columns.has("zip_code")):
        why = "the table has neither column"
    else:
        for first in (0, *range(FIRST_ROWS, contacts, BLOCK)):
            rows = snapshot.state_texts(config.contacts, first, BLOCK if first else FIRST_ROWS)
            if (states_of(rows) > UNKNOWN).any():
                return None
            for name in rows.column_names:
                found.update(trimmed(rows, name).unique().to_pylist()[: EXAMPLES + 1])
        examples = sorted(found - {""})[:EXAMPLES]
        named = ", ".join(repr(each[:40]) for each in examples)
        why = f"found {named}" if named else "they are empty"
    if not len(snapshot.contact_ids(config.contacts)):
        return None
    maybe = {
        name: column
        for name, column in snapshot.likely_columns(config.contacts).items()
        if name in _STATES
    }
    there = " and ".join(f"`{column}`" for column in maybe.values())
    return (
        f"neither state nor ZIP code of any of the {contacts:,} contacts can be read ({why}"
        + (f"; there is {there}" if there else "")
        + "), so no state's rule would protect any of them"
    )


_STATES = ("state", "zip_code")
