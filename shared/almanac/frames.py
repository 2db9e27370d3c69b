"""Columnar frames: dataclasses of equally long numpy arrays, declared once, with unit and meaning.

Days are int32 counts of civil days since 1970-01-01; `NO_DAY` stands for "no date". A *kind* is an
index into the run's list of kinds of message (email type and campaign instance, see
`almanac.planning.kinds`); a *reason* is an index into the run's list of skip reasons, 0 for none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Days = npt.NDArray[np.int32]
Ids = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Small = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]

F = TypeVar("F", bound="Frame")

NO_DAY = int(np.iinfo(np.int32).min)


@dataclass(frozen=True)
class Frame:
    """A table with one array for each column, all of the same length."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, rows: Index | Mask | slice) -> Self:
        """Return the rows of an index array, in its order, of a mask or of a slice."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return all rows of the parts, in order; there is at least one part."""
        return cls(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        )

    @classmethod
    def schema(cls) -> pa.Schema:
        """Return the Arrow schema of the frame, from the declared array types of its columns."""
        return pa.schema([(f.name, ARROW[str(f.type)]) for f in fields(cls)])

    @classmethod
    def empty(cls) -> Self:
        """Return a frame without rows."""
        return cls.from_arrow(cls.schema().empty_table())

    def to_arrow(self) -> pa.Table:
        """Return the table in Arrow."""
        schema = self.schema()
        columns = [pa.array(getattr(self, f.name), f.type) for f in schema]
        return pa.Table.from_arrays(columns, schema=schema)

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Self:
        """Return the frame of an Arrow table that has at least its columns, without nulls."""
        columns: dict[str, Any] = {}
        for field in cls.schema():
            column = table.column(field.name).cast(field.type).combine_chunks()
            columns[field.name] = column.to_numpy(zero_copy_only=False)
        return cls(**columns)


ARROW = {
    "Days": pa.int32(),
    "Ids": pa.int64(),
    "Codes": pa.int32(),
    "Small": pa.int8(),
    "Mask": pa.bool_(),
    "Index": pa.int64(),
}


