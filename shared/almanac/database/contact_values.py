"""SQL of what is read of a contact: by Almanac's names, and the name of the person.

It imports no columnar library, so that commands that read a few rows start quickly.
"""

from __future__ import annotations

import re

from almanac.config_contacts import ContactColumns
from almanac.database.schema import CONTACT_ALIASES
from almanac.database.sql import Columns

_TEXTS = (
    *("email", "zip_code", "state", "birth_date", "effective_date", "carrier", "phone_number"),
    *("status", "created_at"),
)
# names of columns, in lower case and without what is neither letter nor digit
_FIRST_NAMES = ("firstname", "first", "fname", "givenname", "forename")
_LAST_NAMES = ("lastname", "last", "lname", "surname", "familyname")
_WHOLE_NAMES = ("fullname", "name", "contactname", "customername", "clientname")


def contact_values(columns: Columns, settings: ContactColumns) -> dict[str, str]:
    """Return SQL of what planning reads of a contact: from the columns that the configuration maps,
    or by their own names, with the old names where the new ones are missing or blank.

    columns: of contacts, as `contact_columns.contacts_named` returns them.
    """
    select = {name: columns.text(name) for name in _TEXTS}
    for name, alias in CONTACT_ALIASES.items():
        if name not in settings.columns:
            select[name] = columns.first_text(name, alias)
    own = Columns(columns.table)  # these lists have the table's own names
    opt_outs = [(name, name.lower()) for name in settings.opt_out_columns]
    opted = "".join(
        f"WHEN {own.flag(column)} THEN {_literal(name)} "
        for name, column in opt_outs
        if own.has(column)
    )
    consent = [name.lower() for name in settings.sms_consent_columns]
    consents = [own.flag(name) for name in consent if own.has(name)]
    return select | {
        "id": columns.whole("id"),
        "failed_underwriting": columns.flag("failed_underwriting"),
        "consents": " AND ".join(f"({flag})" for flag in consents) or "1",
        "opt_out": f"CASE {opted}ELSE '' END" if opted else "''",
    }


def name_columns(columns: Columns) -> tuple[str | None, str | None]:
    """Return the table's columns of first and last name, None for one that does not exist.

    Almanac plans without names, so they have no key in the configuration: the columns are found by
    the usual names. One column for the whole name counts as the last name.
    """
    table = columns.table
    plain = {_plain(name): name for name in reversed(table.columns)} if table else {}

    def found(names: tuple[str, ...]) -> str | None:
        return next((plain[name] for name in names if name in plain), None)

    return found(_FIRST_NAMES), found(_LAST_NAMES) or found(_WHOLE_NAMES)


def name_values(columns: Columns) -> dict[str, str]:
    """Return SQL of first_name and last_name, '' without such a column: see `name_columns`."""
    own = Columns(columns.table)
    texts = (own.text(name) if name else "''" for name in name_columns(columns))
    return dict(zip(("first_name", "last_name"), texts, strict=True))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
