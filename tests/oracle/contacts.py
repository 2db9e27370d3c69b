"""Contacts: who gets anything, their state, and what is wrong with them (semantics: Contacts)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from .database import Record, flag, text, whole
from .dates import parse_date, parse_time
from .settings import Config
from .windows import excluded, rules_of, windows

ZipStates = Mapping[str, str] | Callable[[str], str | None]

FIVE_ZIPS = {
    "90210": "CA",
    "10001": "NY",
    "63101": "MO",
    "77001": "TX",
    "33101": "FL",
    "02138": "MA",
    "09021": "AE",
    "06101": "CT",
}

_CODES = """
    AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ
    NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY
    DC AS GU MP PR VI FM MH PW AA AE AP
"""
USPS = frozenset(_CODES.split())

_NAMES = """
    AL=Alabama AK=Alaska AZ=Arizona AR=Arkansas CA=California CO=Colorado CT=Connecticut
    DE=Delaware FL=Florida GA=Georgia HI=Hawaii ID=Idaho IL=Illinois IN=Indiana IA=Iowa KS=Kansas
    KY=Kentucky LA=Louisiana ME=Maine MD=Maryland MA=Massachusetts MI=Michigan MN=Minnesota
    MS=Mississippi MO=Missouri MT=Montana NE=Nebraska NV=Nevada NH=New_Hampshire NJ=New_Jersey
    NM=New_Mexico NY=New_York NC=North_Carolina ND=North_Dakota OH=Ohio OK=Oklahoma OR=Oregon
    PA=Pennsylvania RI=Rhode_Island SC=South_Carolina SD=South_Dakota TN=Tennessee TX=Texas
    UT=Utah VT=Vermont VA=Virginia WA=Washington WV=West_Virginia WI=Wisconsin WY=Wyoming
    DC=District_of_Columbia AS=American_Samoa GU=Guam MP=Northern_Mariana_Islands PR=Puerto_Rico
    VI=U.S._Virgin_Islands VI=Virgin_Islands FM=Federated_States_of_Micronesia MH=Marshall_Islands
    PW=Palau AA=Armed_Forces_Americas AE=Armed_Forces_Europe AP=Armed_Forces_Pacific
"""
STATE_NAMES = {
    name.replace("_", " ").upper(): code
    for code, name in (pair.split("=") for pair in _NAMES.split())
}

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_LAST = r"(?:[A-Za-z]{2,}|[Xx][Nn]--(?:[A-Za-z0-9-]*[A-Za-z0-9])?)"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LAST}", re.ASCII)
FIRST_YEAR = 1901  # of a date of birth or a policy; what is older is a placeholder


@dataclass
class Contact:
    """One contact as the rules see it."""

    id: int
    state: str | None
    birth: date | None
    effective: date | None
    carrier: str
    failed_underwriting: bool
    created: date | None
    phone: str  # its digits, if it can get text messages
    consents: bool  # to text messages, as far as columns say so
    eligible: bool  # gets candidates at all
    suppressions: list[Record] = field(repr=False)  # in force, in the order of the table
    opted_out: str | None  # the column that says so
    date_unknown: str | None  # the window's date that is missing, where that keeps it silent
    config: Config = field(repr=False)
    _reasons: dict[date, str | None] = field(default_factory=dict, repr=False)

    def suppressed(self, email_type: str) -> str | None:
        """The reason why it gets no message of the type, if there is one."""
        for row in self.suppressions:
            if not _only_texts(row) and _concerns(row, email_type):
                return f"Suppressed: {text(row.get('reason')) or 'unspecified'}"
        return f"Suppressed: {self.opted_out}" if self.opted_out else None

    def may_be_texted(self, email_type: str) -> bool:
        """Whether it may get a text message of the type."""
        silenced = any(_only_texts(r) and _concerns(r, email_type) for r in self.suppressions)
        return self.phone != "" and self.consents and not silenced

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


def is_active(record: Record, config: Config) -> bool:
    """Whether the contact's status lets it take part."""
    status = text(record.get("status")).lower()
    active = {one.strip().lower() for one in config["contacts"]["active_statuses"]}
    return status == "" or status in active


def _look_up(zip_states: ZipStates, digits: str) -> str | None:
    return zip_states(digits) if callable(zip_states) else zip_states.get(digits)


def zip_digits(value: object) -> str | None:
    """The five digits of a ZIP code, leading zeros filled up."""
    code = text(value).removesuffix(".0")
    if found := re.fullmatch(r"([0-9]{3,5})(?:-[0-9]{4})?", code, re.ASCII):
        return found[1].zfill(5)
    if re.fullmatch(r"[0-9]{7,9}", code, re.ASCII):
        return code.zfill(9)[:5]
    return None


