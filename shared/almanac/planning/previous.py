"""Planned rows of the snapshot, matched with the candidates by identity (semantics: Writing)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.checksums import Hashes, row_checksums, table_checksum, text_checksums
from almanac.frames import NO_DAY, Codes, Days, Frame, Ids, Index, Mask, Removals, ScheduledDays
from almanac.joins import Identity, Pairs, all_but, identity_keys, match, positions
from almanac.planning.brief import RunContext
from almanac.planning.contacts import ContactBatch
from almanac.planning.drafts import Drafts
from almanac.planning.kinds import KindTable
from almanac.planning.removed import WhyRemoved
from almanac.schedule_status import SkipCode


@dataclass(frozen=True)
class _Rows(Frame):
    row_id: Ids
    contact_id: Ids
    kind: Codes  # -1: a kind that this run does not have
    event: Days
    day: Days
    ideal: Days  # NO_DAY: a row of an older scheduler, which has no identity
    scheduled: Mask
    reason: Codes  # 0 without, -1 unknown
    effective_date: Mask
    position: Index  # row of the table that it was read from


@dataclass(frozen=True)
class PreviousRows:
    """The planned rows of contacts in scope."""

    rows: _Rows
    table: pa.Table

    @classmethod
    def read(cls, table: pa.Table, scope: Ids, converted: Ids, kind_table: KindTable) -> Self:
        """Read the columns of `database.reading.Snapshot.planned`.

        Rows with ids in `converted` are left out: the migration turns them into targets.
        """
        mine = np.flatnonzero(
            (positions(scope, table["contact_id"].to_numpy()) >= 0)
            & ~np.isin(table["id"].to_numpy(), converted)
        )
        if len(mine) < table.num_rows:
            table = table.take(pa.array(mine))
        types, type_codes = _dictionary(table["email_type"])
        instance_of = table["campaign_instance_id"].combine_chunks().dictionary_encode()
        instances = instance_of.dictionary.to_pylist()
        kinds = np.array(
            [[kind_table.kind(name, instance) for instance in instances] for name in types],
            np.int32,
        ).reshape(len(types), len(instances))
        reasons, reason_codes = _dictionary(table["skip_reason"])
        reason_lookup = np.array(
            [kind_table.reason_with_text(text) for text in reasons] or [0], np.int32
        )
        scheduled = table["scheduled"].to_numpy() != 0
        reason = reason_lookup[reason_codes]
        rows = _Rows(
            row_id=table["id"].to_numpy(),
            contact_id=table["contact_id"].to_numpy(),
            kind=kinds[type_codes, instance_of.indices.to_numpy()],
            event=civil.days_of_parts(
                table["event_year"].to_numpy(),
                table["event_month"].to_numpy(),
                table["event_day"].to_numpy(),
            ),
            day=civil.parse_dates(table["scheduled_send_date"]),
            ideal=civil.parse_dates(table["ideal_send_date"]),
            scheduled=scheduled,
            # a PRE_SCHEDULED row with a reason, or another without, must be corrected
            reason=np.where(scheduled == (reason == 0), reason, -1).astype(np.int32),
            effective_date=np.array([t == "effective_date" for t in types] or [False])[type_codes],
            position=np.arange(table.num_rows),
        )
        return cls(rows, table)

    def scheduled_days(self, as_of: int) -> ScheduledDays:
        """Return how many PRE_SCHEDULED rows the snapshot has on each day from as_of on."""
        mine = self.rows.scheduled & (self.rows.day >= as_of)
        ahead, effective = self.rows.day[mine] - as_of, self.rows.effective_date[mine]
        count = np.bincount(ahead)
        of_effective = np.bincount(ahead[effective], minlength=len(count))
        days = np.flatnonzero(count)
        return ScheduledDays(
            (days + as_of).astype(np.int32), count[days], of_effective[days].astype(np.int64)
        )

    def checksums(self) -> Hashes:
        """Return the checksum of each row: of all that a run writes but ids and times."""
        return self._checksums(self.rows.scheduled, self.table["skip_reason"])

    def _checksums(self, scheduled: Mask, reasons: pa.ChunkedArray) -> Hashes:
        reason = text_checksums(reasons.unify_dictionaries())
        return row_checksums(
            len(self.rows),
            self.rows.contact_id,
            text_checksums(self.table["email_type"].unify_dictionaries()),
            self.table["campaign_instance_id"].to_numpy(),
            self.rows.event,
            self.rows.day,
            self.rows.ideal,
            np.where(scheduled, np.uint64(0), reason + np.uint64(1)),
            text_checksums(self.table["content"].unify_dictionaries()),
            text_checksums(self.table["metadata"]),
        )


@dataclass(frozen=True)
class Match:
    """The planned row of each candidate, and the rows without a candidate."""

    columns: dict[str, Any]  # the previous_* columns of Candidates
    removals: Removals
    history_checksum: int  # of the rows kept as history, as the run leaves them


def match_previous(
    previous: PreviousRows,
    contact_id: Ids,
    drafts: Drafts,
    metadata: pa.Array,
    batch: ContactBatch,
    why_removed: WhyRemoved,
    context: RunContext,
    kind_table: KindTable,
) -> Match:
    """Match each candidate with its planned row; of rows with one identity the oldest counts."""
    rows = previous.rows
    have, at = _find(rows, contact_id, drafts)
    row_id = np.zeros(len(drafts), np.int64)
    day = np.full(len(drafts), NO_DAY, np.int32)
    reason = np.zeros(len(drafts), np.int32)
    same_ideal = np.zeros(len(drafts), np.bool_)
    row_id[have], day[have], reason[have] = rows.row_id[at], rows.day[at], rows.reason[at]
    same_ideal[have] = rows.ideal[at] == drafts.ideal[have]
    keeps = same_ideal.copy()
    keeps[have] &= rows.scheduled[at]
    same = same_ideal.copy()
    matched = drafts.take(have)
    sms = batch.texted(matched.contact, matched.kind, kind_table)
    same[have] &= _same_content(previous, at, matched, sms, context, kind_table)
    same[have] &= _same_metadata(previous, at, matched, metadata)

    left = rows.take(all_but(len(rows), at))
    past = left.day < civil.day_of(context.as_of)
    return Match(
        columns={
            "previous_id": row_id,
            "previous_day": day,
            "previous_reason": reason,
            "previous_ideal": keeps,
            "previous_same": same,
        },
        removals=Removals(
            previous_id=left.row_id,
            contact_id=left.contact_id,
            previous_day=left.day,
            scheduled=left.scheduled,
            kind=left.kind,
            history=past,
            why=why_removed(left.contact_id, left.kind, left.event, left.ideal),
        ),
        history_checksum=_history_checksum(previous, left.position[past]),
    )


def _history_checksum(previous: PreviousRows, kept: Index) -> int:
    """Return the checksum of rows kept as history, which are SKIPPED as NOT_SENT."""
    rows = PreviousRows(previous.rows.take(kept), previous.table.take(pa.array(kept)))
    texts = rows.table["skip_reason"].cast(pa.string())
    expired = pc.if_else(pa.array(rows.rows.scheduled), SkipCode.NOT_SENT.value, texts)
    return table_checksum(rows._checksums(np.zeros(len(kept), np.bool_), expired))


def _find(rows: _Rows, contact_id: Ids, drafts: Drafts) -> Pairs:
    """Match the drafts with the planned rows of their identity; the rows are positions."""
    owned = np.flatnonzero((rows.ideal != NO_DAY) & (rows.kind >= 0) & (rows.event != NO_DAY))
    wanted, there = identity_keys(
        Identity(contact_id, drafts.kind, drafts.event),
        Identity(rows.contact_id[owned], rows.kind[owned], rows.event[owned]),
    )
    draft, row = match(wanted, there, rows.row_id[owned])
    return Pairs(draft, rows.position[owned[row]])


def _same_content(
    previous: PreviousRows,
    at: Index,
    drafts: Drafts,
    sms: Mask,
    context: RunContext,
    kind_table: KindTable,
) -> Mask:
    """Return whether priority, send time and templates are what the run would write."""
    texts, codes = _dictionary(previous.table["content"])
    known = {text: code for code, text in enumerate(texts)}
    time = context.send_time
    expected = np.array(
        [
            [known.get(kind.content(time, s), -1) for s in (False, True)]
            for kind in kind_table.kinds
        ],
        np.int64,
    )
    same: Mask = expected[drafts.kind, sms.astype(np.int8)] == codes[at]
    return same


def _same_metadata(previous: PreviousRows, at: Index, drafts: Drafts, metadata: pa.Array) -> Mask:
    stored, details = previous.table["metadata"].combine_chunks(), drafts.details
    same = np.ones(len(at), np.bool_)
    some = np.flatnonzero((pc.binary_length(stored).to_numpy()[at] > 0) | (details >= 0))
    expected = metadata.take(pa.array(details[some], mask=details[some] < 0)).fill_null("")
    equal = pc.equal(stored.take(pa.array(at[some])), expected)
    same[some] = equal.to_numpy(zero_copy_only=False)
    return same


def _dictionary(column: pa.ChunkedArray) -> tuple[list[str], Index]:
    """Return the distinct texts of a column, and each row's index into them."""
    array = column.unify_dictionaries().combine_chunks()
    if not isinstance(array, pa.DictionaryArray):
        array = array.dictionary_encode()
    texts = [str(text) for text in array.dictionary.to_pylist()]
    return texts, array.indices.to_numpy(zero_copy_only=False).astype(np.intp)
