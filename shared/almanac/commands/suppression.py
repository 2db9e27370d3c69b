"""`almanac suppression`."""

from __future__ import annotations

import datetime as dt
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import apsw
from pydantic import BaseModel
from rich.console import Console

from almanac.commands.arguments import read_date
from almanac.commands.endings import OK
from almanac.commands.place import place_and_file, place_of
from almanac.commands.progress import progress_bars
from almanac.csv_input import read_csv, rejects_path
from almanac.database import suppressions as rows
from almanac.database.opening import map_errors
from almanac.database.suppressions import COLUMNS, IN_FORCE, Suppression
from almanac.delivery import suppressions as keeping
from almanac.delivery.suppressions import Effect
from almanac.errors import InputError
from almanac.organizations.agency_database import AgencyDatabase, Edit, T
from almanac.outputs import check_out, partial_of
from almanac.plurals import plural
from almanac.report.text import console_for, listed, paragraph, table


@dataclass(frozen=True)
class Where:
    """Which database is meant."""

    database: Path | None
    org: str | None
    store: str | None

    def agency(self) -> AgencyDatabase:
        return place_of(self.database, self.org, self.store)


def list_(
    where: Where, email: str | None, contact: int | None, on: str | None, as_json: bool
) -> int:
    """Counts the suppressions, or shows some."""
    agency = where.agency()
    day = _day(agency, on)
    if email is not None and contact is not None:
        raise InputError("--email or --contact: expected one of them, found both")
    console = console_for(sys.stdout)
    with agency.open() as source, map_errors(source.path):
        if email is None and contact is None:
            return _counts(console, source.connection, day, as_json)
        if contact is not None:
            found = list(rows.of_contact(source.connection, contact, str(day)))
        else:
            found = list(rows.of_address(source.connection, email or "", str(day)))
    who = f"contact {contact}" if contact is not None else str(email).strip()
    holds = any(row.state == IN_FORCE for row in found)
    if as_json:
        _print_json(day=day, suppressed=holds, suppressions=[_record(row) for row in found])
        return OK
    verdict = "suppressed" if holds else "not suppressed"
    paragraph(console, f"{who} is {verdict} on {day}.", indent=0)
    _show(console, found)
    return OK


def _counts(console: Console, connection: apsw.Connection, day: dt.date, as_json: bool) -> int:
    lines, effect = keeping.lines(connection, day), keeping.effect(connection, day)
    if as_json:
        _print_json(day=day, lines=lines, effect=effect)
        return OK
    total = sum(line.rows for line in lines)
    holds = sum(line.rows for line in lines if line.state == IN_FORCE)
    text = f"{plural(total, 'suppression')}, {holds:,} of them in force on {day}"
    paragraph(console, text, indent=0)
    if lines:
        cells = [(x.reason or "unspecified", x.source, x.state, x.rows) for x in lines]
        table(console, ("reason", "source", "!state", ">rows"), cells)
    _tell(console, effect)
    return OK


def add(
    where: Where,
    email: str | None,
    contact: int | None,
    reason: str,
    source: str,
    since: str | None,
    until: str | None,
    on: str | None,
    as_json: bool,
) -> int:
    """Adds one."""
    agency = where.agency()
    day = _day(agency, on)
    _require_one(email, contact, both=True)
    number = "" if contact is None else str(contact)
    words = (email or "", number, reason, source, since or str(day), until or "")
    new = keeping.made(*(word.strip() for word in words))
    added, effect = _edit(
        agency, lambda c: (keeping.add(c, new, day), keeping.effect(c, day)), "suppression"
    )
    if as_json:
        _print_json(added=added, suppression=_record(new), effect=effect)
        return OK
    console = console_for(sys.stdout)
    who = " and ".join(_names(new))
    span = f"from {new.since}" + (f" to {new.until}" if new.until else " on")
    what = f"suppressed {span if added else 'already'}, reason {new.reason or 'unspecified'}"
    paragraph(console, f"{who}: {what}.", indent=0)
    _tell(console, effect)
    return OK


def end(
    where: Where,
    email: str | None,
    contact: int | None,
    reason: str | None,
    on: str | None,
    as_json: bool,
) -> int:
    """Ends what names an address or a contact's id."""
    agency = where.agency()
    day = _day(agency, on)
    _require_one(email, contact)

    def edit(connection: apsw.Connection) -> tuple[list[Suppression], list[Suppression]]:
        ended = keeping.end(connection, (email or "").strip(), contact or 0, reason, day)
        if email is not None:
            still = rows.of_address(connection, email, str(day))
        else:
            still = rows.of_contact(connection, contact or 0, str(day))
        return ended, [row for row in still if row.state == IN_FORCE]

    ended, still = _edit(agency, edit, "suppression")
    if as_json:
        before, after = [_record(row) for row in ended], [_record(row) for row in still]
        _print_json(first_day_without=day, ended=before, still_in_force=after)
        return OK
    console = console_for(sys.stdout)
    paragraph(console, f"{plural(len(ended), 'suppression')} ended; before:", indent=0)
    _show(console, ended)
    if still:
        paragraph(console, f"Still in force on {day}:", indent=0)
        _show(console, still)
    else:
        text = "The next run plans the messages that they have held back."
        paragraph(console, text, indent=0)
    return OK


