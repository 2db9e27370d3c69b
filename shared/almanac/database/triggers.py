"""Triggers of the agency that leave changes out, or undo them all."""

from __future__ import annotations

import re

import apsw

from almanac.database.catalog import records, scalar

_ROLLBACK = re.compile(r"\bRAISE\s*\(\s*ROLLBACK\b", re.IGNORECASE)
_IGNORE = re.compile(r"\bRAISE\s*\(\s*IGNORE\s*\)", re.IGNORECASE)


def may_be_changed(connection: apsw.Connection, *tables: str) -> bool:
    """Return whether a trigger names one of the tables: no other can change it."""
    named = " OR ".join(f"sql LIKE '%{table}%'" for table in tables)
    sql = f"SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'trigger' AND ({named}))"
    return bool(scalar(connection, sql))


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


def rollback_in_words(connection: apsw.Connection) -> str:
    """Return which triggers end the transaction of the statement that they refuse, and what to do.

    Without any it is a constraint that does.
    """
    sql = "SELECT name, tbl_name, sql FROM main.sqlite_schema WHERE type = 'trigger' ORDER BY name"
    named = [
        f"trigger {each['name']} of table {each['tbl_name']}"
        for each in records(connection, sql)
        if _ROLLBACK.search(str(each["sql"]))
    ]
    which = " or ".join(named) or "a constraint ON CONFLICT ROLLBACK"
    return (
        f"{which} has undone the whole transaction with what it refused; nothing is applied. "
        "Give it ABORT instead of ROLLBACK: that costs the one entry"
    )
