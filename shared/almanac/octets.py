"""The bytes of columns of texts, without a copy for each text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from almanac.frames import Ids

Octets = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]  # 8 bytes, the first one the lowest


def octets_of(texts: pa.Array) -> tuple[Octets, Ids, Ids]:
    """Return the bytes of all texts, and by text where its bytes start and how many they are."""
    texts = texts.cast(pa.large_binary())
    offsets = np.frombuffer(texts.buffers()[1], np.int64, len(texts) + 1 + texts.offset)
    offsets = offsets[texts.offset :]
    data = texts.buffers()[2]
    octets = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return octets[offsets[0] : offsets[-1]], offsets[:-1] - offsets[0], np.diff(offsets)


def words_of(octets: Octets) -> Words:
    """Return the 8 bytes from each byte on, and from the end on; zeros are behind the last one."""
    padded = np.concatenate([octets, np.zeros(8, np.uint8)])
    return np.ndarray((len(octets) + 1,), "<u8", padded, strides=(1,))
