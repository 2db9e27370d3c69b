"""Apply entries about targets: contacts that campaigns are to reach, or not any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import apsw
import numpy as np

from almanac import civil
from almanac.campaigns.repository import Campaigns
from almanac.database import target_removal
from almanac.database.campaigns import complete_tables
from almanac.database.contact_columns import contacts_of
from almanac.database.contact_lookup import ContactLookup, only_contact
from almanac.database.refused_rows import check_written
from almanac.database.target_import import TargetImport
from almanac.email_address import clean_address
from almanac.errors import RequestError
from almanac.frames import NO_DAY
from almanac.intake.applied import Absorption, Applied, pairs_of
from almanac.intake.contact_values import read_address
from almanac.intake.entries import JsonObject, TargetEntry
from almanac.intake.events import RefusedEntry
from almanac.intake.parts import in_parts
from almanac.json_text import json_text


@dataclass
class _Target:
    """A valid entry."""

    entry: int
    action: str
    instance: int
    contact: int
    day: int  # NO_DAY without a trigger date
    metadata: JsonObject


def apply(
    connection: apsw.Connection,
    entries: Sequence[tuple[int, TargetEntry]],
    absorption: Absorption,
) -> Applied:
    """Add and remove targets in the order of the entries, inside the caller's transaction.

    A target that exists gets the metadata of the entry beside its own. Without a trigger date all
    targets that the contact has in the instance are removed; one whose message was sent stays.
    """
    complete_tables(connection)
    result = Applied()
    found = list(_resolved(connection, entries, absorption, result.refused))

    def write(group: Sequence[_Target]) -> Applied:
        change = _add if group[0].action == "add" else _remove
        return change(connection, group[0].instance, group, absorption)

    for group in _groups(found):
        done, wrong = in_parts(connection, group, write)
        result.changed += sum(part.changed for part in done)
        result.refused += [each for part in done for each in part.refused]
        result.refused += [RefusedEntry(each.entry, why) for each, why in wrong]
    refused = {each.index for each in result.refused}
    result.affected = pairs_of(
        [(each.entry, each.contact) for each in found if each.entry not in refused]
    )
    return result


def _resolved(
    connection: apsw.Connection,
    entries: Sequence[tuple[int, TargetEntry]],
    absorption: Absorption,
    refused: list[RefusedEntry],
) -> Iterator[_Target]:
    """Yield the entries that name an instance and a contact; the others are refused."""
    instances = {int(row["id"]) for row in Campaigns.read(connection).rows}
    columns = contacts_of(connection, absorption.config.contacts)
    lookup = ContactLookup(connection, columns)
    there = columns.table is not None
    ids = {entry.contact_id for _, entry in entries if entry.contact_id is not None}
    by_id = lookup.with_ids(ids) if there else {}
    addresses = {clean_address(entry.email).lower() for _, entry in entries if entry.email}
    by_address = absorption.addresses.among(addresses, lookup) if there else {}
    for number, entry in entries:
        try:
            if entry.campaign_instance_id not in instances:
                raise RequestError(
                    f"campaign_instance_id: there is no instance {entry.campaign_instance_id}"
                )
            contact = entry.contact_id
            if contact is None:
                address = read_address("email", entry.email).lower()
                contact = only_contact(by_address.get(address, []), f"email: {address!r}")
            elif contact not in by_id:
                raise RequestError(f"contact_id: there is no contact {contact}")
        except RequestError as error:
            refused.append(RefusedEntry(number, str(error)))
            continue
        day = NO_DAY if entry.trigger_date is None else civil.day_of(entry.trigger_date)
        yield _Target(
            *(number, entry.action, entry.campaign_instance_id, contact, day),
            metadata=entry.metadata or {},
        )


def _groups(targets: Iterable[_Target]) -> Iterator[list[_Target]]:
    """Yield the targets of an action and an instance; actions stay in order."""
    for _, run in groupby(targets, lambda each: each.action):
        by_instance = sorted(run, key=lambda each: each.instance)
        for _, group in groupby(by_instance, lambda each: each.instance):
            yield list(group)


def _add(
    connection: apsw.Connection, instance: int, group: Sequence[_Target], absorption: Absorption
) -> Applied:
    """Add targets; count the rows that are added or changed."""
    wanted: dict[tuple[int, int], JsonObject] = {}
    for each in group:  # the same target twice is one
        metadata = wanted.setdefault((each.contact, each.day), {})
        metadata.update(each.metadata)
    contacts, days = np.array(list(wanted), np.int64).T
    texts = [json_text(each) if each else None for each in wanted.values()]
    lines = np.arange(1, len(wanted) + 1)
    settings = absorption.config.contacts
    targets = TargetImport(connection, instance, settings, None, np.unique(contacts))
    first = targets.gather(contacts, days.astype(np.int32), lines, texts)
    added = int(np.count_nonzero(first == lines))
    targets.write(absorption.timestamp)
    check_written(connection, added)
    changed = targets.update(absorption.timestamp)
    targets.close()
    return Applied(changed=added + changed)


def _remove(
    connection: apsw.Connection, instance: int, group: Sequence[_Target], _: Absorption
) -> Applied:
    """Remove targets; count the rows that go."""
    result = Applied()
    contacts = np.unique([each.contact for each in group])
    there = target_removal.targets(connection, instance, contacts)
    rows_of: dict[int, list[int]] = {}
    for at, contact in enumerate(there.contacts.tolist()):
        rows_of.setdefault(contact, []).append(at)
    gone: set[int] = set()
    for each in group:
        rows = rows_of.get(each.contact, [])
        chosen = [at for at in rows if each.day in (NO_DAY, there.days[at])]
        if chosen and all(there.sent[at] for at in chosen):
            why = "the message of this target was sent: the target stays"
            result.refused.append(RefusedEntry(each.entry, why))
        gone |= {at for at in chosen if not there.sent[at]}
    if gone:
        target_removal.remove(connection, there.ids[sorted(gone)])
        check_written(connection, len(gone))
    result.changed = len(gone)
    return result
