"""Reading an agency's database in whatever state it is (semantics: Input database).

It is never written."""

import re
import sqlite3
from pathlib import Path
from typing import Any, Self

Record = dict[str, Any]


class Database:
    """Tables as lists of records; what is missing reads as nothing."""

    def __init__(self, path: str | Path) -> None:
        self._connection = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)
        self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        names = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        self._tables = {name.lower(): name for (name,) in names}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def records(self, table: str) -> list[Record]:
        """All rows in table order, by lower-case column names; none where there is no table."""
        name = self._tables.get(table)
        if name is None:
            return []
        cursor = self._connection.execute(f'SELECT * FROM "{name}" ORDER BY rowid')
        columns = [column[0].lower() for column in cursor.description]
        return [dict(zip(columns, values, strict=True)) for values in cursor]

    def sequence(self, table: str) -> int:
        """The highest id that the table ever had, as far as SQLite remembers."""
        if "sqlite_sequence" not in self._tables:
            return 0
        found = self._connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE lower(name) = ?", (table,)
        ).fetchone()
        return int(found[0]) if found and found[0] is not None else 0


def text(value: object) -> str:
    """A stored value as trimmed text; NULL is empty."""
    return "" if value is None else str(value).strip()


def flag(value: object) -> bool:
    """Whether a flag of a contact is set: 1, or a word for it."""
    if isinstance(value, (int, float)):
        return value == 1
    return text(value).lower() in {"1", "1.0", "true", "yes", "t", "y"}


def truth(value: object) -> bool:
    """Whether a stored switch of a campaign type is set; ValueError if it says neither."""
    if isinstance(value, (int, float)):
        return value != 0
    word = text(value).lower()
    if word in {"0", "0.0", "false", "no", "f", "n"}:
        return False
    if word in {"1", "1.0", "true", "yes", "t", "y"}:
        return True
    raise ValueError(f"neither yes nor no: {value!r}")


def whole(value: object) -> int | None:
    """A stored id: a whole number, or a text that is one."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, int):
        return value
    found = re.fullmatch(r"([+-]?[0-9]+)(?:\.0*)?", text(value), re.ASCII)
    return int(found[1]) if found and abs(int(found[1])) < 1 << 63 else None


def truth_or(value: object, default: bool) -> bool:
    """A stored flag, or its default where it is empty or its column is missing."""
    return default if text(value) == "" else truth(value)
