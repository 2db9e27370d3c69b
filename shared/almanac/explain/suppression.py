"""The row of suppressions, or the opt-out column, that takes a message away (semantics:
Contacts)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from almanac import civil
from almanac.database.catalog import Record
from almanac.database.suppressions import SMS
from almanac.explain.case import Case
from almanac.explain.model import Decision, Input
from almanac.phone_number import bare_number, is_number
from almanac.planning.suppressions import holds_on
from almanac.schedule_status import SkipReason

_COLUMNS = ("id", "email", "contact_id", "phone", "reason", "source", "channel", "email_types")


@dataclass(frozen=True)
class SuppressionRow:
    """A row of suppressions that is in force."""

    record: Record

    @property
    def inputs(self) -> dict[str, Input]:
        """Return its columns."""
        named: dict[str, Input] = {
            name: value if type(value := self.record[name]) is int else str(value or "")
            for name in _COLUMNS
            if name in self.record
        }
        return named | {name: self._date(name) for name in ("since", "until")}

    @property
    def takes(self) -> str:
        """Return which messages it takes away, as text."""
        types = str(self.record.get("email_types") or "").strip()
        by_number = str(self.record.get("phone") or "").strip()
        texts = by_number or str(self.record.get("channel") or "").strip().lower() == SMS
        if not types:
            return "text messages" if texts else "every message"
        return f"text messages of the types {types}" if texts else f"messages of the types {types}"

    @property
    def in_words(self) -> str:
        """Return its reason, its bounds and what it is about."""
        words = [str(self.record.get("reason") or "no reason given")]
        words += [f"{name} {day}" for name in ("since", "until") if (day := self._date(name))]
        types = str(self.record.get("email_types") or "").strip()
        words += [f"only {types}"] if types else []
        if str(self.record.get("phone") or "").strip():
            words.append(f"the number {self.record['phone']}")
        if "id" in self.record:
            words.append(f"row {self.record['id']}")
        return ", ".join(words)

    def _date(self, name: str) -> Input:
        return civil.parse_date(str(self.record.get(name) or ""))


def suppression_rows(case: Case) -> list[SuppressionRow]:
    """Return the rows in force that concern the contact by its id, its address or its number."""
    return [row for row, holds in rows_concerning(case) if holds]


def rows_concerning(case: Case) -> list[tuple[SuppressionRow, bool]]:
    """Return the rows that concern the contact, and whether each is in force."""
    contact = case.data.contacts.to_pylist()[0]
    email = contact["email"].strip().lower()
    number = bare_number(contact["phone_number"]) if is_number(contact["phone_number"]) else ""
    holds = holds_on(case.data.suppressions, civil.day_of(case.context.as_of))
    return [
        (SuppressionRow(case.suppressions[at]), bool(holds[at]))
        for at, row in enumerate(case.data.suppressions.to_pylist())
        if (
            bare_number(row["phone"]) == number != ""
            if row["phone"].strip()
            else row["contact_id"] == contact["id"] != 0 or row["email"] == email != ""
        )
    ]


def suppression_row(case: Case, row: int, *, texts: bool = False) -> SuppressionRow | None:
    """Return the row that takes away a candidate, or its text message; None without one."""
    drafts = case.plan.drafts
    at = case.plan.batch.suppressed.row_of(
        int(drafts.contact[row]), int(drafts.kind[row]), case.kind_table.kinds, texts=texts
    )
    if at is None:
        return None
    in_force = np.flatnonzero(holds_on(case.data.suppressions, civil.day_of(case.context.as_of)))
    return SuppressionRow(case.suppressions[int(in_force[at])])


def suppressed(case: Case, row: int, reason: SkipReason) -> Decision:
    """Return what takes the candidate away."""
    return suppressed_by(suppression_row(case, row), reason, case.kind(row).email_type)


def suppressed_by(found: SuppressionRow | None, reason: SkipReason, email_type: str) -> Decision:
    """Return that a row of suppressions, or without one the opt-out column, takes a message."""
    if found is None:
        return Decision(
            step="Suppression",
            section="Contacts",
            why=f"The contact has opted out (column {reason.detail}): nothing is sent.",
            inputs={"opt-out column": reason.detail},
        )
    types = str(found.record.get("email_types") or "").strip()
    what = f"messages of the type {email_type} are not sent" if types else ""
    return Decision(
        step="Suppression",
        section="Contacts",
        why=f"The contact is suppressed ({found.in_words}): {what or 'nothing is sent'}.",
        inputs=found.inputs,
    )
