"""A shard's result as one Parquet object.

Its parts (candidates, removals, ...) are tables of different columns; they stand one below the
other in one table, with nulls where a part has no such column, and the schema's metadata says how
many rows each part has. Nulls and repeated texts take no room in Parquet.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from almanac.errors import Corrupt
from almanac.frames import Candidates, Contenders, Removals, ScheduledDays, TargetStatuses
from almanac.planning.issues import IssueChanges

_METADATA = pa.schema([("metadata", pa.string())])
_GONE = pa.schema([("contact_id", pa.int64()), ("issue", pa.string())])
_WRITTEN = pa.schema([*_GONE, ("detail", pa.string())])
_REASON = pa.field("reason", pa.int32())

_PARTS = {
    "candidates": Candidates.schema(),
    "removals": Removals.schema(),
    "statuses": TargetStatuses.schema(),
    "scheduled": ScheduledDays.schema(),
    "metadata": _METADATA,
    "issues_gone": _GONE,
    "issues_written": _WRITTEN,
}


@dataclass(frozen=True)
class Fragment:
    """What a shard found out about its contacts."""

    candidates: Candidates
    removals: Removals
    statuses: TargetStatuses
    scheduled: ScheduledDays
    metadata: pa.Array
    issues: IssueChanges
    facts: dict[str, int]  # counts and checksums
    issue_counts: Counter[str]

    def to_parquet(self, mark: str) -> bytes:
        """The same fragment is the same bytes. mark: whose it is (RunPlan.fragment_mark)."""
        parts = {
            "candidates": self.candidates.to_arrow(),
            "removals": self.removals.to_arrow(),
            "statuses": self.statuses.to_arrow(),
            "scheduled": self.scheduled.to_arrow(),
            "metadata": pa.table([self.metadata], schema=_METADATA),
            "issues_gone": self.issues.gone.cast(_GONE),
            "issues_written": self.issues.written.cast(_WRITTEN),
        }
        note = {
            "mark": mark,
            "rows": {name: table.num_rows for name, table in parts.items()},
            "facts": self.facts,
            "issue_counts": dict(sorted(self.issue_counts.items())),
        }
        table = pa.concat_tables(parts.values(), promote_options="default")
        table = table.replace_schema_metadata({"almanac": json.dumps(note)})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", use_dictionary=["issue", "detail"])
        return bytes(sink.getvalue())

    @classmethod
    def from_parquet(cls, data: bytes, name: str, mark: str) -> Fragment:
        """Raises Corrupt for anything that `to_parquet` did not make with this mark."""
        try:
            table = pq.read_table(pa.BufferReader(data))
            note = _note(table, mark)
            parts = {part: _part(table, part, schema, mark) for part, schema in _PARTS.items()}
            return cls(
                candidates=Candidates.from_arrow(parts["candidates"]),
                removals=Removals.from_arrow(parts["removals"]),
                statuses=TargetStatuses.from_arrow(parts["statuses"]),
                scheduled=ScheduledDays.from_arrow(parts["scheduled"]),
                metadata=parts["metadata"]["metadata"].combine_chunks(),
                issues=IssueChanges(parts["issues_gone"], parts["issues_written"]),
                facts={str(k): int(v) for k, v in note["facts"].items()},
                issue_counts=Counter(note["issue_counts"]),
            )
        except (pa.ArrowException, KeyError, ValueError, TypeError, AttributeError) as error:
            raise Corrupt(f"{name}: not a fragment of this program: {error}") from error


def read_contenders(data: bytes, name: str, mark: str) -> tuple[Contenders, ScheduledDays]:
    """Only what balancing needs of a fragment."""
    columns = [*Contenders.schema().names, "reason", *ScheduledDays.schema().names]
    try:
        table = pq.read_table(pa.BufferReader(data), columns=columns)
        candidates = _part(table, "candidates", Contenders.schema().append(_REASON), mark)
        alive = candidates.filter(pc.equal(candidates["reason"], 0))
        scheduled = _part(table, "scheduled", ScheduledDays.schema(), mark)
        return Contenders.from_arrow(alive), ScheduledDays.from_arrow(scheduled)
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise Corrupt(f"{name}: not a fragment of this program: {error}") from error


def _part(table: pa.Table, name: str, schema: pa.Schema, mark: str) -> pa.Table:
    """The rows of one part, with its columns."""
    rows = _note(table, mark)["rows"]
    offset = sum(rows[before] for before in list(_PARTS)[: list(_PARTS).index(name)])
    return table.slice(offset, rows[name]).select(schema.names).cast(schema)


def _note(table: pa.Table, mark: str) -> dict[str, Any]:
    """Counts of rows and facts; ValueError if it is another's, or has not as many rows."""
    note: dict[str, Any] = json.loads((table.schema.metadata or {})[b"almanac"])
    if note["mark"] != mark:
        raise ValueError(f"it belongs to {str(note['mark'])[:200]!r}, not to {mark!r}")
    total = sum(note["rows"][name] for name in _PARTS)
    if total != table.num_rows:
        raise ValueError(f"{table.num_rows} rows, its metadata says {total}")
    return note
