"""All contacts with an issue, in a state, with messages skipped for a reason, or of a campaign.

Issues and states are found by the code that counts them (`planning.contacts`), a range of contacts
at a time; messages are read in batches. Memory is bounded by a range or a batch, and the ids of all
contacts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import apsw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.config import Config
from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import covering
from almanac.database.contact_reader import PERSON, ContactReader
from almanac.database.message_rows import (
    MessageRow,
    rows_of_campaign,
    skip_reasons,
    skipped_rows,
    targets_of_campaign,
)
from almanac.database.range_tables import contacts_table
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.errors import RequestError
from almanac.organizations.brief import run_context_of
from almanac.planning.contact_states import states_of
from almanac.planning.contacts import ISSUE_ADVICE, read_contacts
from almanac.planning.kinds import KindTable
from almanac.rules.states import STATE_NAMES, USPS_STATES

BATCH = 100_000  # contacts that are read at a time
UNKNOWN = "unknown"
NO_MESSAGE = "target without a message"


class ListedContact(NamedTuple):
    """A contact, and what it is listed for; '' for what there is not."""

    id: int
    first_name: str
    last_name: str
    email: str
    phone: str
    state: str
    zip_code: str
    status: str
    message: str  # the type of the message
    date: str  # of the message, or the trigger date of a target
    message_status: str
    detail: str  # of the issue, or the skip reason

    @property
    def name(self) -> str:
        """Return the name of the contact."""
        return f"{self.first_name} {self.last_name}".strip()


def with_issue(
    source: Source, config: Config, issue: str, today: dt.date
) -> Iterator[ListedContact]:
    """Yield the contacts that have an issue today, as `almanac check` counts them, by id.

    Raises RequestError for an unknown issue.
    """
    if issue not in ISSUE_ADVICE:
        known = ", ".join(ISSUE_ADVICE)
        raise RequestError(f"--issue: {issue!r} is not an issue; expected one of {known}")
    snapshot = Snapshot(source)
    context = run_context_of(snapshot, config, today, today)
    kind_table, suppressions = KindTable(context), snapshot.suppressions()

    def matching(table: pa.Table) -> dict[int, str]:
        found = read_contacts(table, suppressions, context, kind_table).issues
        found = found.filter(pc.equal(found["issue"], issue))
        return dict(
            zip(*(found[name].to_pylist() for name in ("contact_id", "detail")), strict=True)
        )

    return _in_ranges(source, snapshot, config.contacts, matching)


def in_state(source: Source, config: Config, state: str) -> Iterator[ListedContact]:
    """Yield the contacts whose state this is, by column or ZIP code as the rules have it, by id.

    state: a USPS code, the name of a state, or UNKNOWN. Raises RequestError for any other.
    """
    word = state.strip().upper()
    code = STATE_NAMES.get(word, word)
    if word != UNKNOWN.upper() and code not in USPS_STATES:
        raise RequestError(
            f"--state: {state!r} is no state; expected a code such as CA, a name, or {UNKNOWN}"
        )
    wanted = -1 if word == UNKNOWN.upper() else list(USPS_STATES).index(code)

    def matching(table: pa.Table) -> dict[int, str]:
        ids = table["id"].to_numpy()[states_of(table) == wanted]
        return dict.fromkeys(ids.tolist(), "")

    return _in_ranges(source, Snapshot(source), config.contacts, matching)


def skipped_for(
    connection: apsw.Connection, config: Config, reason: str, since: dt.date
) -> Iterator[ListedContact]:
    """Yield a line for each message from a date on that is skipped for a reason, by date.

    reason: its text, or how that begins, in any case. Raises RequestError with the reasons that
    there are if none begins so.
    """
    there = skip_reasons(connection, since)
    wanted = [text for text in there if text.casefold().startswith(reason.strip().casefold())]
    if not wanted or not reason.strip():
        known = "; ".join(f"{text} ({count:,})" for text, count in list(there.items())[:20])
        raise RequestError(
            f"--skip-reason: no message is skipped for {reason!r} from {since} on; "
            + (f"there are: {known}" if known else "none is skipped")
        )
    batches = skipped_rows(connection, since, wanted)
    return _with_names(connection, config.contacts, batches, lambda row: row.skip_reason)


def of_campaign(
    connection: apsw.Connection, config: Config, instance: int
) -> Iterator[ListedContact]:
    """Yield a line for each message of a campaign instance, follow-ups too, then for each target
    of a contact that has none."""
    reached: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []

    def messages() -> Iterator[list[MessageRow]]:
        for batch in rows_of_campaign(connection, instance):
            reached.append(np.unique(np.array([row.contact_id for row in batch], np.int64)))
            yield batch

    yield from _with_names(connection, config.contacts, messages(), lambda row: row.skip_reason)
    known = np.unique(np.concatenate(reached)) if reached else np.empty(0, np.int64)

    def targets() -> Iterator[list[MessageRow]]:
        for batch in targets_of_campaign(connection, instance):
            ids = np.array([row.contact_id for row in batch], np.int64)
            left = ~np.isin(ids, known)
            yield [row for row, keep in zip(batch, left.tolist(), strict=True) if keep]

    yield from _with_names(connection, config.contacts, targets(), lambda row: NO_MESSAGE)


def _in_ranges(
    source: Source,
    snapshot: Snapshot,
    settings: ContactColumns,
    matching: Callable[[pa.Table], dict[int, str]],
) -> Iterator[ListedContact]:
    """Yield the contacts that `matching` returns of each range, with the details that it gives."""
    search = ContactReader(source.connection, settings)
    ids = snapshot.contact_ids(settings)
    for each in covering(ids[BATCH::BATCH].tolist()):
        found = matching(snapshot.read(contacts_table(settings), each))
        people = search.with_ids(found) if found else {}
        for contact_id, detail in found.items():
            if contact_id in people:
                yield _listed(people[contact_id], ("", "", "", detail))


def _with_names(
    connection: apsw.Connection,
    settings: ContactColumns,
    batches: Iterable[list[MessageRow]],
    detail: Callable[[MessageRow], str],
) -> Iterator[ListedContact]:
    """Yield the rows of contacts that exist, with their names."""
    search = ContactReader(connection, settings)
    for batch in batches:
        people = search.with_ids({row.contact_id for row in batch})
        for row in batch:
            if row.contact_id in people:
                message = (row.email_type, row.date[:10], row.status, detail(row))
                yield _listed(people[row.contact_id], message)


def _listed(person: dict[str, object], message: tuple[str, str, str, str]) -> ListedContact:
    return ListedContact._make([*(person[name] for name in PERSON), *message])
