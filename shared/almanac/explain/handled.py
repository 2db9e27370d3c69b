"""The committed row that handles a message already (semantics: Candidates, Campaigns)."""

from __future__ import annotations

from almanac import civil
from almanac.explain.case import Case
from almanac.explain.model import Input
from almanac.frames import NO_DAY
from almanac.planning.history import ANNIVERSARY_DAYS

HANDLED = "Handled already"
NOT_DUE = "Not due"


def _status(case: Case, position: int) -> str:
    row_id = int(case.plan.history.rows.row_id[position])
    status: str = next(row["status"] for row in case.committed if row["id"] == row_id)
    return status


def row_in_words(case: Case, position: int) -> str:
    """Return the committed row at a position of the history, as text."""
    rows = case.plan.history.rows
    status = _status(case, position) or "without a status"
    day = int(rows.day[position])
    when = f" on {civil.text_of(day)}" if day != NO_DAY else ""
    return f"row {int(rows.row_id[position])}, {status}{when}"


def handled_by(
    case: Case, position: int, ideal: int | None = None, at_most: int = ANNIVERSARY_DAYS
) -> dict[str, Input]:
    """Return the row that handles a message, and how near it has to be."""
    rows = case.plan.history.rows
    day = int(rows.day[position])
    inputs: dict[str, Input] = {
        "row": int(rows.row_id[position]),
        "status": _status(case, position),
        "scheduled_send_date": None if day == NO_DAY else civil.date_of(day),
    }
    if ideal is not None:
        inputs |= {
            "ideal date": civil.date_of(ideal),
            "days between": abs(day - ideal),
            "at most": at_most,
        }
    return inputs
