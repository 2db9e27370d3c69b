"""The contact as the rules see it (semantics: Contacts, Windows)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.delivery.hours import in_words
from almanac.explain.case import Case, date_or_none
from almanac.explain.model import ContactFacts, IssueNote, SuppressionNote
from almanac.explain.suppression import suppression_rows
from almanac.explain.text_messages import usable_phone
from almanac.planning.brief import RunContext
from almanac.planning.contacts import INVALID_EMAIL, ISSUE_ADVICE, is_active
from almanac.planning.rule_text import rule_in_words
from almanac.rules.states import STATE_NAMES, USPS_STATES
from almanac.rules.zip import state_codes_of


def contact_facts(case: Case) -> ContactFacts:
    """Return the contact's columns as the rules read them, and whether it can get messages."""
    table = case.data.contacts
    row: dict[str, Any] = table.to_pylist()[0]
    state, source = _state(case)
    issues = [
        IssueNote(issue=i["issue"], detail=i["detail"], advice=ISSUE_ADVICE.get(i["issue"], ""))
        for i in case.plan.batch.issues.to_pylist()
    ]
    birth, effective = (
        int(civil.parse_dates(table[name])[0]) for name in ("birth_date", "effective_date")
    )
    if case.eligible:  # without placeholders
        contacts = case.plan.batch.contacts
        birth, effective = int(contacts.birth[0]), int(contacts.effective[0])
    suppressed = int(case.plan.batch.contacts.suppressed[0]) if case.eligible else 0
    return ContactFacts(
        email=row["email"],
        status=row["status"],
        state=state,
        state_source=source,
        zip_code=row["zip_code"],
        birth_date=date_or_none(birth),
        effective_date=date_or_none(effective),
        carrier=row["carrier"],
        phone=usable_phone(case),
        failed_underwriting=bool(row["failed_underwriting"]),
        eligible=case.eligible,
        why_not=None if case.eligible else why_not(table, case.context, issues),
        suppression=case.kind_table.reasons[suppressed] or None,
        suppressions=[
            SuppressionNote(takes=each.takes, row=each.in_words) for each in suppression_rows(case)
        ],
        rule=_rule(case, state),
        hours=in_words(case.context.config, row["state"], row["zip_code"]),
        issues=issues,
    )


def why_not(contact: pa.Table, context: RunContext, issues: Sequence[IssueNote]) -> str:
    """Return why a contact, the one row of the table, can get no messages at all."""
    row = contact.to_pylist()[0]
    if not is_active(contact, context)[0]:
        active = context.config.contacts.active_statuses
        known = " or ".join(status.strip() for status in active) or "no"
        return f"its status is {row['status'].strip()!r}, and only {known} contacts take part"
    if any(each.issue == INVALID_EMAIL for each in issues):
        return f"its e-mail address {row['email'].strip()!r} is not valid"
    return (
        "its state is unknown, and the configuration sends nothing in that case "
        "(organization.send_without_zipcode_for_universal)"
    )


def _state(case: Case) -> tuple[str | None, str]:
    """Return the contact's state and where it comes from."""
    row = case.data.contacts.to_pylist()[0]
    column, zip_code = row["state"].strip().upper(), row["zip_code"].strip()
    if column in USPS_STATES:
        return column, "from the column state"
    if column in STATE_NAMES:
        return STATE_NAMES[column], "from the column state"
    zips = pc.utf8_trim_whitespace(case.data.contacts["zip_code"].combine_chunks())
    code = int(state_codes_of(zips)[0])
    if code >= 0:
        return USPS_STATES[code], f"from the ZIP code {zip_code}"
    return None, "neither the column state nor the ZIP code is valid"


def _rule(case: Case, state: str | None) -> str:
    """Return the state's rule as text."""
    config = case.context.config
    if state is None:
        return "the state is unknown: no state rule applies"
    if state not in config.rules:
        return f"{state} has no exclusion"
    words = rule_in_words(state, config, sources=True)
    return f"{state} is excluded all year" if words == "all year" else f"{state} excludes {words}"
