"""The fixed occupancy of each day, and the limits of a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from almanac import civil
from almanac.config import Config
from almanac.frames import Codes, Days, Ids, Kind

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Occupancy:
    """What a run does not move: committed rows, and rows of contacts outside its scope.

    `days` and `effective_dates` are counts by day from T0 on; days past their end have none.
    """

    days: Counts
    effective_dates: Counts  # the effective_date e-mails among them
    campaign_contacts: Ids  # committed campaign e-mails: contact and day, row by row
    campaign_days: Days


@dataclass(frozen=True)
class Limits:
    """The limits of a day, and the kinds by code."""

    t0: int  # day number of the first day that can be sent
    cap: int  # C
    ceiling: int  # X
    effective_date_limit: int
    smoothing_window: int
    catch_up_days: int
    kinds: Sequence[Kind]
    closed: frozenset[int] = frozenset()  # day numbers

    @classmethod
    def of(
        cls,
        config: Config,
        t0: int,
        total_contacts: int,
        kinds: Sequence[Kind],
        closed: Iterable[dt.date] = (),
    ) -> Limits:
        """Return the limits of an organization with that number of contacts and closed days."""
        return cls(
            t0=t0,
            cap=config.daily_cap(total_contacts),
            ceiling=config.ceiling(total_contacts),
            effective_date_limit=config.effective_date_limit(total_contacts),
            smoothing_window=config.load_balancing.ed_smoothing_window_days,
            catch_up_days=config.load_balancing.catch_up_spread_days,
            kinds=kinds,
            closed=frozenset(map(civil.day_of, closed)),
        )

    def open_days(self, size: int) -> npt.NDArray[np.bool_]:
        """Return of each of the first `size` days from T0 on whether messages can be sent."""
        closed = np.array([day - self.t0 for day in self.closed], np.int64)
        result = np.ones(size, np.bool_)
        result[closed[(closed >= 0) & (closed < size)]] = False
        return result

    @cached_property
    def is_campaign(self) -> npt.NDArray[np.bool_]:
        return np.array([k.is_campaign for k in self.kinds])

    @cached_property
    def is_followup(self) -> npt.NDArray[np.bool_]:
        return np.array([k.is_followup for k in self.kinds])

    @cached_property
    def is_effective_date(self) -> npt.NDArray[np.bool_]:
        return np.array([k.is_effective_date for k in self.kinds])

    @cached_property
    def priority_rank(self) -> Codes:
        """Return the rank of each kind's priority among the distinct priorities."""
        priorities = [k.priority for k in self.kinds]
        return np.unique(priorities, return_inverse=True)[1].astype(np.int32)


def padded(counts: Counts, size: int) -> Counts:
    """Return the counts of the first `size` days."""
    result = np.zeros(size, np.int64)
    result[: min(size, len(counts))] = counts[:size]
    return result
