"""The shares of contacts that the instances of a split group take (semantics: Campaigns)."""

from __future__ import annotations

import zlib

import numpy as np

from almanac.checksums import splitmix64
from almanac.frames import Ids, Mask
from almanac.planning.brief import Instance


def in_split(ids: Ids, instance: Instance) -> Mask:
    """Return which contacts are in the instance's share of its group."""
    if instance.split is None:
        return np.ones(len(ids), np.bool_)
    share = split_share(ids, instance.split.group)
    chosen: Mask = (share >= instance.split.first) & (share < instance.split.end)
    return chosen


def split_share(ids: Ids, group: str) -> Ids:
    """Return the share of each contact in a split group, 0 to 99."""
    salt = np.array([zlib.crc32(f"split:{group}".encode())], np.uint64)
    share = splitmix64(ids.view(np.uint64) ^ splitmix64(salt)) % np.uint64(100)
    return share.astype(np.int64)
