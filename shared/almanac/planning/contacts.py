"""The columns of `contacts` as the rules need them, and their issues (semantics: Contacts)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.frames import NO_DAY, Codes, Days, Frame, Ids, Index, Mask
from almanac.planning.brief import RunContext
from almanac.planning.kinds import KindTable
from almanac.rules.states import USPS_STATES
from almanac.rules.windows import Exclusions, RuleTable
from almanac.rules.zip import MALFORMED, NOWHERE, state_codes_of
from almanac.schedule_status import suppression_reason

EMAIL = r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$"
UNKNOWN = -1

INVALID_EMAIL = "invalid_email"
INVALID_STATE = "invalid_state"
INVALID_ZIP = "invalid_zip"
STATE_UNKNOWN = "state_unknown"
STATE_ZIP_MISMATCH = "state_zip_mismatch"
INVALID_BIRTH_DATE = "invalid_birth_date"
INVALID_EFFECTIVE_DATE = "invalid_effective_date"

ISSUE_ADVICE = {
    INVALID_EMAIL: "no message can be sent: correct the e-mail address",
    INVALID_STATE: "not a USPS state code: correct it, or empty it to use the ZIP code",
    INVALID_ZIP: "not a known ZIP code (12345 or 12345-6789)",
    STATE_UNKNOWN: "neither state nor ZIP code tells the state: no state rule protects the contact",
    STATE_ZIP_MISMATCH: "state and ZIP code disagree; the state is used",
    INVALID_BIRTH_DATE: "not a date (YYYY-MM-DD): no birthday message, no birthday window",
    INVALID_EFFECTIVE_DATE: "not a date (YYYY-MM-DD): no policy message, no policy window",
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
    sms: Mask  # has a phone number
    suppressed: Codes  # reason code, 0 without


@dataclass(frozen=True)
class ContactBatch:
    """The contacts of a shard."""

    scope: Ids  # all contacts in scope, also those that can get no messages
    contacts: Contacts
    exclusions: Exclusions  # row by row with `contacts`
    carriers: list[str]  # upper-case, trimmed
    issues: pa.Table  # contact_id, issue, detail; sorted


def read_contacts(
    table: pa.Table, suppressions: pa.Table, context: RunContext, kind_table: KindTable
) -> ContactBatch:
    """Validate rows of `contacts` (columns as `database.reading` returns them, by id).

    Contacts excluded by their status are in `scope` only. Those that cannot get messages because of
    their address, or of an unknown state if the configuration says so, also have issues.
    """
    scope = table["id"].to_numpy()
    table = _active(table)
    count = table.num_rows

    email = _trimmed(table, "email")
    valid_email = _mask(pc.match_substring_regex(email, EMAIL))
    birth, bad_birth, birth_text = _dates(table, "birth_date")
    effective, bad_effective, effective_text = _dates(table, "effective_date")

    state_text, zip_text = _trimmed(table, "state"), _trimmed(table, "zip_code")
    by_column, by_zip = _state_codes(state_text, zip_text)
    state = _state(by_column, by_zip)

    ids = table["id"].to_numpy()
    has_state, has_zip = _filled(state_text), _filled(zip_text)
    issues = _issues(
        ids,
        [
            (INVALID_BIRTH_DATE, bad_birth, birth_text),
            (INVALID_EFFECTIVE_DATE, bad_effective, effective_text),
            (INVALID_EMAIL, ~valid_email, email),
            (INVALID_STATE, has_state & (by_column < 0), state_text),
            (INVALID_ZIP, has_zip & np.isin(by_zip, (MALFORMED, NOWHERE)), zip_text),
            (STATE_UNKNOWN, state == UNKNOWN, None),
            (
                STATE_ZIP_MISMATCH,
                (by_column >= 0) & (by_zip >= 0) & (by_column != by_zip),
                pc.binary_join_element_wise(state_text, zip_text, " / "),
            ),
        ],
    )

    eligible = valid_email.copy()
    if not context.config.organization.send_without_zipcode_for_universal:
        eligible &= state != UNKNOWN
    carriers = pc.utf8_upper(_trimmed(table, "carrier")).dictionary_encode()
    contacts = Contacts(
        id=ids,
        birth=birth,
        effective=effective,
        state=state,
        carrier=carriers.indices.to_numpy(zero_copy_only=False).astype(np.int32),
        failed=table["failed_underwriting"].to_numpy() != 0,
        sms=_filled(_trimmed(table, "phone_number")),
        suppressed=_suppressed(ids, email, suppressions, context, kind_table)
        if count
        else np.empty(0, np.int32),
    ).take(eligible)
    exclusions = RuleTable(context.config).exclusions(
        contacts.state, contacts.birth, contacts.effective
    )
    return ContactBatch(scope, contacts, exclusions, carriers.dictionary.to_pylist(), issues)


def _active(table: pa.Table) -> pa.Table:
    """Return the rows of contacts whose status is active or empty."""
    status = _lower(_trimmed(table, "status"))
    return table.filter(pa.array(np.isin(_codes(status, ["", "active"]), (0, 1))))


def _dates(table: pa.Table, name: str) -> tuple[Days, Mask, pa.Array]:
    """Return the days of a column, which of its texts are no date, and the trimmed texts."""
    days, texts = civil.parse_dates(table[name]), _trimmed(table, name)
    return days, (days == NO_DAY) & _filled(texts), texts


def states_of(table: pa.Table) -> Codes:
    """Return the state codes of all rows of `contacts`, -1 for unknown."""
    return _state(*_state_codes(_trimmed(table, "state"), _trimmed(table, "zip_code")))


def _state_codes(state_text: pa.Array, zip_text: pa.Array) -> tuple[Codes, Codes]:
    """Return the state codes by the column and by the ZIP code."""
    by_column = _codes(pc.utf8_upper(state_text), list(USPS_STATES))
    return by_column, state_codes_of(zip_text).astype(np.int32)


def _state(by_column: Codes, by_zip: Codes) -> Codes:
    """Return the state of the column, else of the ZIP code; unknown ones are below 0 in both."""
    return np.where(by_column >= 0, by_column, np.maximum(by_zip, UNKNOWN)).astype(np.int32)


def in_force(suppressions: pa.Table, as_of: int) -> pa.Table:
    """Return the rows of `suppressions` in force on as_of; a missing bound is open."""
    since = civil.parse_dates(suppressions["since"])
    until = civil.parse_dates(suppressions["until"])
    holds = (since <= as_of) & ((until == NO_DAY) | (until >= as_of))
    return suppressions.filter(pa.array(holds))


def _suppressed(
    ids: Ids, email: pa.Array, suppressions: pa.Table, context: RunContext, kind_table: KindTable
) -> Codes:
    """Return the code of the first suppression in force for a contact's id or address, else 0."""
    rows = in_force(suppressions, civil.day_of(context.as_of))
    if rows.num_rows == 0:
        return np.zeros(len(ids), np.int32)
    none = rows.num_rows
    by_id = _first_match(
        rows["contact_id"], pa.array(ids), none, rows["contact_id"].to_numpy() != 0
    )
    named = _filled(rows["email"])
    by_email = _first_match(rows["email"], _lower(email), none, named)
    first = np.minimum(by_id, by_email)
    reasons = rows["reason"].combine_chunks().dictionary_encode()
    found = map(suppression_reason, reasons.dictionary.to_pylist())
    codes = np.array([kind_table.reason_with_text(each.text) for each in found], np.int32)
    return np.append(codes[reasons.indices.to_numpy()], np.int32(0))[first]


