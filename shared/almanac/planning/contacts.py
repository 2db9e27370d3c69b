"""The columns of `contacts` as the rules need them, and their issues (semantics: Contacts)."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.email_address import EMAIL, EMAIL_LENGTH
from almanac.frames import NO_DAY, Codes, Days, Frame, Ids, Index, Mask
from almanac.planning.brief import RunContext
from almanac.planning.contact_states import UNKNOWN, state_codes, state_of
from almanac.planning.issues import issue_rows
from almanac.planning.kinds import KindTable
from almanac.planning.left_out import why_left_out
from almanac.planning.suppressions import Suppressed, digits_of, in_force
from almanac.planning.texts import codes, encoded, lower, mask, nonempty, trimmed, upper
from almanac.rules.rule_table import RuleTable
from almanac.rules.windows import Exclusions
from almanac.rules.zip import MALFORMED, NOWHERE
from almanac.schedule_status import suppression_reason

PHONE_LENGTHS = range(10, 16)
SAME_DIGIT = [str(digit) * length for digit in range(10) for length in PHONE_LENGTHS]
FIRST_DATE = civil.day_of(dt.date(1901, 1, 1))  # an older date is a placeholder
DATE_COLUMNS = ("birth_date", "effective_date")
FEW_TEXTS = ("state", "zip_code", "carrier", "status", "opt_out")
TEXT_COLUMNS = ("email", *DATE_COLUMNS, "phone_number", "state", "zip_code")

INVALID_EMAIL = "invalid_email"
INVALID_STATE = "invalid_state"
INVALID_ZIP = "invalid_zip"
STATE_UNKNOWN = "state_unknown"
STATE_ZIP_MISMATCH = "state_zip_mismatch"
INVALID_BIRTH_DATE = "invalid_birth_date"
INVALID_EFFECTIVE_DATE = "invalid_effective_date"
INVALID_PHONE = "invalid_phone"
NO_WINDOW_DATE = "no_window_date"

ISSUE_ADVICE = {
    INVALID_EMAIL: "no message can be sent: correct the e-mail address",
    INVALID_STATE: "not a USPS state code: correct it, or empty it to use the ZIP code",
    INVALID_ZIP: "not a known ZIP code (12345 or 12345-6789)",
    STATE_UNKNOWN: "neither state nor ZIP code tells the state: no state rule protects the contact",
    STATE_ZIP_MISMATCH: "state and ZIP code disagree; the state is used",
    INVALID_BIRTH_DATE: "not a date (YYYY-MM-DD): no birthday message, no birthday window",
    INVALID_EFFECTIVE_DATE: "not a date (YYYY-MM-DD): no policy message, no policy window",
    INVALID_PHONE: "not a phone number of 10 to 15 digits: no text messages",
    NO_WINDOW_DATE: "the state has an exclusion window, and the date that it is counted from is "
    "missing: that window does not protect the contact",
}


@dataclass(frozen=True)
class Contacts(Frame):
    """Contacts that can get messages, by id."""

    id: Ids
    birth: Days
    effective: Days
    state: Codes  # index into USPS_STATES, -1 unknown
    carrier: Codes  # index into ContactBatch.carriers
    failed: Mask  # failed underwriting
    created: Days
    sms: Mask  # can get text messages: a phone number, and consent as far as columns say so
    suppressed: Codes  # reason index of those who get no message at all, 0 without
    unknown_date: Codes  # reason index where the date of its window is missing and keeps it silent


@dataclass(frozen=True)
class ContactBatch:
    """The contacts of a shard."""

    scope: Ids  # all contacts in scope, also those that can get no messages
    contacts: Contacts
    exclusions: Exclusions  # row by row with `contacts`
    carriers: list[str]  # upper-case, trimmed
    suppressed: Suppressed  # row by row with `contacts`
    issues: pa.Table  # contact_id, issue, detail; sorted
    left_out: Counter[str]  # those in scope that are not in `contacts`, by why
    dates_given: dict[str, int]  # by column of dates: active contacts whose text is not empty

    def texted(self, contact: Index, kind: Codes, kind_table: KindTable) -> Mask:
        """Return which messages may go out as text messages too."""
        silenced = self.suppressed.without_text(contact, kind, kind_table.kinds)
        may: Mask = self.contacts.sms[contact] & ~silenced
        return may


def read_contacts(
    table: pa.Table, suppressions: pa.Table, context: RunContext, kind_table: KindTable
) -> ContactBatch:
    """Validate rows of `contacts` (columns as `database.reading` returns them, by id).

    Contacts excluded by their status are in `scope` only. Those that cannot get messages because of
    their address, or of an unknown state if the configuration says so, also have issues.
    """
    scope, table = table["id"].to_numpy(), encoded(table, FEW_TEXTS)
    active = is_active(table, context)
    statuses = lower(trimmed(table, "status")).filter(pa.array(~active)).cast(pa.string())
    table = table.filter(pa.array(active))
    ids, read = table["id"].to_numpy(), _read(table, context)
    settings = context.config.organization
    eligible = read.valid_email.copy()
    if not settings.send_without_zipcode_for_universal:
        eligible &= read.state != UNKNOWN
    silent = (read.lacks >= 0) & (not settings.send_without_window_date)
    unknown_date = np.where(silent, kind_table.unknown_date_reasons(read.lacks, read.state), 0)
    suppressed = _suppressed(
        ids, read.texts["email"], read.phone, table, suppressions, context, kind_table
    )
    carriers = upper(trimmed(table, "carrier"))
    names = carriers.dictionary.dictionary_encode()  # some are the same now
    contacts = Contacts(
        id=ids,
        birth=read.birth,
        effective=read.effective,
        state=read.state,
        carrier=names.indices.to_numpy()[carriers.indices.to_numpy()],
        failed=table["failed_underwriting"].to_numpy() != 0,
        created=_created(table, context),
        sms=nonempty(read.phone) & (table["consents"].to_numpy() != 0),
        suppressed=suppressed.of_all(),
        unknown_date=unknown_date.astype(np.int32),
    ).take(eligible)
    return ContactBatch(
        scope,
        contacts,
        RuleTable(context.config).exclusions(contacts.state, contacts.birth, contacts.effective),
        names.dictionary.to_pylist(),
        suppressed.take(eligible),
        _issues_of(table, read),
        why_left_out(statuses, read.valid_email, eligible),
        {name: int(nonempty(read.texts[name]).sum()) for name in DATE_COLUMNS},
    )


class _Read(NamedTuple):
    """What the columns of active contacts mean, row by row."""

    texts: dict[str, pa.Array]  # by column, without white space around them; of some codes
    valid_email: Mask
    phone: pa.Array  # digits of a number that text messages can be sent to, else ''
    birth: Days
    effective: Days
    by_column: Codes  # state by the column, -1 unknown
    by_zip: Codes  # state by the ZIP code, below 0 unknown
    state: Codes
    lacks: Codes  # the missing date that its window is counted from, see `RuleTable.lacking_date`


def _read(table: pa.Table, context: RunContext) -> _Read:
    texts = {name: trimmed(table, name) for name in TEXT_COLUMNS}
    email = texts["email"]
    valid_email = mask(pc.match_substring_regex(email, EMAIL))
    valid_email &= mask(pc.less_equal(pc.utf8_length(email), EMAIL_LENGTH))
    # a blank before a date makes it no date
    birth = _plausible(table["birth_date"], civil.day_of(context.as_of))
    effective = _plausible(table["effective_date"], None)
    by_column, by_zip = state_codes(table)
    state = state_of(by_column, by_zip)
    return _Read(
        texts=texts,
        valid_email=valid_email,
        phone=phone_digits(texts["phone_number"]),
        birth=birth,
        effective=effective,
        by_column=by_column,
        by_zip=by_zip,
        state=state,
        lacks=RuleTable(context.config).lacking_date(state, birth, effective),
    )


def _issues_of(table: pa.Table, read: _Read) -> pa.Table:
    """Return the issues of the contacts; the kinds come in alphabetical order."""
    email, birth, effective, number, state, zip_code = (read.texts[n] for n in TEXT_COLUMNS)
    no_zip = np.isin(read.by_zip, (MALFORMED, NOWHERE))
    differ = (read.by_column >= 0) & (read.by_zip >= 0) & (read.by_column != read.by_zip)
    return issue_rows(
        table["id"].to_numpy(),
        [
            (INVALID_BIRTH_DATE, (read.birth == NO_DAY) & nonempty(birth), (birth,)),
            (
                INVALID_EFFECTIVE_DATE,
                (read.effective == NO_DAY) & nonempty(effective),
                (effective,),
            ),
            (INVALID_EMAIL, ~read.valid_email, (email,)),
            (INVALID_PHONE, nonempty(number) & ~nonempty(read.phone), (number,)),
            (INVALID_STATE, nonempty(state) & (read.by_column < 0), (state,)),
            (INVALID_ZIP, nonempty(zip_code) & no_zip, (zip_code,)),
            (NO_WINDOW_DATE, read.lacks >= 0, ()),
            (STATE_UNKNOWN, read.state == UNKNOWN, ()),
            (STATE_ZIP_MISMATCH, differ, (state, zip_code)),
        ],
    )


def is_active(table: pa.Table, context: RunContext) -> Mask:
    """Return which contacts take part, by their status; one without a status does."""
    active = [status.strip().lower() for status in context.config.contacts.active_statuses]
    return codes(lower(trimmed(table, "status")), ["", *active]) >= 0


def phone_digits(texts: pa.Array) -> pa.Array:
    """Return the digits of numbers that text messages can be sent to, '' for others."""
    digits = digits_of(texts)
    length = pc.binary_length(digits)
    usable = pc.and_(
        pc.greater_equal(length, PHONE_LENGTHS.start), pc.less(length, PHONE_LENGTHS.stop)
    )
    usable = pc.and_not(usable, pc.is_in(digits, value_set=pa.array(SAME_DIGIT)))
    return pc.if_else(usable, digits, "")


def _plausible(texts: pa.ChunkedArray, last: int | None) -> Days:
    """Return days, NO_DAY for placeholders and for those after the last day that makes sense."""
    days = civil.parse_dates(texts)
    odd = days < FIRST_DATE
    if last is not None:
        odd |= days > last
    return np.where(odd, NO_DAY, days).astype(np.int32)


def _created(table: pa.Table, context: RunContext) -> Days:
    """Return the days of `created_at`, NO_DAY where no instance is triggered by them."""
    if any(instance.when_created for instance in context.instances):
        return civil.parse_times(table["created_at"])
    return np.full(table.num_rows, NO_DAY, np.int32)


def _suppressed(
    ids: Ids,
    email: pa.Array,
    phone: pa.Array,
    table: pa.Table,
    suppressions: pa.Table,
    context: RunContext,
    kind_table: KindTable,
) -> Suppressed:
    rows = in_force(suppressions, civil.day_of(context.as_of))
    opted = table["opt_out"].combine_chunks().dictionary_encode()
    return Suppressed.of(
        rows,
        (ids, email, phone),
        _suppression_codes(rows["reason"], kind_table),
        _opt_out_codes(opted, kind_table),
    )


def _suppression_codes(reasons: pa.ChunkedArray, kind_table: KindTable) -> Codes:
    encoded = reasons.combine_chunks().dictionary_encode()
    found = map(suppression_reason, encoded.dictionary.to_pylist())
    known = np.array([kind_table.reason_with_text(each.text) for each in found] or [0], np.int32)
    of_row: Codes = known[encoded.indices.to_numpy(zero_copy_only=False)]
    return of_row


def _opt_out_codes(columns: pa.DictionaryArray, kind_table: KindTable) -> Codes:
    names = columns.dictionary.to_pylist()
    texts = [suppression_reason(name).text if name else "" for name in names]
    known = np.array(
        [kind_table.reason_with_text(text) if text else 0 for text in texts] or [0], np.int32
    )
    of_contact: Codes = known[columns.indices.to_numpy(zero_copy_only=False)]
    return of_contact
