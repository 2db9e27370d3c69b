"""Drafts: candidates of the rules, before they are compared with each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from almanac import civil
from almanac.frames import Codes, Days, Frame, Index, Mask
from almanac.planning.brief import RunContext


@dataclass(frozen=True)
class Drafts(Frame):
    """Candidates (semantics: Candidates), with a reason if the rules skip them."""

    contact: Index  # position in Contacts
    kind: Codes
    event: Days
    ideal: Days
    deadline: Days
    reason: Codes
    details: Codes  # row of the metadata texts, -1 without

    def with_details_after(self, count: int) -> Drafts:
        """Return the drafts where their texts come behind so many others."""
        details = np.where(self.details >= 0, self.details + np.int32(count), self.details)
        return replace(self, details=details.astype(np.int32))


def drafts(
    contact: Index,
    kind: int | Codes,
    event: Days | int,
    ideal: Days,
    deadline: Days | int,
    reason: Codes | int = 0,
    details: Codes | int = -1,
) -> Drafts:
    """Return drafts, from columns or from values for all rows."""
    size = len(contact)

    def column(values: Codes | int) -> Codes:
        return np.broadcast_to(np.asarray(values, np.int32), (size,))

    return Drafts(
        contact=contact,
        kind=column(kind),
        event=column(event),
        ideal=column(ideal),
        deadline=column(deadline),
        reason=column(reason),
        details=column(details),
    )


def live(context: RunContext, ideal: Days | int, deadline: Days | int) -> Mask:
    """Return which candidates exist: neither past their deadline nor beyond the horizon."""
    exists = (np.asarray(deadline) >= civil.day_of(context.t0)) & (
        np.asarray(ideal) <= civil.day_of(context.horizon)
    )
    return np.asarray(exists, np.bool_)
