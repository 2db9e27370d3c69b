"""Read suppressions from text: the rows of a CSV file, and the options of a command."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from almanac.csv_input.header import ImportColumns
from almanac.csv_input.reader import MAX_ROWS, CsvFile, at_most
from almanac.csv_input.rejects import Rejects
from almanac.csv_input.source import InputFile
from almanac.database.suppressions import COLUMNS, SMS, Suppression
from almanac.email_address import clean_address, is_address
from almanac.errors import RequestError
from almanac.phone_number import is_number
from almanac.validation_text import checked_text

COLUMNS_READ = ImportColumns(COLUMNS, one_of=("email", "contact_id", "phone"))
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T]|\Z)")


@dataclass
class ParsedSuppressions:
    """The usable rows of a file, each once, and the others."""

    rows: list[Suppression]
    rejects: Rejects
    ignored: list[str]  # columns that are not read
    repeated: int = 0  # usable rows that the file has more than once


def read_suppressions(
    file: InputFile, pairs: Sequence[str], known_types: Collection[str]
) -> ParsedSuppressions:
    """Read the rows of a CSV file; those that are not suppressions are rejects.

    pairs: the values of `--map`. known_types: see `database.suppression_lookups`. Raise InputError
    for a file that is not a CSV of suppressions.
    """
    with file.path.open("rb") as stream:
        source = CsvFile(stream, file.name, COLUMNS_READ, pairs)
        parsed = ParsedSuppressions([], Rejects(source.header.columns), source.header.ignored)
        seen: set[Suppression] = set()
        for line, cells, problem in at_most(source.rows(), MAX_ROWS, file.name):
            try:
                if problem:
                    raise RequestError(problem.why)
                texts = dict(zip(COLUMNS, source.pick(cells), strict=True))
                found = [from_texts(each, known_types) for each in named_singly(texts)]
            except RequestError as error:
                parsed.rejects.add(line, str(error), cells)
                continue
            for new in found:
                if new in seen:
                    parsed.repeated += 1
                else:
                    seen.add(new)
                    parsed.rows.append(new)
    return parsed


def named_singly(texts: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield texts by column for whom they name, and apart from them for the number they name.

    A row of the table that has a number concerns text messages to that number only, but a list of
    those who want no messages often has both.
    """
    phone = texts.get("phone")
    if phone and (texts.get("email") or texts.get("contact_id")):
        yield texts | {"phone": ""}
        if not is_number(phone):
            return  # the number of a contact who has none
        texts = texts | {"email": "", "contact_id": ""}
    yield texts


def from_texts(texts: dict[str, str], known_types: Collection[str]) -> Suppression:
    """Return a suppression from trimmed texts by column. Raise RequestError if they are not one."""
    given = {name: texts.get(name, "") for name in COLUMNS}
    email, contact_id, phone = given["email"], given["contact_id"], given["phone"]
    if contact_id and not _NUMBER.fullmatch(contact_id):
        raise RequestError(f"contact_id: {contact_id!r} is not the id of a contact")
    for name in ("email", "reason", "source"):
        checked_text(name, given[name])
    address = email if is_address(email) else clean_address(email)
    if email and not is_address(address):
        raise RequestError(f"email: {email!r} is not an e-mail address")
    number = int(contact_id or 0)
    if phone and not is_number(phone):
        raise RequestError(f"phone: {phone!r} is not a phone number of 10 to 15 digits")
    if not (address or number or phone):
        raise RequestError(
            "no contact: neither an e-mail address nor the id of a contact nor a phone number"
        )
    since, until = given["since"], given["until"]
    first, last = read_date("since", since), read_date("until", until)
    # the day before is allowed: a suppression can be ended on its first day
    if first and last and last < first - dt.timedelta(days=1):
        raise RequestError(f"until: {until} is before its beginning, {since}")
    channel = given["channel"].lower()
    if channel not in ("", SMS):
        raise RequestError(
            f"channel: {given['channel']!r}: expected {SMS}, or nothing for every message"
        )
    return Suppression(
        email=address,
        contact_id=number,
        reason=given["reason"],
        source=given["source"],
        since=since,
        until=until,
        channel=SMS if phone else channel,
        email_types=_types(given["email_types"], known_types),
        phone=phone,
    )


def _types(text: str, known_types: Collection[str]) -> str:
    """Return types of message, separated by commas. Raise RequestError for one that is unknown."""
    names = [part.strip().lower() for part in text.split(",") if part.strip()]
    if text.strip() and not names:
        raise RequestError(f"email_types: {text!r} names no type")
    for name in names:
        if name not in known_types:
            raise RequestError(
                f"email_types: {name!r} is not a type of message; "
                f"expected of {', '.join(sorted(known_types))}"
            )
    return ",".join(dict.fromkeys(names))


def read_date(name: str, text: str) -> dt.date | None:
    """Return the date of a text, None for an empty one. Raise RequestError if it is not a date."""
    date = date_of(text)
    if text and date is None:
        raise RequestError(f"{name}: {text!r} is not a date; expected YYYY-MM-DD")
    return date


def date_of(text: str) -> dt.date | None:
    """Return the date that a text begins with, None without one."""
    try:
        return dt.date.fromisoformat(text[:10]) if _DATE.match(text) else None
    except ValueError:
        return None
