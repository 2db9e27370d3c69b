"""Contacts: who gets anything, their state, and what is wrong with them (semantics: Contacts)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from .database import Record, text, truth
from .dates import parse_date
from .settings import Config
from .windows import excluded, windows

ZipStates = Mapping[str, str] | Callable[[str], str | None]

FIVE_ZIPS = {"90210": "CA", "10001": "NY", "63101": "MO", "77001": "TX", "33101": "FL"}

_CODES = """
    AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ
    NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY
    DC AS GU MP PR VI FM MH PW AA AE AP
"""
USPS = frozenset(_CODES.split())

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_ZIP = re.compile(r"([0-9]{5})(?:-[0-9]{4})?")


@dataclass
class Contact:
    """One contact as the rules see it."""

    id: int
    state: str | None
    birth: date | None
    effective: date | None
    carrier: str
    failed_underwriting: bool
    has_phone: bool
    eligible: bool  # gets candidates at all
    suppressed: str | None  # the reason, if in force
    config: Config = field(repr=False)
    _reasons: dict[date, str | None] = field(default_factory=dict, repr=False)

    def excluded(self, day: date) -> str | None:
        """Why the contact's state excludes a day (semantics: Windows)."""
        if day not in self._reasons:
            rules, early = self.config["state_rules"], self.config["timing"]["pre_window_days"]
            self._reasons[day] = excluded(rules, early, self.state, self.birth, self.effective, day)
        return self._reasons[day]

    def windows(self, first: date, last: date) -> list[tuple[date, date]]:
        """The contact's windows that share a day with [first, last]."""
        rules, early = self.config["state_rules"], self.config["timing"]["pre_window_days"]
        return windows(rules, early, self.state, self.birth, self.effective, first, last)


def _first_filled(record: Record, *names: str) -> object:
    """The first of several columns that is there and not empty."""
    return next((record[name] for name in names if text(record.get(name))), None)


def is_active(record: Record) -> bool:
    """Whether the contact's status lets it take part."""
    return text(record.get("status")).lower() in {"", "active"}


def _look_up(zip_states: ZipStates, digits: str) -> str | None:
    return zip_states(digits) if callable(zip_states) else zip_states.get(digits)


def _state(record: Record, zip_states: ZipStates) -> tuple[str | None, set[str]]:
    """The contact's state and the issues of its state and ZIP code."""
    issues = set()
    column, code = text(record.get("state")).upper(), text(record.get("zip_code"))
    form = _ZIP.fullmatch(code)
    by_zip = _look_up(zip_states, form[1]) if form else None
    if code and by_zip is None:
        issues.add("invalid_zip")
    if column and column not in USPS:
        issues.add("invalid_state")
    state = column if column in USPS else by_zip
    if state is None:
        issues.add("state_unknown")
    elif by_zip is not None and by_zip != state:
        issues.add("state_zip_mismatch")
    return state, issues


def _date(record: Record, issue: str, *names: str) -> tuple[date | None, set[str]]:
    value = _first_filled(record, *names)
    day = parse_date(value)
    return day, {issue} if value is not None and day is None else set()


def _suppression(record: Record, suppressions: list[Record], as_of: date) -> str | None:
    """The reason of the first suppression of the contact that is in force on as_of."""
    for row in suppressions:
        address = text(row.get("email")).lower()
        by_id = text(row.get("contact_id")) == str(record["id"])
        by_address = address != "" and address == text(record.get("email")).lower()
        since, until = parse_date(row.get("since")), parse_date(row.get("until"))
        begun = since is None or since <= as_of
        over = until is not None and until < as_of
        if (by_id or by_address) and begun and not over:
            return f"Suppressed: {text(row.get('reason')) or 'unspecified'}"
    return None


def read_contact(
    record: Record,
    config: Config,
    as_of: date,
    suppressions: list[Record],
    zip_states: ZipStates,
) -> tuple[Contact, set[str]]:
    """One contact and its issues."""
    state, issues = _state(record, zip_states)
    birth, birth_issue = _date(record, "invalid_birth_date", "birth_date", "birthday")
    effective, effective_issue = _date(record, "invalid_effective_date", "effective_date")
    issues |= birth_issue | effective_issue
    mail_is_valid = _EMAIL.fullmatch(text(record.get("email"))) is not None
    if not mail_is_valid:
        issues.add("invalid_email")
    located = state is not None or config["organization"]["send_without_zipcode_for_universal"]
    active = is_active(record)
    contact = Contact(
        id=record["id"],
        state=state,
        birth=birth,
        effective=effective,
        carrier=text(_first_filled(record, "carrier", "current_carrier")),
        failed_underwriting=truth(record.get("failed_underwriting")),
        has_phone=text(record.get("phone_number")) != "",
        eligible=active and mail_is_valid and located,
        suppressed=_suppression(record, suppressions, as_of),
        config=config,
    )
    return contact, issues if active else set()
