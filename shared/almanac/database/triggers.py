"""Triggers of the agency that leave changes out without an error."""

from __future__ import annotations

import re

import apsw

from almanac.database.catalog import records

_IGNORE = re.compile(r"\bRAISE\s*\(\s*IGNORE\s*\)", re.IGNORECASE)


def ignoring_triggers(connection: apsw.Connection, table: str) -> list[str]:
    """Return the triggers of the table that ignore changes: with RAISE(IGNORE)."""
    found = records(
        connection,
        "SELECT name, sql FROM main.sqlite_schema "
        "WHERE type = 'trigger' AND lower(tbl_name) = ? ORDER BY name",
        table.lower(),
    )
    return [str(each["name"]) for each in found if _IGNORE.search(str(each["sql"]))]


def ignored_in_words(table: str, triggers: list[str]) -> str:
    """Return which triggers of the table ignore changes, as the start of a sentence."""
    named = ", ".join(triggers)
    verb = (
        "triggers {} of table {} ignore" if len(triggers) > 1 else "trigger {} of table {} ignores"
    )
    return verb.format(named, table) + " changes"
