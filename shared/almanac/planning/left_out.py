"""Contacts who can get no message at all, counted by why (semantics: Contacts)."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa

from almanac.frames import Mask

STATUS = "status {}"
NO_ADDRESS = "no valid e-mail address"
NO_STATE = "unknown state"
OTHER_STATUS = "another status"
MOST, LONGEST = 20, 40  # statuses that are named, and characters of one


def why_left_out(statuses: pa.Array, valid_email: Mask, eligible: Mask) -> Counter[str]:
    """Count the contacts that get nothing, each once.

    statuses: of those left out for it, trimmed and in lower case. The masks are of all others.
    """
    counts = {each["values"]: each["counts"] for each in statuses.value_counts().to_pylist()}
    ranked = sorted(counts, key=lambda status: (-counts[status], status))
    found: Counter[str] = Counter()
    for place, status in enumerate(ranked):
        named = status[:LONGEST] if status.isprintable() else repr(status)[:LONGEST]
        found[STATUS.format(named) if place < MOST else OTHER_STATUS] += counts[status]
    found[NO_ADDRESS] += int(np.count_nonzero(~valid_email))
    found[NO_STATE] += int(np.count_nonzero(valid_email & ~eligible))
    return +found
