"""A shard's result as one Parquet object.

Its parts (candidates, removals, ...) have different columns. They are concatenated into one table,
with nulls where a part has no such column; the schema's metadata holds the number of rows of each
part. Nulls and repeated texts take no room in Parquet.

Reading takes no more memory than the file's metadata says, which is checked first. The length of
dictionary-encoded texts only shows in the dictionary.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from almanac.errors import ConfigError, Corrupt
from almanac.frames import Candidates, Contenders, Removals, ScheduledDays, TargetStatuses
from almanac.planning.audience import Audience
from almanac.planning.issues import IssueChanges
from almanac.validation_text import first_problem_text

MAX_ROWS = 20_000_000  # of all parts together; 50,000 contacts have some 500,000
MAX_BYTES = 2 << 30  # of all columns together, as Parquet holds them before compression

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
_COLUMNS = list(dict.fromkeys(name for schema in _PARTS.values() for name in schema.names))
_INTEGERS = list(
    dict.fromkeys(
        field.name
        for schema in _PARTS.values()
        for field in schema
        if field.type in (pa.int32(), pa.int64())
    )
)
_TEXTS = list(dict.fromkeys([*_METADATA.names, *_WRITTEN.names[1:]]))
_FACTS = (
    "contacts",
    "eligible",
    "candidates",
    "scheduled_before",
    "birth_date",
    "effective_date",
    "contacts_checksum",
    "before_checksum",
    "history_checksum",
)

Count = Annotated[int, Field(ge=0, lt=1 << 64)]


class _Note(BaseModel):
    """The metadata of a fragment."""

    model_config = ConfigDict(strict=True, frozen=True)

    mark: str
    rows: dict[str, Count]
    facts: dict[str, Count]
    issue_counts: dict[str, Count]
    states: dict[str, Count]
    reach: dict[str, Count]
    sent: dict[str, Count]
    suppressed: dict[str, Count]
    left_out: dict[str, Count]
    protected: dict[str, list[Count]]


@dataclass(frozen=True)
class Fragment:
    """The output of a shard: its candidates, compared with the planned rows, and its counts."""

    candidates: Candidates
    removals: Removals
    statuses: TargetStatuses
    scheduled: ScheduledDays
    metadata: pa.Array
    issues: IssueChanges
    facts: dict[str, int]  # counts and checksums
    issue_counts: Counter[str]
    audience: Audience
    sent: Counter[int]  # messages sent or delivered, by campaign instance

    def to_parquet(self, mark: str) -> bytes:
        """Return the fragment as Parquet; the same fragment gives the same bytes.

        mark: of run and shard (RunPlan.fragment_mark). Raises ConfigError if it is too large.
        """
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
            "issue_counts": _in_order(self.issue_counts),
            "states": _in_order(self.audience.states),
            "reach": _in_order(self.audience.reach),
            "sent": _in_order(self.sent),
            "suppressed": _in_order(self.audience.suppressed),
            "left_out": _in_order(self.audience.left_out),
            "protected": self.audience.protected,
        }
        table = pa.concat_tables(parts.values(), promote_options="default")
        if table.num_rows > MAX_ROWS:
            raise ConfigError(
                f"a shard with {table.num_rows} rows: at most {MAX_ROWS} fit into a fragment; "
                "plan with fewer contacts a shard"
            )
        text = json.dumps(note).encode()
        table = table.replace_schema_metadata({"almanac": text, "crc32": str(crc32(text))})
        sink = pa.BufferOutputStream()
        pq.write_table(
            table,
            sink,
            compression="zstd",
            use_dictionary=["issue", "detail"],
            use_byte_stream_split=_INTEGERS,  # days and ids differ in their low bytes
            write_statistics=False,
            write_page_checksum=True,
        )
        return bytes(sink.getvalue())

    @classmethod
    def from_parquet(cls, data: bytes, name: str, mark: str) -> Fragment:
        """Parse a fragment; raise Corrupt if `to_parquet` did not make it with this mark."""
        try:
            table = _read(data, _COLUMNS)
            note = _note(table, mark)
            parts = {part: _part(table, note, part, schema) for part, schema in _PARTS.items()}
            return cls(
                candidates=Candidates.from_arrow(parts["candidates"]),
                removals=Removals.from_arrow(parts["removals"]),
                statuses=TargetStatuses.from_arrow(parts["statuses"]),
                scheduled=ScheduledDays.from_arrow(parts["scheduled"]),
                metadata=parts["metadata"]["metadata"].combine_chunks(),
                issues=IssueChanges(parts["issues_gone"], parts["issues_written"]),
                facts={fact: note.facts[fact] for fact in _FACTS},
                issue_counts=Counter(note.issue_counts),
                audience=Audience(
                    Counter(note.states),
                    _by_id(note.reach),
                    Counter(note.suppressed),
                    Counter(note.left_out),
                    note.protected,
                ),
                sent=_by_id(note.sent),
            )
        except (pa.ArrowException, KeyError, ValueError) as error:
            raise Corrupt(f"{name}: not a fragment of this program: {error}") from error


def read_contenders(data: bytes, name: str, mark: str) -> tuple[Contenders, ScheduledDays]:
    """Read the columns of a fragment that balancing needs; raise Corrupt."""
    columns = [*Contenders.schema().names, "reason", *ScheduledDays.schema().names]
    try:
        table = _read(data, columns)
        note = _note(table, mark)
        candidates = _part(table, note, "candidates", Contenders.schema().append(_REASON))
        alive = candidates.filter(pc.equal(candidates["reason"], 0))
        scheduled = _part(table, note, "scheduled", ScheduledDays.schema())
        return Contenders.from_arrow(alive), ScheduledDays.from_arrow(scheduled)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise Corrupt(f"{name}: not a fragment of this program: {error}") from error


def _in_order(counts: Mapping[Any, int]) -> dict[str, int]:
    return {str(key): counts[key] for key in sorted(counts)}


def _by_id(counts: Mapping[str, int]) -> Counter[int]:
    return Counter({int(key): count for key, count in counts.items()})


def _read(data: bytes, columns: list[str]) -> pa.Table:
    """Read these columns; raise ValueError or pyarrow's errors if a page is not as written."""
    try:
        file = pq.ParquetFile(
            pa.BufferReader(data), page_checksum_verification=True, read_dictionary=_TEXTS
        )
        _check_size(file.metadata)
        return file.read(columns)
    except OSError as error:  # what pyarrow raises for many kinds of damage
        raise ValueError(str(error)) from error


