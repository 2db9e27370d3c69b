"""The numbers of the report page, from the planned rows of a file as they stand."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from pathlib import Path

import apsw

from almanac.config import Config, load_config
from almanac.database import aggregates
from almanac.database.opening import map_errors, open_database
from almanac.errors import DatabaseError
from almanac.pipeline.briefing import date_of_run, left_out
from almanac.planning.brief import make_brief
from almanac.planning.contacts import ISSUE_ADVICE
from almanac.report.page_data import PageData, advised
from almanac.report.summary import DayLoad


def overview(path: Path, config: Config | None = None) -> PageData:
    """The plan in the file, from the day of its last run on; the file is only read.

    Without a configuration that of the last run is taken. DatabaseError: no run has planned it.
    """
    connection = open_database(path, writable=False)
    try:
        with map_errors(path):
            connection.execute("BEGIN")
            return _overview(connection, path, config)
    finally:
        connection.close()


def a_contact_without_messages(path: Path, as_of: dt.date) -> int | None:
    """A contact to explain: one whose messages are all skipped; None if none is found quickly."""
    connection = open_database(path, writable=False)
    try:
        with map_errors(path):
            return aggregates.contact_without_messages(connection, as_of.isoformat())
    finally:
        connection.close()


def _overview(connection: apsw.Connection, path: Path, config: Config | None) -> PageData:
    runs = aggregates.small_table(connection, "scheduler_checkpoints", "ORDER BY id DESC LIMIT 1")
    if not runs:
        raise DatabaseError(f"{path}: no run has planned it yet; start with almanac run {path}")
    run = runs[0]
    config = config or _recorded(connection, path)
    as_of = date_of_run(str(run.get("scheduler_run_id"))) or _today(config)
    since = as_of.isoformat()
    days: dict[str, DayLoad] = defaultdict(lambda: DayLoad(planned={}))
    planned: dict[str, int] = defaultdict(int)
    skipped: dict[str, dict[str, int]] = defaultdict(dict)
    for day, email_type, count in aggregates.planned_by_day(connection, since):
        days[day].planned[email_type] = count
        planned[email_type] += count
    for day, _, count in aggregates.committed_by_day(connection, since):
        days[day].fixed += count
    for reason, email_type, count in aggregates.skipped_by_reason(connection, since):
        skipped[reason][email_type] = count
    contacts = aggregates.total_contacts(connection)
    brief = make_brief(
        as_of=as_of,
        t0=as_of,
        config=config,
        campaign_types=aggregates.small_table(connection, "campaign_types"),
        campaign_instances=aggregates.small_table(connection, "campaign_instances"),
    )
    return PageData(
        title=path.name,
        as_of=as_of,
        facts=[
            ("Last run", str(run.get("scheduler_run_id"))),
            ("Planned as of", since),
            ("Contacts in the file", f"{contacts:,}"),
            ("In the last run", f"{run.get('contacts_processed') or 0:,}"),
            ("Messages planned", f"{sum(planned.values()):,}"),
            ("Messages skipped", f"{sum(sum(types.values()) for types in skipped.values()):,}"),
            ("Checksum of contacts", str(run.get("contacts_checksum"))),
            ("Checksum of schedules before", str(run.get("schedules_before_checksum"))),
            ("Checksum of schedules after", str(run.get("schedules_after_checksum"))),
            ("Configuration", config.digest()),
        ],
        first_day=as_of,
        last_day=brief.horizon,
        days=dict(sorted(days.items())),
        daily_cap=config.daily_cap(contacts),
        ceiling=config.ceiling(contacts),
        planned=dict(sorted(planned.items())),
        skipped=dict(skipped),
        issues=advised(aggregates.issues_by_kind(connection), ISSUE_ADVICE),
        left_out=left_out(brief),
        notes=[f"Rows of the file dated {since} or later."],
    )


def _recorded(connection: apsw.Connection, path: Path) -> Config:
    tail = "WHERE config_type = 'organization' AND valid_to IS NULL ORDER BY id DESC LIMIT 1"
    rows = aggregates.small_table(connection, "config_versions", tail)
    if not rows:
        return Config()
    return load_config(str(rows[0]["config_data"]), f"{path}: config_versions")


def _today(config: Config) -> dt.date:
    return dt.datetime.now(dt.UTC).astimezone(config.zone).date()
