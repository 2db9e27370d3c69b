"""Which errors another delivery may get over, and which none will."""

from __future__ import annotations

import apsw

from almanac.errors import Corrupt, DatabaseError, InputError, NotFound


def is_final(error: Exception) -> bool:
    """Whether the same message would fail the same way again.

    The fault is then in what the message asks for or in the data that it names. A full disk or
    broken memory are of the machine: another one takes the next delivery.
    """
    if isinstance(error, DatabaseError):
        return not isinstance(error.__cause__, apsw.FullError | apsw.IOError | apsw.NoMemError)
    return isinstance(error, InputError | Corrupt | NotFound)