def _check_size(metadata: pq.FileMetaData) -> None:
    """Raise ValueError if reading would take more memory than any shard's output."""
    # not by column: pyarrow aborts the process if the description of a column is damaged
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
    size = sum(group.total_byte_size for group in groups)
    if rows > MAX_ROWS or size > MAX_BYTES:
        raise ValueError(
            f"{rows} rows and {size} bytes; at most {MAX_ROWS} rows and {MAX_BYTES} bytes fit"
        )


def _part(table: pa.Table, note: _Note, name: str, schema: pa.Schema) -> pa.Table:
    """Return the rows of one part with its columns; raise ValueError if a value is missing."""
    offset = sum(note.rows[before] for before in list(_PARTS)[: list(_PARTS).index(name)])
    part = table.slice(offset, note.rows[name]).select(schema.names)
    for column, field in zip(part.columns, schema, strict=True):
        if column.null_count:
            raise ValueError(f"{name}: a row without {field.name}")
        if field.type == pa.string():
            _check_texts(column, field.name)
    return part.cast(schema)


def _check_texts(column: pa.ChunkedArray, name: str) -> None:
    """Raise ValueError if they are no texts, or too long altogether."""
    if not pa.types.is_dictionary(column.type) or not pa.types.is_string(column.type.value_type):
        raise ValueError(f"{name} is no text")
    size = 0
    for chunk in column.chunks:
        chunk.dictionary.validate(full=True)
        lengths = pc.take(pc.binary_length(chunk.dictionary), chunk.indices)
        size += pc.sum(lengths).as_py() or 0
    if size > MAX_BYTES:
        raise ValueError(f"{size} bytes of {name}; at most {MAX_BYTES} fit")


def _note(table: pa.Table, mark: str) -> _Note:
    """Return the metadata; raise ValueError if mark, checksum or number of rows is wrong."""
    metadata = table.schema.metadata or {}
    text = metadata[b"almanac"]
    if metadata[b"crc32"] != str(crc32(text)).encode():  # pages have checksums, metadata has none
        raise ValueError("its metadata is not as written")
    try:
        note = _Note.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(first_problem_text(error)) from None
    if note.mark != mark:
        raise ValueError(f"it belongs to {note.mark[:200]!r}, not to {mark!r}")
    total = sum(note.rows[name] for name in _PARTS)
    if total != table.num_rows:
        raise ValueError(f"{table.num_rows} rows, its metadata says {total}")
    return note
