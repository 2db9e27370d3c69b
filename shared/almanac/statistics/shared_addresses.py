"""Addresses that several contacts share: each of them gets the messages of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.checksums import Hashes, mixed_checksums
from almanac.config_contacts import ContactColumns
from almanac.database.reading import Snapshot
from almanac.frames import Frame, Ids, Parts
from almanac.report.lines import SharedAddresses

EXAMPLES = 5  # addresses, and contacts of each


@dataclass(frozen=True)
class _Addresses(Frame):
    contact_id: Ids
    checksum: Ids  # see `address_checksums`


def address_checksums(emails: pa.ChunkedArray) -> Hashes:
    """Return one number for each address, trimmed and in lower case; 0 for what is none."""
    texts = pc.ascii_lower(pc.utf8_trim_whitespace(emails))
    found = mixed_checksums(pa.table({"email": pa.chunked_array(texts)}))
    is_address = pc.match_substring(texts, "@").to_numpy()
    return np.where(is_address, found, np.uint64(0))


def shared_addresses(ids: Ids, addresses: Hashes) -> SharedAddresses:
    """Return the addresses that several contacts share, with the most shared as examples."""
    keys = np.sort(addresses)
    again = keys[1:][keys[1:] == keys[:-1]]
    shared, further = np.unique(again[again != 0], return_counts=True)
    most = shared[np.argsort(-further, kind="stable")][:EXAMPLES]
    examples = [np.sort(ids[addresses == key]).tolist() for key in most]
    return SharedAddresses(
        addresses=len(shared),
        contacts=len(shared) + int(further.sum()),
        examples=sorted(each[:EXAMPLES] for each in examples),
    )


def shared_addresses_of(snapshot: Snapshot, settings: ContactColumns) -> SharedAddresses:
    """Return those of a whole database."""
    found = Parts(_Addresses, 1)
    for part in snapshot.addresses(settings):
        checksums = address_checksums(part["email"]).view(np.int64)
        found.add(_Addresses(part["id"].to_numpy(), checksums))
    every = found.joined()
    return shared_addresses(every.contact_id, every.checksum.view(np.uint64))
