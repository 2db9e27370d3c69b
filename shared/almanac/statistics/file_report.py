"""The report page of a planned file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from almanac import __version__
from almanac.config import Config
from almanac.database.catalog import Record
from almanac.database.scanning import Scan
from almanac.database.sources import Source
from almanac.errors import DatabaseError
from almanac.names import date_of_run
from almanac.organizations.brief import run_context_of
from almanac.organizations.recorded_config import recorded_config
from almanac.planning.brief import RunContext
from almanac.planning.contacts import ISSUE_ADVICE
from almanac.progress import Progress, silent
from almanac.report.page_data import Numbers, PageData
from almanac.statistics.database_counts import survey, survey_live
from almanac.statistics.diff import compare
from almanac.statistics.settings_in_words import setting_lines
from almanac.statistics.steady import read_steadily


@dataclass(frozen=True)
class _State:
    """A planned file at one moment."""

    run: Record  # the last row of scheduler_checkpoints
    context: RunContext
    contacts: int
    numbers: Numbers
    campaign_days: dict[int, dict[str, int]]


def overview(
    path: Path,
    config: Config | None = None,
    since: Path | None = None,
    progress: Progress = silent,
    *,
    campaign_days: bool = False,
) -> PageData:
    """Return the plan in the file, from the day of its last run on; the file is only read.

    The default configuration is that of the last run. since: an earlier state of the file, with
    which it is compared. campaign_days: whether they are counted. Raises DatabaseError if no run
    has planned the file.
    """
    state = _state(path, config, progress, campaign_days=campaign_days)
    run, config, as_of = state.run, state.context.config, state.context.as_of
    closed = [str(day) for day in state.context.closed_days if day <= state.context.horizon]
    return PageData(
        title=path.name,
        as_of=as_of,
        facts=[
            ("Last run", str(run.get("scheduler_run_id"))),
            ("Planned as of", as_of.isoformat()),
            ("Contacts in the database", f"{state.contacts:,}"),
            ("In the last run", f"{run.get('contacts_processed') or 0:,}"),
            *state.numbers.facts,
            *state.numbers.of_closed_days(closed),
            ("Checksum of contacts", str(run.get("contacts_checksum"))),
            ("Checksum of schedules before", str(run.get("schedules_before_checksum"))),
            ("Checksum of schedules after", str(run.get("schedules_after_checksum"))),
            ("Configuration", config.digest()),
            ("Almanac", __version__),
        ],
        first_day=as_of,
        last_day=state.context.horizon,
        daily_cap=config.daily_cap(state.contacts),
        ceiling=config.ceiling(state.contacts),
        closed_days=closed,
        changes=compare(since, path, progress).changes_by_reason if since else [],
        changes_since=f"the plan in {since.name}" if since else None,
        settings=setting_lines(config),
        campaign_days=state.campaign_days,
        notes=[f"Rows of the file dated {as_of} or later."],
        **state.numbers.of_page(ISSUE_ADVICE),
    )


def numbers_of(path: Path, progress: Progress) -> Numbers:
    """Return only the numbers of `overview`."""
    return _state(path, None, progress).numbers


def _state(
    path: Path, config: Config | None, progress: Progress, *, campaign_days: bool = False
) -> _State:
    """Return a consistent state of the file, which other programs may write to meanwhile."""

    def live(source: Source) -> _State:
        return _read(
            Scan(source),
            path,
            config,
            lambda context: survey_live(path, context, progress),
            campaign_days,
        )

    def here(source: Source) -> _State:
        scan = Scan(source)
        return _read(
            scan, path, config, lambda context: survey(scan, context, progress), campaign_days
        )

    return read_steadily(path, live, here)


def _read(
    scan: Scan,
    path: Path,
    config: Config | None,
    numbers: Callable[[RunContext], Numbers],
    campaign_days: bool,
) -> _State:
    run = scan.last_run()
    if run is None:
        raise DatabaseError(f"{path}: no run has planned it yet; start with almanac run {path}")
    config = config or recorded_config(scan, str(path)) or Config()
    as_of = date_of_run(str(run.get("scheduler_run_id"))) or _today(config)
    context = run_context_of(scan, config, as_of, as_of, rate_increases=False)
    days: dict[int, dict[str, int]] = {}
    for instance, day, messages in scan.campaign_days(str(as_of)) if campaign_days else ():
        days.setdefault(instance, {})[day] = messages
    return _State(run, context, scan.total_contacts(), numbers(context), days)


def _today(config: Config) -> dt.date:
    return dt.datetime.now(dt.UTC).astimezone(config.zone).date()
