"""What the appliers of the kinds of event are handed, and what they hand back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import apsw
import numpy as np

from almanac.config import Config
from almanac.database.contact_lookup import KnownAddresses
from almanac.frames import Ids
from almanac.intake.events import MAX_ENTRIES, IntakeEvent, RefusedEntry
from almanac.intake.inbox import Received

_STAMP = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Absorption:
    """What holds for all entries that are applied together.

    Entries are numbered across events: `event_of` returns the event of an entry.
    """

    config: Config
    now: dt.datetime
    applied_by: str  # such as a run id
    events: Sequence[tuple[Received, IntakeEvent]]
    addresses: KnownAddresses = field(default_factory=KnownAddresses)  # that entries name

    def event_of(self, entry: int) -> IntakeEvent:
        return self.events[entry // MAX_ENTRIES][1]

    def received(self, entry: int) -> dt.datetime:
        """Return the publish time of an entry's event."""
        return self.events[entry // MAX_ENTRIES][0].received

    def at(self, entry: int, given: dt.datetime | None) -> dt.datetime:
        """Return the time of an entry with its offset: as given, or its event's publish time."""
        if given is None:
            return self.received(entry)
        return given if given.tzinfo is not None else given.replace(tzinfo=self.config.zone)

    @property
    def today(self) -> dt.date:
        """The day of `now` in the organization's zone."""
        return self.now.astimezone(self.config.zone).date()

    @property
    def timestamp(self) -> str:
        """`now` in the format of SQLite's CURRENT_TIMESTAMP."""
        return utc_text(self.now)


@dataclass
class Applied:
    """What became of the entries of a kind; an entry is named by its number.

    affected: (entry, contact) of the contacts whose plan an entry may change. instances: (entry,
    instance) of the campaigns that it changes.
    """

    refused: list[RefusedEntry] = field(default_factory=list)
    affected: Ids = field(default_factory=lambda: np.empty((0, 2), np.int64))
    instances: Ids = field(default_factory=lambda: np.empty((0, 2), np.int64))
    changed: int = 0  # contacts, targets or campaigns that were added, changed or removed
    contacts_added: int = 0
    committed: int = 0  # rows of the sender that there are more now; those put back among them
    pre_scheduled: int = 0  # Status.PRE_SCHEDULED rows that there are fewer now
    skipped: int = 0  # Status.SKIPPED rows that there are fewer now


# applies the entries of a kind by publish time, inside the caller's transaction
Applier = Callable[[apsw.Connection, Sequence[tuple[int, Any]], Absorption], Applied]


def utc_text(at: dt.datetime) -> str:
    """Return a time in the format of SQLite's CURRENT_TIMESTAMP."""
    return at.astimezone(dt.UTC).strftime(_STAMP)


def pairs_of(pairs: Sequence[tuple[int, int]]) -> Ids:
    """Return (entry, id) pairs as `Applied` has them."""
    return np.array(pairs, np.int64).reshape(-1, 2) if pairs else np.empty((0, 2), np.int64)
