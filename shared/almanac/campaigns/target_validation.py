"""Validate the rows of a file of targets: which can be used, and what is wrong with the others."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from typing import TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.campaigns.target_file import TRIGGER, Batch, TargetFile
from almanac.csv_input.reader import Problem, shown
from almanac.csv_input.rejects import RejectWriter
from almanac.database.target_import import TargetImport, addresses_of
from almanac.frames import NO_DAY, Days, Ids, Index, Mask
from almanac.names import FIRST_YEAR, LAST_YEAR, MAX_ID

EXAMPLES = 5  # rejects in the summary
_FIRST_DAY = civil.day_of(dt.date(FIRST_YEAR, 1, 1))
_LAST_DAY = civil.day_of(dt.date(LAST_YEAR, 12, 31))

NO_CONTACT = "no contact"
NO_ID = "not an id"
UNKNOWN_CONTACT = "unknown contact"
AMBIGUOUS = "address of several contacts"
NO_DATE = "trigger date is no date"
REPEATED = "repeats another line"


class ImportCounts:
    """Counts of the rows of a file, batch by batch; rejects go to the reject report."""

    def __init__(self, source: TargetFile, rejects: TextIO) -> None:
        self.read = self.added = self.existing = self.updated = 0
        self.rejected: Counter[str] = Counter()
        self.examples: list[tuple[int, str]] = []
        self.ignored_columns = source.header.ignored
        self._source = source
        self._report = RejectWriter(rejects, source.header.columns)

    def take(self, batch: Batch, targets: TargetImport) -> None:
        """Validate the rows of a batch, and gather the valid ones as targets."""
        verdicts = _Verdicts(len(batch.lines))
        contacts, triggers = (
            pc.utf8_trim_whitespace(pa.array(texts, pa.string()))
            for texts in (self._source.contacts(batch), self._source.triggers(batch))
        )
        verdicts.reject_all(
            _equal(contacts, ""), NO_CONTACT, contacts, "no contact: the cell is empty"
        )
        if self._source.by_email:
            ids = _by_address(contacts, targets, verdicts)
        else:
            ids = _by_id(contacts, targets, verdicts)
        days = _days(triggers, verdicts)
        valid = verdicts.valid()
        lines = np.array(batch.lines, np.int64)[valid]
        metadata = self._source.metadata(batch)
        chosen = None if metadata is None else [metadata[at] for at in valid.tolist()]
        first = targets.gather(ids[valid], days[valid], lines, chosen)
        for at in np.flatnonzero((first != lines) & (first != 0)).tolist():
            verdicts.reject(int(valid[at]), REPEATED, f"the same target as line {first[at]}")
        self.added += int(np.count_nonzero(first == lines))
        self.existing += int(np.count_nonzero(first == 0))
        self.read += len(batch)
        rejects = batch.bad + [
            (batch.lines[at], batch.cells[at], problem) for at, problem in verdicts.problems.items()
        ]
        for line, cells, problem in sorted(rejects, key=lambda reject: reject[0]):
            self.rejected[problem.kind] += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append((line, problem.why))
            self._report.write(line, problem.why, cells)


class _Verdicts:
    """Which rows of a batch cannot be used; the first reason that is found counts."""

    def __init__(self, rows: int) -> None:
        self.problems: dict[int, Problem] = {}  # by position
        self._rows = rows

    def reject(self, at: int, kind: str, why: str) -> None:
        """Do not use the row."""
        self.problems.setdefault(at, Problem(kind, why))

    def reject_all(self, mask: Mask, kind: str, texts: pa.Array, words: str) -> None:
        """Use none of these rows; words: the reason, with {} for the text that was found."""
        for at in np.flatnonzero(mask).tolist():
            self.reject(at, kind, words.format(shown(texts[at].as_py())))

    def valid(self) -> Index:
        """Return the positions of all other rows."""
        mask = np.ones(self._rows, np.bool_)
        mask[list(self.problems)] = False
        return np.flatnonzero(mask)


def _by_id(texts: pa.Array, targets: TargetImport, verdicts: _Verdicts) -> Ids:
    is_id = pc.match_substring_regex(texts, r"^-?[0-9]{1,18}$")
    ids: Ids = pc.if_else(is_id, texts, "0").cast(pa.int64()).to_numpy().copy()
    usable = is_id.to_numpy(zero_copy_only=False)
    for at in np.flatnonzero(~usable & ~_equal(texts, "")).tolist():
        text = texts[at].as_py()
        if re.fullmatch(r"-?[0-9]{19,40}", text) and -MAX_ID <= int(text) <= MAX_ID:
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
        verdicts.reject(at, AMBIGUOUS, f"{shown(texts[at].as_py())} is the address of {who}")
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
