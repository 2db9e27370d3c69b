"""What entries about contacts ask for, before any contact is looked up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from almanac.config_problems import near
from almanac.database.contact_lookup import Value
from almanac.database.contact_writing import ContactFields
from almanac.errors import RequestError
from almanac.intake.contact_values import read_address, read_value, unreadable
from almanac.intake.entries import ContactEntry
from almanac.intake.events import RefusedEntry
from almanac.validation_text import shown_value


@dataclass
class ContactChange:
    """A valid entry: whom it names, and what it writes, by column."""

    entry: int
    id: int | None
    address: str  # by which the contact is found without an id
    values: dict[str, Value]
    deactivate: bool = False


def read_changes(
    entries: Sequence[tuple[int, ContactEntry]], fields: ContactFields, today: dt.date
) -> tuple[list[ContactChange], list[RefusedEntry]]:
    """Return what the valid entries ask for, in their order, and why the others are refused."""
    tests = unreadable(today)
    to_test: dict[str, list[tuple[int, str, str]]] = {role: [] for role in tests}
    changes: list[ContactChange] = []
    refused: list[RefusedEntry] = []
    for number, entry in entries:
        try:
            change = _change(number, entry, fields)
        except RequestError as error:
            refused.append(RefusedEntry(number, str(error)))
            continue
        changes.append(change)
        for column, value in change.values.items():
            role = fields.roles[column]
            if role in to_test and value is not None:
                to_test[role].append((number, column, str(value)))
    wrong: dict[int, str] = {}
    for role, given in to_test.items():
        test, expected = tests[role]
        texts = pa.array([text for _, _, text in given], pa.string())
        for at in np.flatnonzero(test(texts)).tolist() if given else ():
            number, column, text = given[at]
            wrong.setdefault(number, f"{column}: {shown_value(text)} is not {expected}")
    refused += [RefusedEntry(number, why) for number, why in wrong.items()]
    return [change for change in changes if change.entry not in wrong], refused


def _change(number: int, entry: ContactEntry, fields: ContactFields) -> ContactChange:
    """Return what an entry asks for. Raises RequestError."""
    address = read_address("email", entry.email) if entry.email else ""
    if entry.action == "deactivate":
        if entry.columns:
            raise RequestError(f"{next(iter(entry.columns))}: deactivate takes no columns")
        return ContactChange(number, entry.id, address.lower(), {}, deactivate=True)
    values: dict[str, Value] = {fields.email: address} if address else {}
    for name, value in entry.columns.items():
        field = fields.by_name.get(name) or fields.by_name.get(name.strip().lower())
        if field is None:
            hint = near(name, list(fields.by_name)) or "; the table contacts has no such column"
            raise RequestError(f"{name}: is not a column that can be written{hint}")
        if not field.writable:
            what = "the id is the key id" if field.role == "id" else "the database computes it"
            raise RequestError(f"{name}: cannot be written: {what}")
        if field.column in values:
            raise RequestError(f"{name}: the column {field.column} is given twice")
        found = read_value(field.role, name, value)
        if field.role == "email" and found is None:
            raise RequestError(f"{name}: {value!r} is not an e-mail address")
        values[field.column] = found
    return ContactChange(number, entry.id, address.lower() if entry.id is None else "", values)
