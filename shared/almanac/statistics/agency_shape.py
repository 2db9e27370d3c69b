"""The shape of a real agency, for a generated one: distributions, and no value of a person.

Everything is a count of a group of at least `cells.SMALLEST` rows. The texts that are taken over
are states, carriers, plan types, statuses and genders that so many contacts share, and names of
columns; types and statuses of messages and targets are counted by Almanac's own lists.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from almanac.database.contact_columns import contacts_of
from almanac.database.opening import map_errors, open_database
from almanac.database.sql import Columns, civil_date, trimmed
from almanac.generation import facts
from almanac.generation.shape import Shape
from almanac.organizations.recorded_config import config_of
from almanac.schedule_status import SENT_STATUSES, Status
from almanac.statistics.cells import Cells, among
from almanac.statistics.contact_shape import contact_shape

ROWS = 20  # of a contact, at most, that are told apart
CAMPAIGNS = 1000
# types of messages in an agency's words, by how they begin: the generator's word for them
_KINDS = (
    ("campaign", "campaign_rate_increase"),
    ("followup_1", "followup_1_cold"),
    ("followup_2", "followup_2_clicked_no_hq"),
    ("followup_3", "followup_2_clicked_no_hq"),
    ("followup_4", "followup_2_clicked_no_hq"),
)
_OUTCOMES = [each.value for each in Status if each not in (Status.PRE_SCHEDULED, Status.SKIPPED)]
_TARGET_STATUSES = ("pending", "scheduled", "sent", "delivered", "failed", "skipped", "cancelled")


def agency_shape(path: Path, as_of: dt.date) -> Shape:
    """Return the shape of the agency in a file, which is not changed.

    as_of: the day from which ages and recent messages count. Raises as `open_database` and
    `contact_columns.contacts_named`, and ConfigError if the recorded configuration does not parse.
    """
    connection = open_database(path, writable=False)
    try:
        with map_errors(path):
            connection.execute("BEGIN")
            settings = config_of(connection, str(path)).contacts
            cells = Cells(connection)
            found = contact_shape(cells, contacts_of(connection, settings), settings, as_of)
            total = found.get("contacts", 0)
            if total:
                found |= _messages(cells, total, as_of) | _targets(cells, total)
                suppressed = min(1.0, _rows(cells, cells.columns("suppressions")) / total)
                found["suppressions"] = round(suppressed, 6)
            return Shape(**{key: value for key, value in found.items() if value not in (None, {})})
    finally:
        connection.close()


def _rows(cells: Cells, columns: Columns) -> int:
    """Return the rows of a table, which may be missing; 0 for few."""
    return cells.count(columns.source) if columns.table is not None else 0


def _messages(cells: Cells, total: int, as_of: dt.date) -> dict[str, Any]:
    """Return the fields of a Shape that are of past messages and of what followed."""
    columns = cells.columns("email_schedules")
    if not columns.has("contact_id", "email_type", "status", "scheduled_send_date"):
        return {}
    status = columns.text("status")
    past = f"{columns.source} WHERE {status} IN {among(_OUTCOMES)}"
    per_contact = f"SELECT min(count(*), {ROWS}) AS n FROM {past} GROUP BY contact_id"
    rows = [0.0, *cells.numbers("n", f"({per_contact})", ROWS)]
    rows[0] = float(max(0, total - sum(rows)))
    kind = columns.text("email_type")
    ours = f"CASE WHEN {kind} IN {among(list(facts.HISTORY_TYPES))} THEN {kind} "
    ours += "".join(f"WHEN {kind} LIKE '{begin}%' THEN '{word}' " for begin, word in _KINDS) + "END"
    known = f"(SELECT {ours} AS kind FROM {past}) WHERE kind IS NOT NULL"
    since = as_of - dt.timedelta(days=facts.RECENT_DAYS)
    sent = (
        f"{columns.source} WHERE {status} IN {among(SENT_STATUSES)} "
        f"AND {columns.text('scheduled_send_date')} BETWEEN '{since}' AND '{as_of}'"
    )
    recent = cells.count(sent)
    found: dict[str, Any] = {
        "history_rows": rows if any(rows) else None,
        "history_types": cells.groups("kind", known),
        "history_statuses": cells.groups(status, past),
    }
    for key, table, column in (
        ("clicks", "tracking_clicks", "clicked_at"),
        ("answers", "contact_events", "created_at"),
    ):
        followed = cells.columns(table)
        if recent and followed.has(column):
            day = f"substr({followed.text(column)}, 1, 10)"
            count = cells.count(f"{followed.source} WHERE {day} BETWEEN '{since}' AND '{as_of}'")
            found[key] = round(min(1.0, count / recent), 6)
    return found


def _targets(cells: Cells, total: int) -> dict[str, Any]:
    """Return the fields of a Shape that are of campaigns: how many, and of their targets."""
    campaigns, columns = cells.columns("campaign_instances"), cells.columns("contact_campaigns")
    found: dict[str, Any] = {}
    if campaigns.table is not None:
        # the number of campaigns is of no person
        found["campaigns"] = min(CAMPAIGNS, cells.all_rows(campaigns.source))
    if not columns.has("contact_id", "campaign_instance_id"):
        return found
    contact = columns.raw("contact_id")
    per_contact = f"SELECT min(count(*), 2) AS n FROM {columns.source} GROUP BY {contact}"
    one, two = cells.numbers("n", f"({per_contact})", 2)
    rows = _rows(cells, columns)
    found["targets"] = round(min(1.0, (one + two) / total), 6)
    found["second_targets"] = round(two / max(one + two, 1), 6)
    if not rows:
        return found
    date, status = columns.text("trigger_date"), columns.text("status")
    undated = cells.count(f"{columns.source} WHERE {civil_date(trimmed(date))} IS NULL")
    found["no_trigger"] = round(undated / rows, 6)
    known = f"{columns.source} WHERE {status} IN {among(_TARGET_STATUSES)}"
    found["target_statuses"] = cells.groups(status, known)
    ids = cells.columns("contacts")
    if ids.is_rowid("id"):
        orphan = f"{contact} NOT IN (SELECT {ids.raw('id')} FROM contacts)"
        found["orphans"] = round(cells.count(f"{columns.source} WHERE {orphan}") / rows, 6)
    return found
