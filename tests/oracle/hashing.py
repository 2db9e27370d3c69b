"""The hash that spreads e-mails over days (semantics: Hash)."""

import zlib

_MASK = 2**64 - 1


def splitmix64(z: int) -> int:
    """One step of splitmix64, modulo 2**64."""
    z = (z + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def h(contact_id: int, email_type: str, instance: int | None, year: int) -> int:
    """The hash of one contact's e-mail: unsigned, 64 bits."""
    key = f"{email_type}:{instance or 0}:{year}".encode()
    return splitmix64((contact_id & _MASK) ^ splitmix64(zlib.crc32(key)))