class Parts(Generic[F]):
    """Rows of a frame that come in so many parts, in order; none is held twice."""

    def __init__(self, frame: type[F], parts: int) -> None:
        self._frame, self._rows, self._parts = frame, 0, parts
        # longer than what they hold: the system gives memory only to what is written
        self._columns: dict[str, npt.NDArray[Any]] = vars(frame.empty())

    def add(self, part: F) -> None:
        """Add rows behind the others."""
        if not len(part):
            return
        begin, self._rows = self._rows, self._rows + len(part)
        for name, column in self._columns.items():
            if self._rows > len(column):
                size = 2 * self._rows if begin else len(part) * max(2, self._parts * 5 // 4)
                longer = np.empty(size, column.dtype)
                longer[:begin] = column[:begin]
                self._columns[name] = column = longer
            column[begin : self._rows] = getattr(part, name)

    def joined(self) -> F:
        """Return all rows."""
        return self._frame(**{name: column[: self._rows] for name, column in self._columns.items()})


@dataclass(frozen=True)
class Candidates(Frame):
    """The candidates of a shard with their ranges (semantics: Candidates, Sifting), by contact."""

    contact_id: Ids
    kind: Codes  # index into the run's kinds: email type, instance, priority, templates
    event: Days  # event date, the last part of the identity
    ideal: Days
    deadline: Days
    x: Days  # the day on which the frequency limit counts it: ideal, or later where it waits
    floor: Days  # first day it may be put on: max(lo, T0), and no excluded day up to its start
    ceiling: Days  # last day it may be put on: hi
    reason: Codes  # 0, or why it is skipped before any day is chosen
    state: Small  # of the contact: index into USPS_STATES, -1 unknown
    sms: Mask  # the contact has a phone number: the row carries the SMS template
    details: Codes  # row of the fragment's `details` (follow-up metadata), -1 without
    previous_id: Ids  # the planned row of the same identity in the snapshot, 0 without
    previous_day: Days  # its scheduled_send_date
    previous_reason: Codes  # its skip reason; 0 if it is PRE_SCHEDULED, -1 for an unknown one
    previous_ideal: Mask  # PRE_SCHEDULED with the same ideal date: it may keep its day
    previous_same: Mask  # all that does not depend on the day (time, templates, ...) is equal


@dataclass(frozen=True)
class Contenders(Frame):
    """Candidates that may be sent, with what balancing needs; sorted by contact."""

    contact_id: Ids
    kind: Codes
    event: Days
    ideal: Days
    deadline: Days
    x: Days
    floor: Days
    ceiling: Days
    previous_day: Days
    previous_ideal: Mask

    @classmethod
    def of(cls, candidates: Candidates) -> Contenders:
        """Return the candidates that sifting has not skipped."""
        alive = candidates.reason == 0
        return cls(**{f.name: getattr(candidates, f.name)[alive] for f in fields(cls)})


@dataclass(frozen=True)
class Placement(Frame):
    """The day chosen for each contender, row by row."""

    day: Days  # scheduled_send_date; NO_DAY if it is skipped
    reason: Codes  # 0, or why no day was found
    step: Small  # index into PLACEMENT_STEPS


PLACEMENT_STEPS = ("kept", "on target", "waited for room", "late, above the cap", "skipped")


@dataclass(frozen=True)
class Removals(Frame):
    """Planned rows of contacts in scope that are no longer planned."""

    previous_id: Ids
    contact_id: Ids
    previous_day: Days
    scheduled: Mask  # it was PRE_SCHEDULED (else SKIPPED)
    kind: Codes  # -1: a kind that the run does not have
    history: Mask  # kept; if PRE_SCHEDULED it becomes SKIPPED, with SkipCode.NOT_SENT
    why: Small  # index into almanac.planning.removed.WHYS


@dataclass(frozen=True)
class ScheduledDays(Frame):
    """PRE_SCHEDULED rows of contacts in scope by day, as the snapshot has them."""

    day: Days
    count: Ids
    effective_dates: Ids  # those of type effective_date among them


@dataclass(frozen=True)
class TargetStatuses(Frame):
    """Rows of contact_campaigns with their candidate or committed row."""

    target_id: Ids
    candidate: Ids  # row of Candidates in the same fragment, -1 if a committed row was sent
    status: Small  # the status in the snapshot: 0 pending or other, 1 scheduled, 2 skipped, 3 sent


@dataclass(frozen=True)
class ScheduleRows(Frame):
    """Rows of email_schedules to write; `row_id` 0 means insert."""

    row_id: Ids
    contact_id: Ids
    kind: Codes
    event: Days
    ideal: Days
    day: Days  # scheduled_send_date
    reason: Codes  # 0: PRE_SCHEDULED, else SKIPPED
    sms: Mask
    details: Codes  # index into the metadata texts that come with the rows, -1 for none


@dataclass(frozen=True)
class ShardData:
    """The rows of a range of contacts that planning reads, by the schemas of `database.selects`."""

    contacts: pa.Table
    committed: pa.Table
    planned: pa.Table
    targets: pa.Table
    legacy: pa.Table  # PRE_SCHEDULED rate increases of an older scheduler
    clicks: pa.Table
    answers: pa.Table
    suppressions: pa.Table


@dataclass(frozen=True)
class Kind:
    """The common properties of the messages of one type and campaign instance.

    A run's kinds are sorted by (email_type, instance), so that comparing codes compares names.
    """

    email_type: str
    instance: int  # campaign_instances.id, 0 without
    priority: int
    email_template: str | None
    sms_template: str | None
    respects_windows: bool = True

    @property
    def is_campaign(self) -> bool:
        return self.email_type.startswith("campaign_")

    @property
    def is_followup(self) -> bool:
        return self.email_type.startswith("followup")

    @property
    def is_effective_date(self) -> bool:
        return self.email_type == "effective_date"

    def content(self, send_time: str, sms: bool) -> str:
        """Return the columns of a row that depend only on its kind, in the form of the column
        `content` that `database.reading` returns for a planned row."""
        template = self.sms_template if sms else None
        parts = (str(self.priority), send_time, self.email_template or "", template or "")
        return "\x1f".join(parts)
