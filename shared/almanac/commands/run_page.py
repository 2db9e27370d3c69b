"""The report page of a run that `almanac run` has done."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from almanac.commands.progress import progress_bars
from almanac.config import Config
from almanac.errors import AlmanacError
from almanac.planning.contacts import ISSUE_ADVICE
from almanac.report.page import write_page
from almanac.report.page_data import page_of_summary
from almanac.report.summary import RunSummary
from almanac.statistics.file_report import numbers_of
from almanac.statistics.settings_in_words import setting_lines


def write_run_page(target: Path, summary: RunSummary, database: Path, config: Config) -> str | None:
    """Write the report page; return the error, if any, since the plan is committed already."""
    horizon = summary.as_of + dt.timedelta(days=config.horizon_days)
    try:
        whole = None
        if not (summary.of_all_contacts or summary.dry_run):
            with progress_bars() as progress:
                whole = numbers_of(database, progress)
        settings = setting_lines(config)
        write_page(
            target,
            page_of_summary(
                summary, database.name, ISSUE_ADVICE, horizon, settings=settings, whole=whole
            ),
        )
    except OSError as error:
        return f"the run is done, but its report page is not written: {target}: {error.strerror}"
    except AlmanacError as error:
        return f"the run is done, but its report page is not written: {error}"
    return None
