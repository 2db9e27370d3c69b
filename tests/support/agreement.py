"""The product's plan of a database held against the oracle's, row by row."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from almanac.config import Config, load_config
from almanac.contact_ranges import ContactRange
from almanac.report.summary import RunSummary
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from tests import oracle

Identity = tuple[int, str, int, dt.date]

PLANNED = """
    SELECT id, contact_id, email_type, campaign_instance_id, event_year, event_month, event_day,
           ideal_send_date, scheduled_send_date, scheduled_send_time, status, skip_reason,
           priority, email_template, sms_template, metadata
    FROM email_schedules
    WHERE status IN ('pre-scheduled', 'skipped') AND ideal_send_date IS NOT NULL
"""


def run(
    path: Path,
    as_of: dt.date,
    t0: dt.date,
    config: Mapping[str, Any],
    *,
    scope: list[tuple[int, int]] | None = None,
    shards: int = 1,
    workers: int = 1,
) -> RunSummary:
    """Plan the file as the command line does."""
    loaded = _loaded(json.dumps(config, default=str, ensure_ascii=False))
    noon = dt.datetime.combine(as_of, dt.time(23, 59)) if t0 != as_of else None
    ranges = None if scope is None else [ContactRange(*each) for each in scope]
    options = RunOptions(as_of=as_of, now=noon, shards=shards, workers=workers, scope=ranges)
    return run_file(path, loaded, options)


@cache
def _loaded(text: str) -> Config:
    return load_config(text)


def planned_rows(path: Path) -> dict[Identity, tuple[Any, ...]]:
    """Every planned row of the file by identity; two of one identity are an error."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    rows: dict[Identity, tuple[Any, ...]] = {}
    for row in connection.execute(PLANNED):
        event = dt.date(row[4], row[5], row[6])
        identity = (int(row[1]), row[2], row[3] or 0, event)  # the id may be stored as a text
        assert identity not in rows, f"two planned rows of {identity}"
        metadata = None if row[15] is None else json.loads(row[15])
        # an empty template is no template
        rows[identity] = (*row[7:13], row[13] or None, row[14] or None, metadata)
    connection.close()
    return rows


def expected_rows(plan: oracle.Plan) -> dict[Identity, tuple[Any, ...]]:
    """The oracle's rows in the same form."""
    return {
        (row.contact_id, row.email_type, row.campaign_instance_id or 0, row.event_date): (
            row.ideal_send_date.isoformat(),
            row.scheduled_send_date.isoformat(),
            row.scheduled_send_time,
            row.status,
            row.skip_reason,
            row.priority,
            row.email_template or None,
            row.sms_template or None,
            row.metadata,
        )
        for row in plan.rows
    }


def differences(
    found: Mapping[Identity, tuple[Any, ...]], expected: Mapping[Identity, tuple[Any, ...]]
) -> list[str]:
    """What is missing, too much, or different; empty if the plans agree."""
    return [
        f"{identity}: expected {expected.get(identity)}, found {found.get(identity)}"
        for identity in sorted(found.keys() | expected.keys())
        if found.get(identity) != expected.get(identity)
    ]
