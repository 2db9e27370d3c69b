"""Which column of a file is which of ours, by its name or by `--map`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from almanac.errors import InputError

REJECT_COLUMNS = ("line", "rejected_because")  # in front of a reject report, which may come back

# Other names of our columns, as `plain` returns them; only those that can mean nothing else.
SYNONYMS = {
    "email": ("emailaddress", "mail", "mailaddress"),
    "trigger_date": ("trigger",),
    "detail": ("details",),
    "phone": ("phonenumber",),
}


@dataclass(frozen=True)
class ImportColumns:
    """The columns that an import reads; a file needs all required ones, and one of some."""

    names: tuple[str, ...]
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " and ".join(self.required) or " or ".join(self.one_of)


@dataclass(frozen=True)
class Header:
    """The columns of a file."""

    columns: tuple[str, ...]  # trimmed and in lower case
    places: Mapping[str, int]  # of ours that the file has, by our name
    mapped: frozenset[str]  # of ours that --map names

    @property
    def ignored(self) -> list[str]:
        """The names of the columns that are not read."""
        read = set(self.places.values())
        others = (column for at, column in enumerate(self.columns) if at not in read)
        return [column for column in others if column and column not in REJECT_COLUMNS]


def read_mapping(pairs: Sequence[str], wanted: ImportColumns) -> dict[str, str]:
    """Return their name by ours, from the values THEIR_NAME=OUR_NAME of `--map`.

    Raise InputError for a value that is not one, or that contradicts another.
    """
    mapping: dict[str, str] = {}
    for pair in pairs:
        their, equals, our = (part.strip() for part in pair.rpartition("="))
        our = our.lower()
        if not (their and equals):
            raise InputError(f"--map: {pair!r}: expected THEIR_NAME=OUR_NAME")
        if our not in wanted.names:
            raise InputError(
                f"--map: {our!r} is not a column of this import; "
                f"expected one of {', '.join(wanted.names)}"
            )
        if our in mapping:
            raise InputError(f"--map: {our} has two columns, {mapping[our]!r} and {their!r}")
        mapping[our] = their
    theirs = [plain(their) for their in mapping.values()]
    twice = [their for their in mapping.values() if theirs.count(plain(their)) > 1]
    if twice:
        raise InputError(f"--map: {twice[0]!r} is mapped to two columns")
    return mapping


def read_header(
    cells: Sequence[str], wanted: ImportColumns, mapping: Mapping[str, str], where: str
) -> Header:
    """Find the columns of an import in a header.

    mapping: as `read_mapping` returns it. where: file and line, for messages. Raise InputError for
    a header that lacks a column that is needed, or in which a column may be one of two.
    """
    columns = tuple(cell.strip().lower() for cell in cells)
    plains = [plain(column) for column in columns]
    places: dict[str, int] = {}
    for our, their in mapping.items():
        found = _all(columns, their.lower()) or _all(plains, plain(their))
        if not found:
            raise InputError(f"{where}: --map: no column {their!r}; found {_shown(columns)}")
        places[our] = _only(found, columns, our, where)
    taken = set(places.values())
    for our in wanted.names:
        if our not in places:
            found = _all(plains, plain(our)) or _all(plains, *SYNONYMS.get(our, ()))
            if free := [at for at in found if at not in taken]:
                places[our] = _only(free, columns, our, where)
    missing = [our for our in wanted.required if our not in places]
    if len(missing) == len(wanted.required) and not set(wanted.one_of) & set(places):
        raise InputError(
            f"{where}: expected a header with {wanted}; found {_shown(columns)}; "
            "--map THEIR_NAME=OUR_NAME names a column"
        )
    if missing:
        raise InputError(
            f"{where}: the header has no column {missing[0]}; found {_shown(columns)}; "
            f"--map THEIR_NAME={missing[0]} names it"
        )
    return Header(columns, places, frozenset(mapping))


def plain(name: str) -> str:
    """Return a name as names are compared: without case, blanks, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "", name).lower()


def _all(names: Sequence[str], *wanted: str) -> list[int]:
    return [at for at, name in enumerate(names) if name and name in wanted]


def _only(found: Sequence[int], columns: Sequence[str], our: str, where: str) -> int:
    """Return the one place. Raise InputError if there are several."""
    if len(found) > 1:
        names = dict.fromkeys(columns[at] for at in found)
        if len(names) == 1:
            raise InputError(f"{where}: the column {columns[found[0]]} appears more than once")
        raise InputError(
            f"{where}: {' and '.join(map(repr, names))} may both be {our}; "
            f"--map THEIR_NAME={our} says which is"
        )
    return found[0]


def _shown(columns: Sequence[str]) -> str:
    return repr(", ".join(columns)[:80])
