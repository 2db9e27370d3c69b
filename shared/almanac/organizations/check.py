"""Check a database before it is planned: damage, gaps, and values that no rule can read."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.config import Config
from almanac.contact_ranges import ContactRange, covering
from almanac.database.backup import backup_file, errors_naming
from almanac.database.contact_columns import unknown_flags
from almanac.database.inspection import inspect
from almanac.database.oddities import Oddities
from almanac.database.range_tables import (
    ANSWERS,
    CLICKS,
    COMMITTED,
    PLANNED,
    TARGETS,
    RangeTable,
    contacts_table,
)
from almanac.database.reading import Snapshot
from almanac.frames import NO_DAY, Mask
from almanac.organizations.brief import (
    aep_in_words,
    left_out,
    no_usable_id,
    run_context_of,
    split_overlaps,
    unreadable,
)
from almanac.organizations.findings import Findings
from almanac.organizations.readable_states import no_state_read
from almanac.planning.contacts import read_contacts
from almanac.planning.issues import count_by_issue
from almanac.planning.kinds import KindTable
from almanac.planning.texts import filled
from almanac.progress import Progress, silent
from almanac.report.alerts import alerts
from almanac.report.lines import UNKNOWN, by_count
from almanac.rules.gaps import rules_line
from almanac.rules.states import USPS_STATES
from almanac.workspaces import workspace

BATCH = 100_000  # contacts that are read at a time


def no_dates(texts: pa.ChunkedArray) -> Mask:
    """Return which texts are no date, empty ones too."""
    missing: Mask = civil.parse_dates(texts) == NO_DAY
    return missing


def odd_dates(texts: pa.ChunkedArray) -> Mask:
    """Return which texts are there and no date."""
    odd: Mask = no_dates(texts) & filled(texts)
    return odd


def odd_times(texts: pa.ChunkedArray) -> Mask:
    """Return which texts are there and neither a date nor a Unix time."""
    odd: Mask = (civil.parse_times(texts) == NO_DAY) & filled(texts)
    return odd


# rows, and which texts of their columns are odd
_DATES: tuple[tuple[RangeTable, dict[str, Callable[[pa.ChunkedArray], Mask]]], ...] = (
    (PLANNED, {"scheduled_send_date": no_dates}),
    (COMMITTED, {"scheduled_send_date": no_dates, "actual_send_datetime": odd_dates}),
    (TARGETS, {"trigger_date": odd_dates, "created_at": odd_times}),
    (CLICKS, {"clicked_at": odd_times}),
    (ANSWERS, {"created_at": odd_times}),
)
_INSTANCE_DATES = ("active_start_date", "active_end_date", "spread_start_date", "spread_end_date")


def check_file(path: Path, config: Config, progress: Progress = silent) -> Findings:
    """Return all that an operator should know before a run; the file is only read.

    Raises DatabaseError if the file is not an agency's database.
    """
    progress("integrity", 0, 1)
    inspection = inspect(path, config.contacts)
    progress("integrity", 1, 1)
    findings = Findings(
        database=str(path),
        usable=not inspection.integrity and not inspection.unusable_tables,
        integrity=list(inspection.integrity),
        unusable_tables=list(inspection.unusable_tables),
        without_key=list(inspection.without_key),
        forbidden_unique=list(inspection.forbidden_unique),
        ignoring_triggers=list(inspection.ignoring_triggers),
        missing_tables=list(inspection.missing_tables),
        missing_columns=list(inspection.missing_columns),
        contacts=inspection.contacts,
        duplicate_ids=inspection.duplicate_ids,
        non_integer_ids=inspection.non_integer_ids,
    )
    return findings if inspection.integrity else _with_contents(path, config, findings, progress)


def _with_contents(path: Path, config: Config, findings: Findings, progress: Progress) -> Findings:
    with workspace() as folder:
        copy = Path(folder) / "snapshot.sqlite3"
        with errors_naming(str(path), copy):
            backup_file(path, copy, partial(progress, "copy"))
        with errors_naming(str(path), copy), Snapshot(copy) as snapshot:
            return findings.model_copy(update=_contents(snapshot, config, progress))


def _contents(snapshot: Snapshot, config: Config, progress: Progress) -> dict[str, object]:
    today = dt.datetime.now(dt.UTC).astimezone(config.zone).date()
    context = run_context_of(snapshot, config, today, today)
    kind_table = KindTable(context)
    suppressions = snapshot.suppressions()
    issues: Counter[str] = Counter()
    odd: Counter[str] = Counter()
    without: Counter[str] = Counter()
    states: set[int] = set()
    dates_given: Counter[str] = Counter()
    on_closed: Counter[str] = Counter()
    closed = [civil.day_of(day) for day in context.closed_days]
    eligible = 0
    settings = config.contacts
    ids = snapshot.contact_ids(settings)
    ranges = list(covering([int(i) for i in ids[BATCH::BATCH]]))
    for done, each in enumerate(ranges):
        progress("contacts", done, len(ranges))
        batch = read_contacts(
            snapshot.read(contacts_table(settings), each),
            suppressions,
            context,
            kind_table,
        )
        issues.update(count_by_issue(batch.issues))
        eligible += len(batch.contacts)
        states.update(np.unique(batch.contacts.state).tolist())
        dates_given.update(batch.dates_given)
        without.update(batch.left_out)
        _count_dates(snapshot, each, closed, odd, on_closed)
    progress("contacts", len(ranges), len(ranges))
    odd.update(_odd_dates_of_instances(snapshot))
    run, contacts = snapshot.last_run(), snapshot.contact_columns(settings)
    named = {USPS_STATES[code] if code >= 0 else UNKNOWN for code in states}
    oddities, total = snapshot.oddities(settings), snapshot.total_contacts()
    return _refused(total, len(ids), oddities) | {
        "contacts_left_out": dict(by_count(without)),
        "aep": aep_in_words(context),
        "rules": rules_line(config, today, context.horizon, named - {UNKNOWN}),
        "without_states": no_state_read(snapshot, config),
        "alerts": alerts(
            {UNKNOWN: eligible} if named == {UNKNOWN} else {},
            any(config.rules.values()),
            issues,
            dates_given,
        ),
        "likely_columns": snapshot.likely_columns(settings),
        "split_overlaps": split_overlaps(context),
        "unknown_flags": unknown_flags(contacts, settings),
        **unreadable(oddities),
        "eligible": eligible,
        "issues": dict(sorted(issues.items())),
        "left_out": left_out(context),
        "on_closed_days": dict(sorted(on_closed.items())),
        "scheduled_by_others": snapshot.scheduled_by_others(today.isoformat(), settings),
        "unknown_targets": snapshot.unknown_targets(settings),
        "odd_dates": {name: count for name, count in sorted(odd.items()) if count},
        "last_run": str(run["scheduler_run_id"]) if run and run.get("scheduler_run_id") else None,
    }


def _refused(total: int, usable: int, oddities: Oddities) -> dict[str, object]:
    """Return that a file of contacts is refused if none of them has a usable id."""
    if usable or not total:
        return {}
    return {"usable": False, "refused": no_usable_id(total, oddities.invalid_ids.examples)}


def _count_dates(
    snapshot: Snapshot,
    contacts: ContactRange,
    closed: list[int],
    odd: Counter[str],
    on_closed: Counter[str],
) -> None:
    """Add the odd dates of the contacts' rows, and the committed rows on closed days."""
    for rows, columns in _DATES:
        found = snapshot.read(rows, contacts)
        for column, are_odd in columns.items():
            odd[f"{rows.table}.{column}"] += int(np.count_nonzero(are_odd(found[column])))
        if closed and rows is COMMITTED:
            days = civil.parse_dates(found["scheduled_send_date"])
            on_closed.update(map(civil.text_of, days[np.isin(days, closed)].tolist()))


def _odd_dates_of_instances(snapshot: Snapshot) -> dict[str, int]:
    """Return by column of campaign_instances how many texts are no date."""
    instances, found = snapshot.campaign_instances(), {}
    for column in _INSTANCE_DATES:
        given = [str(row[column]) for row in instances if row.get(column) is not None]
        texts = pa.chunked_array([given], pa.string())
        found[f"campaign_instances.{column}"] = int(np.count_nonzero(odd_dates(texts)))
    return found
