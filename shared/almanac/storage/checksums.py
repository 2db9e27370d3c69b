"""CRC32C in Cloud Storage's format: base64 of the four bytes, most significant first.

google_crc32c is imported when it is used: a function that only parses a message does not need it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import IO

CHUNK = 1 << 20  # bytes
BLOCK_BYTES = 256 << 10

_CRC_BYTES = 4
_POLYNOMIAL = 0x82F63B78  # of CRC32C, its coefficients from x^31 down to x^0 as bits 0 to 31
_ONE = 1 << 31  # the polynomial 1 in this order


class Checksum:
    """CRC32C and size in bytes, updated chunk by chunk."""

    def __init__(self) -> None:
        import google_crc32c

        self._extend = google_crc32c.extend
        self._value = 0
        self.size = 0

    def update(self, chunk: bytes) -> None:
        self._value = self._extend(self._value, chunk)
        self.size += len(chunk)

    def append(self, crc: int, size: int) -> None:
        """Go on with a content of which only CRC32C and size are known."""
        self._value = _product(_power(8 * size), self._value) ^ crc
        self.size += size

    @property
    def value(self) -> int:
        """Return the CRC32C as a number."""
        return self._value

    @property
    def crc32c(self) -> str:
        return base64.b64encode(self._value.to_bytes(4, "big")).decode("ascii")


def crc32c_of(data: bytes) -> str:
    """Return the CRC32C of data in base64."""
    checksum = Checksum()
    checksum.update(data)
    return checksum.crc32c


def checksum_of_file(path: Path) -> Checksum:
    """Compute size and CRC32C of a file, read in chunks (0.6 s for 2.7 GB)."""
    checksum = Checksum()
    with path.open("rb") as file:
        for chunk in chunks_of(file):
            checksum.update(chunk)
    return checksum


class BlockSums:
    """The CRC32C of each block of a file and of parts of it; the file is read once, on demand."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size

    @cached_property
    def packed(self) -> bytes:
        """The CRC32C of each block, most significant byte first (0.6 s for 2.7 GB)."""
        with self._path.open("rb") as file:
            return b"".join(map(packed_checksums, iter(lambda: file.read(BLOCK_BYTES), b"")))

    @cached_property
    def whole(self) -> Checksum:
        """The checksum of the file."""
        return self.of(0, self.size)

    def of(self, start: int, stop: int) -> Checksum:
        """Return the checksum of bytes [start, stop), which begin and end where blocks do."""
        checksum = Checksum()
        for at in range(start, stop, BLOCK_BYTES):
            first = at // BLOCK_BYTES * _CRC_BYTES
            crc = int.from_bytes(self.packed[first : first + _CRC_BYTES], "big")
            checksum.append(crc, min(BLOCK_BYTES, stop - at))
        return checksum


def packed_checksums(data: bytes, block_bytes: int = BLOCK_BYTES) -> bytes:
    """Return the CRC32C of each block of data, one after the other."""
    import google_crc32c

    blocks = (data[at : at + block_bytes] for at in range(0, len(data), block_bytes))
    values = (google_crc32c.value(block) for block in blocks)
    return b"".join(value.to_bytes(_CRC_BYTES, "big") for value in values)


@cache
def _power(exponent: int) -> int:
    """Return the polynomial x^exponent modulo that of CRC32C."""
    power, square = _ONE, _ONE >> 1
    while exponent:
        if exponent & 1:
            power = _product(square, power)
        square = _product(square, square)
        exponent >>= 1
    return power


def _product(one: int, other: int) -> int:
    """Return the product of two polynomials modulo that of CRC32C."""
    product = 0
    while one:
        if one & _ONE:
            product ^= other
        one = one << 1 & 0xFFFFFFFF
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of an open file in chunks of at most 1 MiB."""
    while chunk := file.read(CHUNK):
        yield chunk
