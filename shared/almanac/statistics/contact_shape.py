"""The shape of an agency's contacts: what many have in common, their gaps and oddities."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from almanac.config_contacts import ContactColumns
from almanac.database.contact_values import contact_values, name_columns
from almanac.database.schema import CONTACT_ALIASES
from almanac.database.sql import Columns, civil_date, trimmed
from almanac.generation.oddities import NULL, Oddity
from almanac.generation.places import STATES
from almanac.generation.shape import TEXTS, DatePattern, ExtraColumn
from almanac.statistics.cells import SMALLEST, Cells, among

ONCE = "LIMIT -1"  # SQLite does not merge the query into the outer one, and computes each text once
PLAIN = "plain"  # a value without an oddity
BIRTH_YEARS, EFFECTIVE_YEARS = 5, 1  # of a span of completed years
YOUNGEST, OLDEST = -20, 125  # completed years that are counted
EXTRA_COLUMNS = 500
_CODES = among([state.code for state in STATES])
_DIGITS = ("[0-9]" * 4, "[0-9]" * 2, "[0-9]" * 2)
_DATE = "-".join(_DIGITS)
# of a text t: the first condition that holds names its oddity
_DATES = (
    ("t = '0000-00-00'", "zeros"),
    (f"t GLOB '{_DATE}' AND day IS NOT NULL", PLAIN),
    ("day IS NOT NULL AND substr(t, 11, 1) = 'T'", "T time"),
    ("day IS NOT NULL", "time"),
    (f"t GLOB '{_DATE}*'", "no such day"),
    (f"t GLOB '[0-9]*/[0-9]*/{_DIGITS[0]}'", "slashes"),
    ("1", "unreadable"),
)
_ODDITIES = {
    "birth_date": _DATES,
    "effective_date": _DATES,
    "email": (
        ("instr(t, '@') = 0", "no at"),
        ("t LIKE '%@@%'", "two ats"),
        ("trim(t) LIKE '%@'", "no domain"),
        ("t <> trim(t)", "blanks"),
        ("t <> lower(t) AND t = upper(t)", "upper case"),
    ),
    "state": (
        (f"upper(trim(t)) NOT IN {_CODES}", "no state"),
        ("t <> trim(t)", "blanks"),
        ("t <> upper(t)", "lower case"),
    ),
    "zip_code": (
        (f"trim(t) GLOB '{_DIGITS[0]}[0-9]-{_DIGITS[0]}'", "plus four"),
        (f"trim(t) GLOB '{_DIGITS[0]}'", "short"),
        (f"trim(t) NOT GLOB '{_DIGITS[0]}[0-9]'", "unreadable"),
    ),
}
# their empty texts are categories
_CATEGORIES = ("current_carrier", "plan_type", "status", "gender")
_OURS = {"current_carrier": "carrier"}  # the generator's name of a column, and Almanac's
_FLAGS = ("tobacco_user", "failed_underwriting")


@dataclass(frozen=True)
class _MeasuredContacts:
    """The columns of contacts as SQL, by the generator's names."""

    cells: Cells
    columns: Columns
    settings: ContactColumns
    as_of: dt.date
    texts: dict[str, str] = field(default_factory=dict)
    raw: dict[str, list[str]] = field(default_factory=dict)  # columns in which a value may be


def contact_shape(
    cells: Cells, columns: Columns, settings: ContactColumns, as_of: dt.date
) -> dict[str, Any]:
    """Return the fields of a Shape that are of contacts, without those that are not known.

    columns: of contacts, as `contact_columns.contacts_of` returns them.
    """
    contacts = _MeasuredContacts(cells, columns, settings, as_of)
    _find_columns(contacts)
    total = cells.count("contacts")
    if not total:
        return {}
    found: dict[str, Any] = {"contacts": total, "phones": 1.0}
    found["oddities"] = [odd for name in contacts.raw if (odd := _oddities(contacts, name, total))]
    found["repeated_emails"] = _repeated_emails(contacts, total)
    found["extra_columns"] = _extra_columns(contacts, total)
    for key, name in (("births", "birth_date"), ("effective_dates", "effective_date")):
        width = BIRTH_YEARS if name == "birth_date" else EFFECTIVE_YEARS
        found[key] = _pattern(contacts, name, width)
    state = f"upper({trimmed(contacts.texts['state'])})"
    found["states"] = cells.groups(state, f"contacts WHERE {state} IN {_CODES}")
    for key, name in zip(
        ("carriers", "plan_types", "statuses", "genders"), _CATEGORIES, strict=True
    ):
        rows = f"contacts WHERE {_is_there(contacts, name)}"
        found[key] = cells.categories(contacts.texts[name], rows)
    for name in _FLAGS:
        if columns.has(name):
            share = cells.count(f"contacts WHERE {columns.flag(name)}") / total
            found[name.removesuffix("_user")] = round(share, 6)
    if columns.has("agent_id"):
        agents = cells.count(f"(SELECT DISTINCT {columns.raw('agent_id')} FROM contacts)")
        found["agents"] = round(agents / total, 6) if agents else None
    return {key: value for key, value in found.items() if value not in (None, {})}


