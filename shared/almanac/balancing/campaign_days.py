"""The days on which contacts have a campaign message (semantics: Daily cap)."""

from __future__ import annotations

import numpy as np

from almanac.frames import Ids, Mask
from almanac.joins import positions


class CampaignDays:
    """The (contact, day) keys that have a campaign message.

    New keys are kept apart and merged from time to time, so that adding a few keys to millions
    stays cheap.
    """

    def __init__(self, keys: Ids) -> None:
        self._keys = keys  # sorted
        self._recent = np.empty(0, np.int64)  # sorted

    def add(self, keys: Ids) -> None:
        """Add keys, which may be there already."""
        self._recent = np.sort(np.concatenate([self._recent, keys]))
        if len(self._recent) > 20_000:
            self._keys = np.sort(np.concatenate([self._keys, self._recent]), kind="stable")
            self._recent = np.empty(0, np.int64)

    def holds(self, keys: Ids) -> Mask:
        """Return which of the keys have been added."""
        found = np.zeros(len(keys), np.bool_)
        for known in (self._keys, self._recent):
            if len(known):
                found |= positions(known, keys) >= 0
        return found
