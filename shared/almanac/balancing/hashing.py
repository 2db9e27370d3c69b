"""The hash that spreads messages over days, the same in every release (semantics: Hash)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from almanac import civil
from almanac.checksums import Hashes, splitmix64
from almanac.frames import Codes, Days, Ids, Kind

_AT_ONCE = 1 << 18  # messages: sorting all at once takes 40 bytes of each


def message_hashes(contact_id: Ids, kind: Codes, event: Days, kinds: Sequence[Kind]) -> Hashes:
    """Return h of each message: of its contact, type, campaign instance and event year."""
    hashes = np.empty(len(event), np.uint64)
    for start in range(0, len(event), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        hashes[part] = _hashes(contact_id[part], kind[part], event[part], kinds)
    return hashes


def _hashes(contact_id: Ids, kind: Codes, event: Days, kinds: Sequence[Kind]) -> Hashes:
    year = civil.year_of(event)
    pairs, where = np.unique(kind.astype(np.int64) * 32768 + year, return_inverse=True)
    salts = [_salt(kinds[int(pair) // 32768], int(pair) % 32768) for pair in pairs]
    salt = splitmix64(np.array(salts, np.uint64))
    return splitmix64(contact_id.view(np.uint64) ^ salt[where])


def _salt(kind: Kind, year: int) -> int:
    return zlib.crc32(f"{kind.email_type}:{kind.instance}:{year}".encode())
