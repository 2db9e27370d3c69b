"""Texts as numbers that stay the same from one range of contacts to the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from almanac.frames import Ids


class Names:
    """Numbers of texts, in the order in which they were first asked for."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def codes(self, texts: Sequence[str]) -> Ids:
        """Return the number of each text."""
        known = self._codes
        return np.array([known.setdefault(text, len(known)) for text in texts] or [0], np.int64)
