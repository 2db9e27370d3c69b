"""Which rows of a file of targets are good, and what is wrong with each of the others."""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections import Counter
from typing import TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.campaigns.target_file import TRIGGER, Batch, TargetFile
from almanac.contact_ranges import MAX_ID
from almanac.csv_input import REJECT_COLUMNS
from almanac.database.target_import import TargetImport, addresses_of
from almanac.frames import NO_DAY, Days, Ids, Index, Mask
from almanac.names import FIRST_YEAR, LAST_YEAR

EXAMPLES = 5  # rejects that are told at once
_FIRST_DAY = civil.day_of(dt.date(FIRST_YEAR, 1, 1))
_LAST_DAY = civil.day_of(dt.date(LAST_YEAR, 12, 31))

NOT_UTF8 = "not UTF-8"
NUL = "NUL character"
NO_CONTACT = "no contact"
NO_ID = "not an id"
UNKNOWN_CONTACT = "unknown contact"
AMBIGUOUS = "address of several contacts"
NO_DATE = "trigger date is no date"
REPEATED = "repeats another line"


class ImportCounts:
    """What becomes of the rows of a file, batch by batch; the bad ones go to the rejects."""

    def __init__(self, source: TargetFile, rejects: TextIO) -> None:
        self.read = self.added = self.there = 0
        self.rejected: Counter[str] = Counter()
        self.examples: list[tuple[int, str]] = []
        self._by_email = source.by_email
        self._kept = [i for i, c in enumerate(source.columns) if c not in REJECT_COLUMNS]
        self._writer = csv.writer(rejects, lineterminator="\n")
        self._writer.writerow([*REJECT_COLUMNS, *(source.columns[i] for i in self._kept)])

    def judge(self, batch: Batch, targets: TargetImport) -> None:
        """Gather the good rows of a batch as targets."""
        verdicts = _Verdicts(batch)
        contacts, triggers = verdicts.texts()
        if self._by_email:
            ids = _by_address(contacts, targets, verdicts)
        else:
            ids = _by_id(contacts, targets, verdicts)
        days = _days(triggers, verdicts)
        good = verdicts.good()
        lines = np.array(batch.lines, np.int64)[good]
        first = targets.gather(ids[good], days[good], lines)
        for at in np.flatnonzero((first != lines) & (first != 0)).tolist():
            verdicts.reject(int(good[at]), REPEATED, f"the same target as line {first[at]}")
        self.added += int(np.count_nonzero(first == lines))
        self.there += int(np.count_nonzero(first == 0))
        self.read += len(batch) - len(verdicts.blank)
        bad = batch.bad + [
            (batch.lines[at], kind, why, batch.rows[at])
            for at, (kind, why) in verdicts.rejected.items()
        ]
        for line, kind, why, row in sorted(bad, key=lambda each: each[0]):
            self._reject(line, kind, why, row)

    def _reject(self, line: int, kind: str, why: str, row: list[str]) -> None:
        self.rejected[kind] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append((line, why))
        cells = [row[i] for i in self._kept if i < len(row)]
        self._writer.writerow([line, why, *cells, *row[max(self._kept) + 1 :]])