def _state(record: Record, zip_states: ZipStates) -> tuple[str | None, set[str]]:
    """The contact's state and the issues of its state and ZIP code."""
    issues = set()
    column = text(record.get("state")).upper()
    digits = zip_digits(record.get("zip_code"))
    by_zip = _look_up(zip_states, digits) if digits else None
    if text(record.get("zip_code")) and by_zip is None:
        issues.add("invalid_zip")
    named = column if column in USPS else STATE_NAMES.get(column)
    if column and named is None:
        issues.add("invalid_state")
    state = named or by_zip
    if state is None:
        issues.add("state_unknown")
    elif by_zip is not None and by_zip != state:
        issues.add("state_zip_mismatch")
    return state, issues


def _date(record: Record, issue: str, latest: date, *names: str) -> tuple[date | None, set[str]]:
    value = _first_filled(record, *names)
    day = parse_date(value)
    if day is not None and not (day.year >= FIRST_YEAR and day <= latest):
        day = None
    return day, {issue} if value is not None and day is None else set()


def phone_digits(value: object) -> str:
    """The digits of a phone number that can be written to; else nothing."""
    number = text(value).removesuffix(".0")
    digits = re.sub(r"[^0-9]", "", number)
    return digits if 10 <= len(digits) <= 15 and len(set(digits)) > 1 else ""


def bare(digits: str) -> str:
    """The number without a leading 1 of eleven digits."""
    return digits[1:] if len(digits) == 11 and digits[0] == "1" else digits


def _suppressions(
    record: Record, number: int, phone: str, suppressions: list[Record], as_of: date
) -> list[Record]:
    """The suppressions that concern the contact and are in force on as_of."""
    found = []
    for row in suppressions:
        address = text(row.get("email")).lower()
        by_id = whole(row.get("contact_id")) == number
        by_address = address != "" and address == text(record.get("email")).lower()
        its_phone = re.sub(r"[^0-9]", "", text(row.get("phone")).removesuffix(".0"))
        concerned = (
            bare(its_phone) == bare(phone) if text(row.get("phone")) else by_id or by_address
        )
        since, until = parse_date(row.get("since")), parse_date(row.get("until"))
        begun = since is None or since <= as_of
        over = until is not None and until < as_of
        if concerned and begun and not over:
            found.append(row)
    return found


def _concerns(row: Record, email_type: str) -> bool:
    """Whether a suppression is about messages of the type."""
    types = {one.strip().lower() for one in text(row.get("email_types")).split(",")} - {""}
    campaign = email_type.startswith("campaign_") and "campaign_*" in types
    return not types or email_type.lower() in types or campaign


def _only_texts(row: Record) -> bool:
    return text(row.get("channel")).lower() == "sms" or text(row.get("phone")) != ""


def read_contact(
    record: Record,
    config: Config,
    as_of: date,
    suppressions: list[Record],
    zip_states: ZipStates,
) -> tuple[Contact, set[str]]:
    """One contact and its issues."""
    state, issues = _state(record, zip_states)
    birth, birth_issue = _date(record, "invalid_birth_date", as_of, "birth_date", "birthday")
    effective, effective_issue = _date(record, "invalid_effective_date", date.max, "effective_date")
    issues |= birth_issue | effective_issue
    address = text(record.get("email"))
    mail_is_valid = len(address) <= 254 and _EMAIL.fullmatch(address) is not None
    if not mail_is_valid:
        issues.add("invalid_email")
    phone = phone_digits(record.get("phone_number"))
    if text(record.get("phone_number")) and not phone:
        issues.add("invalid_phone")
    organization, columns = config["organization"], config["contacts"]
    kinds = {rule["kind"] for rule in rules_of(config["state_rules"], state)}
    unknown = None
    if "birthday_window" in kinds and birth is None:
        unknown = f"Birth date unknown for {state}"
    elif "effective_date_window" in kinds and effective is None:
        unknown = f"Effective date unknown for {state}"
    if unknown:
        issues.add("no_window_date")
    number = whole(record["id"])
    assert number is not None
    located = state is not None or organization["send_without_zipcode_for_universal"]
    active = is_active(record, config)
    out = [name for name in columns["opt_out_columns"] if flag(record.get(name.lower()))]
    consents = [name.lower() for name in columns["sms_consent_columns"] if name.lower() in record]
    contact = Contact(
        id=number,
        state=state,
        birth=birth,
        effective=effective,
        carrier=text(_first_filled(record, "carrier", "current_carrier")),
        failed_underwriting=flag(record.get("failed_underwriting")),
        created=parse_time(record.get("created_at")),
        phone=phone,
        consents=all(flag(record[name]) for name in consents),
        eligible=active and mail_is_valid and located,
        suppressions=_suppressions(record, number, phone, suppressions, as_of),
        opted_out=out[0] if out else None,
        date_unknown=None if organization["send_without_window_date"] else unknown,
        config=config,
    )
    return contact, issues if active else set()


def renamed(record: Record, config: Config) -> Record:
    """The record with the columns that the agency has under other names."""
    columns = config["contacts"]["columns"]
    return record | {ours: record.get(theirs.lower()) for ours, theirs in columns.items()}
