"""The planned rows of two database files, compared by identity.

Both are read from private copies, one range of contacts at a time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.config import Config
from almanac.contact_ranges import ContactRange, covering
from almanac.database.backup import backup_file, errors_naming
from almanac.database.columnar import coded
from almanac.database.range_tables import COMMITTED, PLANNED
from almanac.database.reading import Snapshot
from almanac.frames import NO_DAY, Codes, Days, Ids, Index, Mask
from almanac.joins import Identity, all_but, dense, identity_keys, match, numbered, packed
from almanac.names import date_of_run
from almanac.organizations.recorded_config import recorded_config_or_none
from almanac.progress import Progress, silent
from almanac.report.lines import ChangeLine
from almanac.statistics.breakdowns import NO_REASON, Integers, combinations
from almanac.statistics.change_reasons import (
    ADDED,
    FORBIDDEN_DAY,
    MOVED_OR_FULL,
    NO_CONTACT,
    NOT_PLANNED,
    OTHER_CONTENT,
    OTHER_DATE,
    OTHER_IDEAL,
    OTHER_REASON,
    PAST_DAY,
    SKIPPED_BEFORE,
    TAKEN,
    UPDATED,
    kinds_of,
    plan_before,
    why_added,
)
from almanac.statistics.difference import CHANGES, Difference
from almanac.workspaces import workspace

CONTACTS = 200_000  # compared at a time


def compare(old: Path, new: Path, progress: Progress = silent) -> Difference:
    """Return the differences between the planned rows of two files, which may be in use.

    Raises DatabaseError and DatabaseBusy as `open_database` does.
    """
    with workspace() as folder:
        copies = [Path(folder) / name for name in ("old.sqlite3", "new.sqlite3")]
        for path, copy in zip((old, new), copies, strict=True):
            with errors_naming(str(path), copy):
                backup_file(path, copy, partial(progress, f"read {path.name}"))
        with (
            errors_naming(str(old), copies[0]),
            errors_naming(str(new), copies[1]),
            Snapshot(copies[0]) as before,
            Snapshot(copies[1]) as after,
        ):
            tally = _Tally(before, after)
            ranges = list(_ranges(before, after))
            for done, each in enumerate(ranges):
                progress("compare", done, len(ranges))
                taken = after.read(COMMITTED, each)["id"].to_numpy()
                tally.add(before.read(PLANNED, each), after.read(PLANNED, each), taken)
            progress("compare", len(ranges), len(ranges))
    return tally.difference(str(old), str(new))


def _ranges(before: Snapshot, after: Snapshot) -> Iterator[ContactRange]:
    """Yield ranges that hold every contact of either file, and ids that are in neither."""
    ids = np.union1d(_contact_ids(before), _contact_ids(after))
    return covering([int(each) for each in ids[CONTACTS::CONTACTS]])


def _contact_ids(snapshot: Snapshot) -> Ids:
    config = recorded_config_or_none(snapshot) or Config()
    return snapshot.contact_ids(config.contacts)


@dataclass(frozen=True)
class _Side:
    """Planned rows of one file in a range of contacts; texts are codes that both files share."""

    row_id: Ids
    key: Ids  # identity, and the number of the row among those of its side with the same one
    kind: Codes
    contact: Ids
    event: Days
    ideal: Days
    day: Days
    day_text: Codes
    scheduled: Mask
    reason: Codes
    rest: Ids  # reason, templates, times and ideal date, mixed
    metadata: pa.Array


class _Tally:
    """Adds up the differences of the ranges."""

    def __init__(self, old: Snapshot, new: Snapshot) -> None:
        self._before = plan_before(old, old.total_contacts())
        run = new.last_run()
        day = date_of_run(str(run.get("scheduler_run_id"))) if run else None
        self._as_of = civil.day_of(day) if day else NO_DAY
        self._config = recorded_config_or_none(new) or Config()
        self._contacts = _contact_ids(new)
        self.whys: Counter[tuple[str, str, str]] = Counter()  # change, why, email type
        self.rows = [0, 0]
        self.unchanged = 0
        self.by_type: dict[str, Counter[str]] = defaultdict(Counter)
        self.by_day: dict[str, Counter[str]] = defaultdict(Counter)
        self._types: list[str] = []
        self._reasons: list[str] = []

    def add(self, old: pa.Table, new: pa.Table, taken: Ids) -> None:
        """Compare two tables of PLANNED_SCHEMA; taken: ids of the new file's committed rows."""
        self.rows[0] += old.num_rows
        self.rows[1] += new.num_rows
        before, after = self._sides(old, new)
        a, b = match(before.key, after.key)
        gone = np.flatnonzero(all_but(len(before.key), a))
        new_rows = np.flatnonzero(all_but(len(after.key), b))

        stood, stands = before.scheduled[a], after.scheduled[b]
        same_day = before.day_text[a] == after.day_text[b]
        moved = stood & stands & ~same_day
        differs = before.rest[a] != after.rest[b]
        differs |= ~_equal(before.metadata.take(pa.array(a)), after.metadata.take(pa.array(b)))
        differs |= ~stood & ~stands & ~same_day
        updated = (stood == stands) & ~moved & differs
        self.unchanged += int(((stood == stands) & ~moved & ~updated).sum())
        why = np.where(before.day[a] < self._as_of, PAST_DAY, FORBIDDEN_DAY)
        why = np.where(before.ideal[a] == after.ideal[b], why, OTHER_IDEAL)
        self._count("moved", after, b[moved], why[moved], MOVED_OR_FULL)
        skipped = np.concatenate([b[stood & ~stands], new_rows[~after.scheduled[new_rows]]])
        self._count("skipped anew", after, skipped, after.reason[skipped], self._reasons)
        reasons = [SKIPPED_BEFORE.format(reason) for reason in self._reasons]
        again = ~stood & stands
        self._count("planned again", after, b[again], before.reason[a[again]], reasons)
        why = np.where(before.ideal[a] == after.ideal[b], OTHER_CONTENT, OTHER_DATE)
        why = np.where(before.reason[a] == after.reason[b], why, OTHER_REASON)
        self._count("updated", after, b[updated], why[updated], UPDATED)
        added = new_rows[after.scheduled[new_rows]]
        self._count("added", after, added, self._why_added(before, after, added), ADDED)
        sent = np.isin(before.row_id[gone], taken)
        self._count("taken by the sender", before, gone[sent], 0 * gone[sent], [TAKEN])
        removed = gone[~sent]
        known = np.isin(before.contact[removed], self._contacts)
        self._count("removed", before, removed, known * 1, [NO_CONTACT, NOT_PLANNED])

    def _why_added(self, before: _Side, after: _Side, rows: Index) -> Codes:
        kinds = kinds_of(self._types, self._config)
        unknown = ~np.isin(after.contact[rows], before.contact)
        columns = after.kind[rows], after.event[rows], after.ideal[rows]
        return why_added(self._before, kinds, *columns, unknown)

    def _sides(self, old: pa.Table, new: pa.Table) -> tuple[_Side, _Side]:
        both = pa.concat_tables([old, new]).unify_dictionaries()
        self._types, types = coded(both["email_type"])
        reasons, reason = coded(both["skip_reason"])
        self._reasons = [text or NO_REASON for text in reasons]
        year, month, day = (both[f"event_{part}"].to_numpy() for part in ("year", "month", "day"))
        # events are compared as they are stored, also those that are no date
        event = dense(packed(year, month, day))
        kind = packed(types, dense(both["campaign_instance_id"].to_numpy()))
        row_id, contact = both["id"].to_numpy(), both["contact_id"].to_numpy()
        (key,) = identity_keys(Identity(contact, kind, event))
        is_new = (np.arange(both.num_rows) >= old.num_rows).astype(np.int64)
        ideal = civil.parse_dates(both["ideal_send_date"])
        whole = _Side(
            row_id=row_id,
            key=packed(key, numbered(packed(is_new, key), row_id)),
            kind=types,
            contact=contact,
            event=civil.days_of_parts(year, month, day),
            ideal=ideal,
            day=civil.parse_dates(both["scheduled_send_date"]),
            day_text=coded(both["scheduled_send_date"])[1],
            scheduled=both["scheduled"].to_numpy() != 0,
            reason=reason,
            rest=packed(dense(ideal), reason, coded(both["content"])[1]),
            metadata=both["metadata"].combine_chunks(),
        )
        return _slice(whole, slice(0, old.num_rows)), _slice(whole, slice(old.num_rows, None))

    def _count(
        self, change: str, side: _Side, rows: Index, why: Integers, texts: Sequence[str]
    ) -> None:
        """Count rows of one side; why: a code of texts for each."""
        sizes = (len(self._types), len(texts))
        for (code, which), count in combinations([side.kind[rows], why], sizes):
            self.whys[change, texts[which], self._types[code]] += count
        pairs = side.kind[rows].astype(np.int64) << 32
        pairs |= side.day[rows].astype(np.int64) - (-(1 << 31))
        for pair, count in zip(*np.unique(pairs, return_counts=True), strict=True):
            kind, day = int(pair) >> 32, (int(pair) & 0xFFFFFFFF) + (-(1 << 31))
            self.by_type[change][self._types[kind]] += int(count)
            text = "no date" if day == -(1 << 31) else civil.text_of(day)
            self.by_day[text][change] += int(count)

    def difference(self, old: str, new: str) -> Difference:
        """Return the differences of all ranges."""
        return Difference(
            old=old,
            new=new,
            rows_old=self.rows[0],
            rows_new=self.rows[1],
            unchanged=self.unchanged,
            by_type={
                c: dict(sorted(self.by_type[c].items())) for c in CHANGES if c in self.by_type
            },
            by_day={day: dict(self.by_day[day]) for day in sorted(self.by_day)},
            changes_by_reason=[
                ChangeLine(change=change, why=why, email_type=email_type, count=count)
                for (change, why, email_type), count in sorted(self.whys.items())
            ],
        )


def _slice(side: _Side, rows: slice) -> _Side:
    return _Side(**{name: column[rows] for name, column in side.__dict__.items()})


def _equal(left: pa.Array, right: pa.Array) -> Mask:
    return np.asarray(pc.equal(left, right).to_numpy(zero_copy_only=False), np.bool_)