class _Verdicts:
    """Which rows of a batch cannot be used: the first reason that is found counts."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self.rejected: dict[int, tuple[str, str]] = {}
        self.blank: set[int] = set()

    def reject(self, at: int, kind: str, why: str) -> None:
        """The row is not used."""
        if at not in self.blank:
            self.rejected.setdefault(at, (kind, why))

    def reject_all(self, mask: Mask, kind: str, texts: pa.Array, words: str) -> None:
        """None of these rows is used; words: why, with {} for the text that was found."""
        for at in np.flatnonzero(mask).tolist():
            self.reject(at, kind, words.format(_shown(texts[at].as_py())))

    def texts(self) -> tuple[pa.Array, pa.Array]:
        """The rows' contacts and trigger dates, trimmed; '' in rows that are no text."""
        batch = self._batch
        try:
            contacts, triggers = (
                pa.array(batch.contacts, pa.string()),
                pa.array(batch.triggers, pa.string()),
            )
        except UnicodeEncodeError:  # a byte that is no UTF-8 has come as half a character
            for at, row in enumerate(batch.rows):
                if not _is_text(row):
                    self.reject(at, NOT_UTF8, "text that is not UTF-8; save the file in UTF-8")
            usable = [at not in self.rejected for at in range(len(batch.rows))]
            contacts, triggers = (
                pa.array([t if u else "" for t, u in zip(texts, usable, strict=True)], pa.string())
                for texts in (batch.contacts, batch.triggers)
            )
        contacts, triggers = (
            pc.utf8_trim_whitespace(self._without_nul(texts)) for texts in (contacts, triggers)
        )
        for at in np.flatnonzero(_equal(contacts, "")).tolist():
            if at in self.rejected:
                continue
            if triggers[at].as_py() == "":
                self.blank.add(at)
            else:
                self.reject(at, NO_CONTACT, "no contact: the cell is empty")
        return contacts, triggers

    def _without_nul(self, texts: pa.Array) -> pa.Array:
        found = pc.match_substring(texts, "\0")
        self.reject_all(found.to_numpy(zero_copy_only=False), NUL, texts, "a NUL character in {}")
        return pc.if_else(found, "", texts)

    def good(self) -> Index:
        """The positions of the rows that nothing is wrong with."""
        mask = np.ones(len(self._batch.lines), np.bool_)
        mask[list(self.rejected)] = False
        mask[list(self.blank)] = False
        return np.flatnonzero(mask)


def _by_id(texts: pa.Array, targets: TargetImport, verdicts: _Verdicts) -> Ids:
    is_id = pc.match_substring_regex(texts, r"^-?[0-9]{1,18}$")
    ids: Ids = pc.if_else(is_id, texts, "0").cast(pa.int64()).to_numpy().copy()
    usable = is_id.to_numpy(zero_copy_only=False)
    for at in np.flatnonzero(~usable & ~_equal(texts, "")).tolist():
        text = texts[at].as_py()
        if re.fullmatch(r"-?[0-9]{19,}", text) and -MAX_ID <= int(text) <= MAX_ID:
            ids[at], usable[at] = int(text), True
    verdicts.reject_all(~usable, NO_ID, texts, "{} is not a contact id, a whole number")
    verdicts.reject_all(
        usable & ~targets.known(ids), UNKNOWN_CONTACT, texts, "no contact has the id {}"
    )
    return ids


def _by_address(texts: pa.Array, targets: TargetImport, verdicts: _Verdicts) -> Ids:
    if len(texts) == 0:
        return np.empty(0, np.int64)
    count, first, last = targets.owners(addresses_of(texts).to_pylist())
    verdicts.reject_all(count == 0, UNKNOWN_CONTACT, texts, "no contact has the address {}")
    for at in np.flatnonzero(count > 1).tolist():
        who = f"{count[at]} contacts, {first[at]} and {last[at]} among them"
        verdicts.reject(at, AMBIGUOUS, f"{_shown(texts[at].as_py())} is the address of {who}")
    return first


def _days(texts: pa.Array, verdicts: _Verdicts) -> Days:
    days = civil.parse_dates(texts)
    given = ~_equal(texts, "")
    verdicts.reject_all(
        given & (days == NO_DAY), NO_DATE, texts, f"{TRIGGER}: {{}} is not a date YYYY-MM-DD"
    )
    verdicts.reject_all(
        given & ((days < _FIRST_DAY) | (days > _LAST_DAY)),
        NO_DATE,
        texts,
        f"{TRIGGER}: {{}}: expected a year from {FIRST_YEAR} to {LAST_YEAR}",
    )
    return days


def _equal(texts: pa.Array, text: str) -> Mask:
    mask: Mask = pc.equal(texts, text).to_numpy(zero_copy_only=False)
    return mask


def _is_text(row: list[str]) -> bool:
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(text: str) -> str:
    short = repr(text) if len(text) <= 60 else f"{text[:60]!r}..."
    return f"{short} (is a quote missing?)" if "\n" in text else short
