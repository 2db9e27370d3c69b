"""Odd values of generated contacts: what becomes of a text, and of which share of the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from almanac.generation.draws import Draws, constant, join

Oddity = tuple[str, str, float]  # column, one of CHANGES, share of the rows

NULL = "null"


def _always(text: str) -> Callable[[pa.Array], pa.Array]:
    return lambda texts: constant(text, len(texts))


CHANGES: dict[str, Callable[[pa.Array], pa.Array]] = {
    NULL: lambda values: pa.nulls(len(values), values.type),
    "empty": _always(""),
    "unreadable": _always("unknown"),
    "zeros": _always("0000-00-00"),
    "no state": _always("XX"),
    "elsewhere": _always("99501"),  # Anchorage
    "short": lambda texts: pc.utf8_slice_codeunits(texts, 1, 5),
    "slashes": lambda texts: pc.replace_substring_regex(texts, r"^(.{4})-(..)-(..)$", r"\2/\3/\1"),
    "no such day": lambda texts: join(pc.utf8_slice_codeunits(texts, 0, 4), "-02-30"),
    "time": lambda texts: join(texts, " 00:00:00"),
    "T time": lambda texts: join(texts, "T00:00:00"),
    "lower case": pc.utf8_lower,
    "upper case": pc.utf8_upper,
    "blanks": lambda texts: join(" ", texts, " "),
    "plus four": lambda texts: join(texts, "-0142"),
    "no at": lambda texts: pc.replace_substring(texts, "@", " at "),
    "no domain": lambda texts: pc.replace_substring_regex(texts, r"@.*$", ""),
    "two ats": lambda texts: pc.replace_substring(texts, "@", "@@"),
}


def make_odd(
    draws: Draws, columns: dict[str, pa.Array], groups: Sequence[Sequence[Oddity]], count: int
) -> None:
    """Change the columns in place: a row has at most one oddity of each group."""
    for group in groups:
        shares = [share for _, _, share in group]
        kinds = draws.codes([*shares, max(0.0, 1 - sum(shares))], count)
        for kind, (column, change, _) in enumerate(group):
            mask = kinds == kind
            if mask.any():
                odd = CHANGES[change](columns[column].filter(pa.array(mask)))
                columns[column] = pc.replace_with_mask(columns[column], pa.array(mask), odd)