def import_(
    names: list[Path],
    org: str | None,
    store: str | None,
    rejects: Path | None,
    on: str | None,
    as_json: bool,
) -> int:
    """Adds those of a file."""
    agency, file = place_and_file(names, org, store)
    day = _day(agency, on)
    path = rejects_path(file, rejects)
    parsed = keeping.parse(read_csv(file, ("email", "contact_id")))
    parsed.rejects.write(path)  # first: where it fails, nothing has changed
    found, effect = _edit(
        agency, lambda c: (keeping.load(c, parsed), keeping.effect(c, day)), "suppression"
    )
    where_to = path if len(parsed.rejects) else None
    if as_json:
        _print_json(
            **found.model_dump(),
            rejected=len(parsed.rejects),
            rejects=where_to and str(where_to),
            ignored_columns=parsed.ignored,
            effect=effect,
        )
        return OK
    console = console_for(sys.stdout)
    counts = [
        ("added", found.added),
        ("ended", found.ended),
        ("unchanged", found.unchanged),
        ("rejected", len(parsed.rejects)),
    ]
    table(console, ("", ">"), counts, indent=0)
    if parsed.ignored:
        paragraph(console, f"Columns not read: {listed(parsed.ignored, 8)}", indent=0)
    if found.unknown_contacts:
        many = plural(found.unknown_contacts, "contact id")
        paragraph(console, f"Of no contact in this database: {many}", indent=0)
    for line, why, _ in parsed.rejects.rows[:5]:
        paragraph(console, f"line {line}: {why}")
    if where_to:
        paragraph(console, f"All rejected rows, each with why: {where_to}", indent=0)
    _tell(console, effect)
    return OK


def export(where: Where, out: Path | None, as_json: bool) -> int:
    """Writes all of them."""
    out = None if out == Path("-") else out
    if as_json and out is None:
        raise InputError("--json: expected --out FILE with it, since the CSV takes standard output")
    if out is not None:
        check_out(out, "--out")
    agency = where.agency()
    with agency.open() as source, map_errors(source.path):
        if out is None:
            keeping.export(source.connection, sys.stdout)
            return OK
        with partial_of(out, "--out") as partial:
            with partial.open("w", encoding="utf-8", newline="") as file:
                count = keeping.export(source.connection, file)
            partial.replace(out)
    if as_json:
        _print_json(rows=count, out=str(out))
    else:
        text = f"{plural(count, 'suppression')} of {agency.name}: {out}"
        paragraph(console_for(sys.stdout), text, indent=0)
    return OK


def _edit(agency: AgencyDatabase, edit: Edit[T], word: str) -> T:
    with progress_bars() as progress:
        return agency.edit(edit, word, dt.datetime.now(dt.UTC), progress)


def _day(agency: AgencyDatabase, on: str | None) -> dt.date:
    """The day that is given, else today where the organization is."""
    return read_date(on, "--on") if on else dt.datetime.now(agency.config().zone).date()


def _require_one(email: str | None, contact: int | None, both: bool = False) -> None:
    if email is None and contact is None:
        raise InputError("expected --email ADDRESS or --contact ID")
    if not both and email is not None and contact is not None:
        raise InputError("--email or --contact: expected one of them, found both")
    if email is not None and not email.strip():
        raise InputError("--email: expected an address, found nothing")


def _tell(console: Console, effect: Effect) -> None:
    """What the suppressions mean for what is planned."""
    if not effect.messages:
        text = f"Nobody who is suppressed on {effect.day} has messages planned from then on."
    else:
        text = (
            f"{plural(effect.messages, 'planned message')} of "
            f"{plural(effect.contacts, 'contact')} will be skipped by the next run for what is in "
            f"force on {effect.day}; almanac due leaves them out from now on."
        )
    paragraph(console, text, indent=0)


def _show(console: Console, found: list[Suppression]) -> None:
    for row in found:
        source = f" ({row.source})" if row.source else ""
        bounds = [f"{w} {x}" for w, x in (("from", row.since), ("to", row.until)) if x]
        what = f"{row.reason or 'unspecified'}{source}, {' '.join(bounds) or 'always'}"
        paragraph(console, f"{row.state}: {what}: {' and '.join(_names(row))}")


def _names(row: Suppression) -> list[str]:
    contact = f"contact {row.contact_id}" if row.contact_id else ""
    return [name for name in (row.email, contact) if name]


def _record(row: Suppression) -> dict[str, object]:
    found = {name: value or None for name, value in zip(COLUMNS, row, strict=False)}
    return found | ({"state": row.state} if row.state else {})


def _print_json(**values: object) -> None:
    def plain(value: object) -> object:
        return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)

    print(json.dumps(values, default=plain))
