"""What is read of a range of contacts: one declaration for each kind of rows.

`Tables.read_range` makes the query. A table or column that does not exist gives no rows, or the
empty value of the column's type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from almanac.config_contacts import ContactColumns
from almanac.database import selects
from almanac.database.joined import Joined
from almanac.database.schema import (
    COMMITTED_INDEX,
    OLDER_INDEX,
    PLANNED_INDEXES,
    UNIDENTIFIED,
    Index,
)
from almanac.database.selects import Select
from almanac.database.sql import Columns

ANSWERED = "eligibility_answered"


def _all(_: Columns) -> str:
    return "1"


@dataclass(frozen=True)
class RangeTable:
    """Rows of one table, and how those of a range of contacts are found.

    indexes: those that a query must use if all of them exist; then it reads for each the rows that
    also meet its condition, which repeats that of the partial index. Otherwise SQLite is kept from
    the index by status, which has nearly all rows under one key. since: the column with a date, of
    rows that are only read from a date on.
    """

    table: str
    schema: pa.Schema
    select: Callable[[Columns], Select]
    where: Callable[[Columns], str] = _all
    key: str = "contact_id"
    required: tuple[str, ...] = ()  # columns without which there are no rows
    indexes: tuple[tuple[Index, str], ...] = ()
    since: str | None = None
    settings: ContactColumns | None = None
    joined: Callable[[Columns], Joined] | None = None  # reads the same rows, at less cost


def _plain(table: str, schema: pa.Schema) -> RangeTable:
    """Return a declaration that reads every column as it is."""
    return RangeTable(table, schema, partial(selects.plain, schema=schema))


def contacts_table(settings: ContactColumns) -> RangeTable:
    """Return the declaration of contacts, whose columns the configuration may name."""
    return RangeTable(
        "contacts",
        selects.CONTACTS_SCHEMA,
        partial(selects.contact_columns, settings=settings),
        key="id",
        settings=settings,
    )


CONTACTS = contacts_table(ContactColumns())  # without a configuration
# the rows that the sender owns
COMMITTED = RangeTable(
    "email_schedules",
    selects.COMMITTED_SCHEMA,
    selects.committed_columns,
    where=selects.committed,
    indexes=((COMMITTED_INDEX, "1"),),
    joined=selects.committed_joined,
)
# the rows that the scheduler owns
PLANNED = RangeTable(
    "email_schedules",
    selects.PLANNED_SCHEMA,
    selects.planned_columns,
    where=selects.planned,
    indexes=PLANNED_INDEXES,
    joined=selects.planned_joined,
)
# PRE_SCHEDULED rows of the type that a campaign has replaced
LEGACY = RangeTable(
    "email_schedules",
    selects.PLANNED_SCHEMA,
    selects.planned_columns,
    where=selects.legacy,
    indexes=((OLDER_INDEX, UNIDENTIFIED),),
    joined=selects.planned_joined,
)
TARGETS = RangeTable("contact_campaigns", selects.TARGETS_SCHEMA, selects.target_columns)
ISSUES = _plain("contact_issues", selects.ISSUES_SCHEMA)
CLICKS = RangeTable(
    "tracking_clicks",
    selects.CLICKS_SCHEMA,
    partial(selects.plain, schema=selects.CLICKS_SCHEMA),
    required=("contact_id", "clicked_at"),
    since="clicked_at",
)
# answered eligibility questions
ANSWERS = RangeTable(
    "contact_events",
    selects.ANSWERS_SCHEMA,
    selects.answer_columns,
    where=lambda _: f"event_type = '{ANSWERED}'",
    required=("contact_id", "event_type", "created_at"),
    since="created_at",
)
