"""Whether a text message goes along with an e-mail, and why not (semantics: Contacts)."""

from __future__ import annotations

from almanac.explain.case import Case
from almanac.explain.suppression import suppression_row
from almanac.planning.contacts import phone_digits
from almanac.planning.texts import trimmed


def sms_template(case: Case, row: int) -> str | None:
    """Return the SMS template that the candidate's row carries, None without one."""
    return None if why_no_text(case, row) else case.kind(row).sms_template


def why_no_text(case: Case, row: int) -> str | None:
    """Return why no text message goes along with a candidate; None if one does."""
    kind, contact = case.kind(row), case.data.contacts.to_pylist()[0]
    if kind.sms_template is None:
        where = f"sms.{kind.email_type}" if not kind.instance else "sms_template of the campaign"
        return f"it has no SMS template ({where})"
    number = contact["phone_number"].strip()
    if not usable_phone(case):
        return f"{number!r} is no usable phone number" if number else "there is no phone number"
    found = suppression_row(case, row, texts=True)
    if found is not None:
        return f"text messages are suppressed: {found.in_words}"
    if not contact["consents"]:
        columns = ", ".join(case.context.config.contacts.sms_consent_columns)
        return f"the contact has not agreed (every consent column must say yes: {columns})"
    return None


def usable_phone(case: Case) -> bool:
    """Return whether text messages can be sent to the contact's number."""
    return bool(phone_digits(trimmed(case.data.contacts, "phone_number"))[0].as_py())
