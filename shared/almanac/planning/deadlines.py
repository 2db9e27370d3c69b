"""The last day on which a message is of use, by its type (semantics: Candidates)."""

from __future__ import annotations

import numpy as np

from almanac import civil
from almanac.config import Config, Timing
from almanac.frames import Days
from almanac.planning.brief import Instance


def grace(lead: int) -> int:
    """Return the days from the deadline of an anniversary message to the event: it is the day
    before, or without a lead the day itself."""
    return 1 if lead > 0 else 0


def anniversary_deadline(event: Days, lead: int) -> Days:
    """Return the deadline of a message so many days before an anniversary."""
    return event - np.int32(grace(lead))


def aep_deadline(event: Days, config: Config) -> Days:
    """Return the deadline of the built-in AEP message."""
    return event + np.int32(config.aep.valid_days)


def post_window_deadline(ideal: Days, timing: Timing) -> Days:
    """Return the deadline of a post-window message."""
    return ideal + np.int32(timing.post_window_valid_days)


def followup_deadline(ideal: Days, timing: Timing) -> Days:
    """Return the deadline of a follow-up."""
    return ideal + np.int32(timing.followup_lookback_days - timing.followup_delay_days)


def campaign_deadline(instance: Instance, ideal: Days, event: Days, timing: Timing) -> Days:
    """Return the deadline of a campaign message; event is its trigger date."""
    deadline = ideal + np.int32(timing.campaign_valid_days)
    if instance.spread is not None:
        deadline = np.maximum(deadline, np.int32(civil.day_of(instance.spread[1])))
    elif instance.days_before_event > 0:
        deadline = np.where(ideal < event, event - np.int32(1), deadline)
    if instance.active_end is not None:
        deadline = np.minimum(deadline, np.int32(civil.day_of(instance.active_end)))
    return deadline.astype(np.int32)