def _find_columns(contacts: _MeasuredContacts) -> None:
    """Fill in where the generator's columns are."""
    columns, settings = contacts.columns, contacts.settings
    values = contact_values(columns, settings)
    names = dict(zip(("first_name", "last_name"), name_columns(columns), strict=True))
    for name in (*TEXTS, *_FLAGS, "agent_id"):
        ours = _OURS.get(name, name)
        own = names.get(name) or ours
        aliases = [] if ours in settings.columns else [CONTACT_ALIASES.get(ours, own)]
        there = [each for each in dict.fromkeys([own, *aliases, name]) if columns.has(each)]
        contacts.raw[name] = [columns.raw(each) for each in there]
        contacts.texts[name] = values.get(ours) or columns.text(own)


def _is_there(contacts: _MeasuredContacts, name: str) -> str:
    """Return SQL: whether any of the columns in which the value may be is not NULL."""
    return " OR ".join(f"{raw} IS NOT NULL" for raw in contacts.raw[name]) or "0"


def _oddities(contacts: _MeasuredContacts, name: str, total: int) -> list[Oddity]:
    """Return the shares of the column's gaps and oddities."""
    there, text = _is_there(contacts, name), contacts.texts[name]
    empty = name in TEXTS and name not in _CATEGORIES
    cases = [f"WHEN NOT there THEN '{NULL}'"]
    cases += [f"WHEN {trimmed('t')} = '' THEN 'empty'"] if empty else []
    cases += [f"WHEN {test} THEN '{change}'" for test, change in _ODDITIES.get(name, ())]
    day = civil_date("t") if _ODDITIES.get(name) is _DATES else "NULL"
    values = f"(SELECT {text} AS t, ({there}) AS there FROM contacts {ONCE})"
    rows = f"(SELECT t, there, {day} AS day FROM {values} {ONCE})"
    label = f"CASE {' '.join(cases)} ELSE '{PLAIN}' END"
    found = contacts.cells.groups(label, rows)
    return [(name, kind, round(n / total, 6)) for kind, n in found.items() if kind != PLAIN]


def _repeated_emails(contacts: _MeasuredContacts, total: int) -> float:
    """Return the share of contacts that have the address of another, but for one of each."""
    address = f"lower({trimmed(contacts.texts['email'])})"
    rows = f"(SELECT {address} AS address FROM contacts) WHERE address <> ''"
    different = contacts.cells.count(f"(SELECT DISTINCT address FROM {rows})")
    all_of_them = contacts.cells.count(rows)
    repeated = all_of_them - different if different else 0
    return round(repeated / total, 6) if repeated >= SMALLEST else 0.0


def _pattern(contacts: _MeasuredContacts, name: str, width: int) -> DatePattern | None:
    """Return the pattern of a column of dates; None if a part of it is not known.

    width: of the spans of completed years.
    """
    cells, as_of = contacts.cells, contacts.as_of
    texts = f"(SELECT {contacts.texts[name]} AS t FROM contacts {ONCE})"
    days = f"(SELECT {civil_date('t')} AS day FROM {texts} {ONCE})"
    birthday = f"(substr(day, 6) > '{as_of:%m-%d}')"
    completed = f"({as_of.year} - CAST(substr(day, 1, 4) AS INTEGER) - {birthday})"
    years = cells.groups(
        f"({completed} - ({YOUNGEST})) / {width}",
        f"{days} WHERE {completed} BETWEEN {YOUNGEST} AND {OLDEST - 1}",
    )
    usual = f"{days} WHERE day IS NOT NULL AND day NOT LIKE '%-02-29'"
    months = cells.numbers("CAST(substr(day, 6, 2) AS INTEGER)", usual, 12)
    of_month = cells.numbers("CAST(substr(day, 9, 2) AS INTEGER)", usual, 31)
    if not (years and any(months) and any(of_month)):
        return None
    leap = cells.count(f"{days} WHERE day LIKE '%-02-29'")
    starts = {YOUNGEST + width * int(span): count for span, count in sorted(years.items())}
    return DatePattern(
        years=[(first, first + width, float(count)) for first, count in sorted(starts.items())],
        months=months,
        days=of_month,
        leap=round(leap / (leap + sum(months)), 6),
    )


def _extra_columns(contacts: _MeasuredContacts, total: int) -> list[ExtraColumn]:
    """Return the columns that the generator lacks, by name, kind and gaps; of flags also which
    share is set, but of no other column any value."""
    cells, settings, own = contacts.cells, contacts.settings, Columns(contacts.columns.table)
    assert own.table is not None
    known = {"id", *TEXTS, *_FLAGS, "agent_id", *CONTACT_ALIASES, *CONTACT_ALIASES.values()}
    known |= {contacts.columns.column(name) for name in settings.columns}
    known |= {name for name in name_columns(contacts.columns) if name}
    flags = {name.lower() for name in (*settings.opt_out_columns, *settings.sms_consent_columns)}
    extra = []
    for number, name in enumerate(own.table.columns, 1):
        if name in known:
            continue
        filled = cells.count(f"contacts WHERE {own.raw(name)} IS NOT NULL")
        true = cells.count(f"contacts WHERE {own.flag(name)}") if name in flags else 0
        whole = name in flags or "INT" in own.declared(name).upper()
        plain = name.isascii() and name.isidentifier() and len(name) <= 60
        extra.append(
            ExtraColumn(
                name=name if plain else f"column_{number}",
                kind="INTEGER" if whole else "TEXT",
                filled=round(filled / total, 6),
                true=round(true / max(filled, 1), 6) if name in flags else None,
            )
        )
    return extra[:EXTRA_COLUMNS]