def _first_match(keys: pa.ChunkedArray, values: pa.Array, none: int, usable: Mask) -> Index:
    """Return the row of the first usable key equal to each value, `none` without one."""
    rows = np.flatnonzero(usable)
    value_set = keys.combine_chunks().take(pa.array(rows))
    found = pc.index_in(values, value_set=value_set).fill_null(-1).to_numpy(zero_copy_only=False)
    return np.where(found < 0, none, np.append(rows, none)[found])


def _issues(ids: Ids, found: list[tuple[str, Mask, pa.Array | None]]) -> pa.Table:
    """Return all issues as rows by contact and issue; `found` is in the order of issues."""
    parts = []
    for issue, mask, detail in found:
        rows = np.flatnonzero(mask)
        if len(rows) == 0:
            continue
        texts = pa.array([""] * len(rows)) if detail is None else detail.take(pa.array(rows))
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        parts.append(
            pa.table(
                {
                    "contact_id": pa.array(ids[rows]),
                    "issue": pa.array([issue] * len(rows), pa.string()),
                    "detail": pc.utf8_slice_codeunits(texts.cast(pa.string()), 0, 200),
                }
            )
        )
    if not parts:
        return ISSUES.empty_table()
    return pa.concat_tables(parts).sort_by([("contact_id", "ascending"), ("issue", "ascending")])


ISSUES = pa.schema([("contact_id", pa.int64()), ("issue", pa.string()), ("detail", pa.string())])


def _trimmed(table: pa.Table, name: str) -> pa.Array:
    return pc.utf8_trim_whitespace(table[name].combine_chunks())


def _lower(texts: pa.Array) -> pa.Array:
    return pc.utf8_lower(texts)


def _filled(texts: pa.Array | pa.ChunkedArray) -> Mask:
    return _mask(pc.not_equal(texts, ""))


def _mask(values: pa.Array | pa.ChunkedArray) -> Mask:
    return np.asarray(values.fill_null(False).to_numpy(zero_copy_only=False), np.bool_)


def _codes(texts: pa.Array, known: list[str]) -> Codes:
    found = pc.index_in(texts, value_set=pa.array(known)).fill_null(-1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int32)
