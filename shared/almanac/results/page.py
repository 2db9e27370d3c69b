"""The section of the report page about results."""

from __future__ import annotations

from pathlib import Path

from almanac.config import Config
from almanac.organizations.agency_database import FileDatabase
from almanac.progress import Progress
from almanac.report.page_data import PageData
from almanac.results.results import days_until, results_of


def with_results(data: PageData, path: Path, config: Config | None, progress: Progress) -> PageData:
    """Return the page with what came of the messages of the year up to the day of its plan.

    config: the default is the recorded one. Raises as `results_of`.
    """
    agency = FileDatabase(path)
    found = results_of(agency, config or agency.config(), days_until(data.as_of), progress)
    return data.model_copy(update={"results": found})
