"""Arguments of the command line, from text to values; errors name the argument."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from almanac.commands.dates import within_years
from almanac.config import Config, load_config
from almanac.contact_ranges import ContactRange
from almanac.errors import InputError
from almanac.names import MAX_ID
from almanac.outputs import check_out

_ITEM = re.compile(r"([0-9]+)(?:\s*-\s*([0-9]+))?")


def read_datetime(text: str, option: str = "--now") -> dt.datetime:
    """Return a date with a time of day, with or without an offset from UTC."""
    try:
        if len(text) <= len("2026-11-21"):
            raise ValueError
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{option}: {text!r} is not a date with a time; expected YYYY-MM-DDTHH:MM in the "
            "organization's time zone, or with an offset, such as 2026-11-21T14:00Z"
        ) from None
    within_years(moment.date(), option, text)
    return moment


def read_config(path: Path, option: str = "--config") -> Config:
    """Return the configuration in a file."""
    return load_config(_file_bytes(path, option), str(path))


def file_or_stdout(out: Path | None) -> Path | None:
    """Return the file of --out; None for standard output. Raises InputError for a bad name."""
    if out is None or out == Path("-"):
        return None
    check_out(out, "--out")
    return out


def read_assignments(words: Sequence[str], option: str | None = None) -> dict[str, str | None]:
    """Return the values of FIELD=VALUE by field; None for a field that is to be cleared."""
    prefix = "" if option is None else f"{option}: "
    values: dict[str, str | None] = {}
    for word in words:
        field, sign, value = word.partition("=")
        field = field.strip()
        if not sign or not field:
            raise InputError(
                f"{prefix}{word!r} is not FIELD=VALUE, such as active_end_date=2026-12-31"
            )
        if field in values:
            raise InputError(f"{prefix}{field} is given twice")
        values[field] = value or None
    return values


def read_ids(text: str) -> list[ContactRange]:
    """Return ids and ranges of ids as they are given: `5,7,100-200`, or `@file` with any number of
    such lines."""
    if text.startswith("@"):
        path = Path(text[1:])
        try:
            lines = _file_bytes(path, "--contacts").decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise InputError(f"--contacts: {path} is not a text file in UTF-8") from None
        source = ((f"{path}, line {number}: ", line) for number, line in enumerate(lines, start=1))
        ranges = [r for place, line in source for r in _items(line, place)]
    else:
        ranges = list(_items(text, ""))
    if not ranges:
        raise InputError("--contacts: no ids; expected ids and ranges such as 5,7,100-200")
    return ranges


def _items(line: str, place: str) -> Iterator[ContactRange]:
    for item in line.split(","):
        if not item.strip():
            continue
        match = _ITEM.fullmatch(item.strip())
        if match is None:
            shown = item.strip() if len(item) <= 40 else f"{item.strip()[:40]}..."
            raise InputError(
                f"--contacts: {place}{shown!r} is neither an id nor a range; "
                "expected such as 5,7,100-200, or @file"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise InputError(f"--contacts: {place}the range {first}-{last} ends before it begins")
        if last > MAX_ID:
            raise InputError(f"--contacts: {place}{last} is larger than any id can be")
        yield ContactRange(first, last)


def _file_bytes(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{option}: {path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{option}: {path}: a folder; expected a file") from None
    except OSError as error:
        raise InputError(f"{option}: {path}: cannot be read: {error.strerror}") from None
