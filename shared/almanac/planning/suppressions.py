"""Suppressions in force and opt-outs: which messages of a contact they take away, and why
(semantics: Contacts)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.frames import NO_DAY, Codes, Ids, Index, Kind, Mask
from almanac.octets import octets_of
from almanac.planning.texts import filled, lower, mask, trimmed

ALL_CAMPAIGNS = "campaign_*"
NONE = np.iinfo(np.int32).max  # no row of the table


def in_force(suppressions: pa.Table, as_of: int) -> pa.Table:
    """Return the rows of `suppressions` that hold on as_of."""
    return suppressions.filter(pa.array(holds_on(suppressions, as_of)))


def holds_on(suppressions: pa.Table, as_of: int) -> Mask:
    """Return which rows hold on as_of; a bound without a date is open."""
    since = civil.parse_dates(suppressions["since"])
    until = civil.parse_dates(suppressions["until"])
    holds: Mask = (since <= as_of) & ((until == NO_DAY) | (until >= as_of))
    return holds


def digits_of(numbers: pa.Array) -> pa.Array:
    """Return the digits of trimmed phone numbers; one stored as a real number ends in .0."""
    written = pc.invert(pc.ascii_is_decimal(numbers))  # with more than digits
    texts = numbers.filter(written)
    real = pc.ends_with(texts, ".0")
    if pc.any(real).as_py():
        texts = pc.if_else(real, pc.utf8_slice_codeunits(texts, 0, -2), texts)
    return pc.replace_with_mask(numbers, written, _only_digits(texts))


def _only_digits(texts: pa.Array) -> pa.Array:
    """Return texts without all but 0 to 9, several times as fast as by a regular expression."""
    octets, starts, _ = octets_of(texts)
    kept = (octets >= ord("0")) & (octets <= ord("9"))
    before = np.concatenate([[0], np.cumsum(kept)])  # digits before each byte
    offsets = np.append(before[starts], before[-1]).astype(np.int64)
    buffers = pa.py_buffer(offsets), pa.py_buffer(octets[kept])
    return pa.LargeStringArray.from_buffers(len(texts), *buffers).cast(texts.type)


def bare_number(digits: pa.Array) -> pa.Array:
    """Return phone numbers without the leading 1 of eleven digits."""
    return pc.replace_substring_regex(digits, "^1([0-9]{10})$", r"\1")


@dataclass(frozen=True)
class _Group:
    """Rows about the same types of message, and the first of them that concerns each contact."""

    types: frozenset[str]  # lower case; empty: messages of every type
    first: Codes  # row of the table by contact, NONE without

    def concerns(self, kinds: Sequence[Kind]) -> Mask:
        """Return for each kind whether the rows are about it."""
        return np.array(
            [
                not self.types
                or kind.email_type.lower() in self.types
                or (kind.is_campaign and ALL_CAMPAIGNS in self.types)
                for kind in kinds
            ],
            np.bool_,
        )


@dataclass(frozen=True)
class Suppressed:
    """The suppressions of some contacts, by position."""

    reasons: Codes  # reason index of each row of the table
    messages: tuple[_Group, ...]
    texts: tuple[_Group, ...]  # about text messages only
    opted_out: Codes  # reason index by contact, 0 for those that have not opted out

    @classmethod
    def of(
        cls,
        table: pa.Table,
        contacts: tuple[Ids, pa.Array, pa.Array],
        reasons: Codes,
        opted_out: Codes,
    ) -> Self:
        """Match the rows in force with contacts, given their ids, addresses and phone digits."""
        number = digits_of(trimmed(table, "phone"))
        has_number = filled(table["phone"])
        only_texts = has_number | mask(pc.equal(lower(trimmed(table, "channel")), "sms"))
        types = lower(trimmed(table, "email_types")).to_pylist()
        groups: dict[tuple[bool, frozenset[str]], list[int]] = {}
        for row, text in enumerate(types):
            named = frozenset(part.strip() for part in text.split(",") if part.strip())
            groups.setdefault((bool(only_texts[row]), named), []).append(row)
        ids, email, phone = contacts
        email = lower(email)
        own_number = bare_number(phone) if has_number.any() else phone
        columns = (table["contact_id"].combine_chunks(), table["email"].combine_chunks())
        found: dict[bool, list[_Group]] = {False: [], True: []}
        for (of_texts, named), rows in groups.items():
            some = np.array(rows)
            by_name, by_number = some[~has_number[some]], some[has_number[some]]
            first = np.minimum.reduce(
                [
                    _first(columns[0], pa.array(ids), by_name[columns[0].to_numpy()[by_name] != 0]),
                    _first(columns[1], email, by_name[filled(columns[1])[by_name]]),
                    _first(bare_number(number), own_number, by_number),
                ]
            )
            found[of_texts].append(_Group(named, first))
        return cls(reasons, tuple(found[False]), tuple(found[True]), opted_out)

    def take(self, contacts: Mask | Index) -> Suppressed:
        """Return those of some of the contacts."""

        def taken(groups: tuple[_Group, ...]) -> tuple[_Group, ...]:
            return tuple(_Group(group.types, group.first[contacts]) for group in groups)

        messages, texts = taken(self.messages), taken(self.texts)
        return Suppressed(self.reasons, messages, texts, self.opted_out[contacts])

    def of_all(self) -> Codes:
        """Return the reason index of contacts who get no message at all, 0 for others."""
        everything = [group for group in self.messages if not group.types]
        first = everything[0].first if everything else np.full(len(self.opted_out), NONE)
        return self._reason(first, self.opted_out)

    def reason(self, contact: Index, kind: Codes, kinds: Sequence[Kind]) -> Codes:
        """Return the reason index of each message, 0 for one that is not suppressed."""
        return self._reason(self.first_rows(contact, kind, kinds), self.opted_out[contact])

    def first_rows(self, contact: Index, kind: Codes, kinds: Sequence[Kind]) -> Codes:
        """Return the row of the table that takes each message away, NONE without one."""
        return self._first_row(self.messages, contact, kind, kinds)

    def without_text(self, contact: Index, kind: Codes, kinds: Sequence[Kind]) -> Mask:
        """Return which messages must not go out as a text message too."""
        silenced: Mask = self._first_row(self.texts, contact, kind, kinds) != NONE
        return silenced

    def row_of(self, contact: int, kind: int, kinds: Sequence[Kind], *, texts: bool) -> int | None:
        """Return the row of the table that takes a message away, or its text message."""
        one, code = np.array([contact], np.intp), np.array([kind], np.int32)
        first = self._first_row(self.texts if texts else self.messages, one, code, kinds)
        return None if first[0] == NONE else int(first[0])

    def _first_row(
        self, groups: tuple[_Group, ...], contact: Index, kind: Codes, kinds: Sequence[Kind]
    ) -> npt.NDArray[np.int32]:
        first = np.full(len(contact), NONE, np.int32)
        for group in groups:
            concerned = group.concerns(kinds)[kind]
            first[concerned] = np.minimum(first, group.first[contact])[concerned]
        return first

    def _reason(self, first: npt.NDArray[np.int32], otherwise: Codes) -> Codes:
        codes = np.append(self.reasons, np.int32(0))
        known: Codes = codes[np.where(first == NONE, len(self.reasons), first)]
        return np.where(first == NONE, otherwise, known).astype(np.int32)


def _first(keys: pa.Array, values: pa.Array, rows: Index) -> Codes:
    """Return the first of the rows whose key equals each value, NONE without."""
    if len(rows) == 0:
        return np.full(len(values), NONE, np.int32)
    found = pc.index_in(values, value_set=keys.take(pa.array(rows))).fill_null(-1)
    at = found.to_numpy(zero_copy_only=False)
    result: Codes = np.append(rows, NONE).astype(np.int32)[at]
    return result
