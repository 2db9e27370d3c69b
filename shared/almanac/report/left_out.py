"""Contacts and campaign targets that are left out, in words."""

from __future__ import annotations

from collections.abc import Mapping

from almanac.plurals import plural
from almanac.report.lines import by_count
from almanac.report.summary import Unreadable

UNKNOWN_FLAGS = "Opt-out or consent columns that do not exist"


def left_out_rows(
    reasons: Mapping[str, int], invalid_ids: Unreadable, duplicates: int
) -> list[tuple[str, int]]:
    """Return why contacts get nothing, and how many; duplicates: rows that repeat an id."""
    rows = [(f"left out: {why}", count) for why, count in by_count(reasons)]
    if invalid_ids.count:
        rows.append(("left out: the id is no whole number (invalid_id)", invalid_ids.count))
    if duplicates > 0:
        rows.append(("left out: another contact has the same id", duplicates))
    return rows


def invalid_id_notes(invalid_ids: Unreadable) -> list[str]:
    """Return which ids of contacts are no whole numbers, if any."""
    if not invalid_ids.count:
        return []
    ids = plural(invalid_ids.count, "id is no whole number", "ids are no whole numbers")
    return [f"{ids}, and the contacts are left out (invalid_id): {with_examples(invalid_ids)}."]


def with_examples(rows: Unreadable) -> str:
    """Return the examples in one line, with `...` if there are more rows."""
    return ", ".join(rows.examples) + (", ..." if rows.count > len(rows.examples) else "")


def odd_targets(dates: Unreadable, metadata: Unreadable) -> list[str]:
    """Return what cannot be read of campaign targets, with examples by id."""
    found = []
    if dates.count:
        found.append(
            f"{_rows(dates)} no date (YYYY-MM-DD) as trigger_date: left out until it is corrected "
            "or emptied."
        )
    if metadata.count:
        found.append(f"{_rows(metadata)} metadata that is no JSON object: it is left out.")
    return found


def _rows(rows: Unreadable) -> str:
    have = "has" if rows.count == 1 else "have"
    return f"{plural(rows.count, 'row')} of contact_campaigns (id {with_examples(rows)}) {have}"
