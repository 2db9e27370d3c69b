"""The report page and its tables, made once for each state of the database."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from flask import Response, url_for
from werkzeug.exceptions import NotFound

from almanac.errors import AlmanacError
from almanac.organizations.agency_database import FileDatabase, StoreDatabase
from almanac.organizations.organizations import last_whole_run
from almanac.progress import Progress
from almanac.report.lines import CampaignLine
from almanac.report.page import report_files
from almanac.report.summary import RunSummary
from almanac.results.page import with_results
from almanac.serve.jobs import BackgroundJob
from almanac.serve.pages import HTML, page
from almanac.serve.site import Site, Stamp
from almanac.statistics.file_report import overview
from almanac.status.endpoint import status_response
from almanac.storage import layout
from almanac.storage.store import read_or_none

PAGE, FOLDER = "report", "report-tables"
WAIT_SECONDS = 0.6  # for a small database, before the page says that it is being made
_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]+)"')
_HEADER = "<header>\n"


@dataclass(frozen=True)
class MadeReport:
    """The files of a report, and its lines about campaigns."""

    files: dict[str, bytes]
    campaigns: list[CampaignLine]


def report(site: Site) -> Response:
    """Return the report page, or one that says that it is being made."""
    if isinstance(site.agency, StoreDatabase):
        return _of_store(site.agency, PAGE)
    job = report_job(site, site.stamp())
    job.ended.wait(WAIT_SECONDS)
    if not job.ended.is_set():
        return page(
            site,
            "waiting.html.j2",
            "The report is being made",
            about=site.about(),
            refresh=url_for("report"),
            job=job,
            what="The report counts every contact and every message, once for each state of the "
            "database.",
        )
    return _html(_made(job).files[PAGE])


def table(site: Site, name: str) -> Response:
    """Return a table of the report as CSV, or the results as JSON."""
    if isinstance(site.agency, StoreDatabase):
        return _of_store(site.agency, f"{FOLDER}/{name}")
    job = report_job(site, site.stamp())
    job.ended.wait()
    content = _made(job).files.get(f"{FOLDER}/{name}")
    if content is None:
        raise NotFound(f"The report has no table {name}.")
    return _table(content, name)


def report_job(site: Site, stamp: Stamp) -> BackgroundJob:
    """Return the making of the report of a file, started if it is not made yet."""
    agency = site.agency
    assert isinstance(agency, FileDatabase)

    def make(progress: Progress) -> MadeReport:
        data = overview(agency.path, progress=progress)
        data = with_results(data, agency.path, None, progress)
        return MadeReport(report_files(data, PAGE, FOLDER), data.campaigns)

    return site.jobs.start((PAGE, stamp), make)


def campaign_line(site: Site, stamp: Stamp, instance: int) -> tuple[CampaignLine | None, bool]:
    """Return what the report says of a campaign, and whether that is still being counted."""
    if isinstance(site.agency, StoreDatabase):
        return _line_of(_campaigns_of_store(site.agency), instance), False
    job = report_job(site, stamp)
    job.ended.wait(WAIT_SECONDS / 6)
    if not isinstance(job.result, MadeReport):
        return None, not job.ended.is_set()
    return _line_of(job.result.campaigns, instance), False


def _line_of(lines: list[CampaignLine], instance: int) -> CampaignLine | None:
    return next((line for line in lines if line.instance_id == instance), None)


def _campaigns_of_store(agency: StoreDatabase) -> list[CampaignLine]:
    """Return the lines of the report of the last run over all contacts."""
    last = last_whole_run(agency.store, agency.version()[0].folder)
    found = read_or_none(agency.store, f"{last.folder}/{layout.REPORT_JSON}") if last else None
    return RunSummary.model_validate_json(found.data).campaigns if found else []


def _made(job: BackgroundJob) -> MadeReport:
    if not isinstance(job.result, MadeReport):
        raise AlmanacError(job.error)
    return job.result


def _of_store(agency: StoreDatabase, file: str) -> Response:
    answer = status_response(agency.store, f"/orgs/{agency.org}/{file}", dt.datetime.now(dt.UTC))
    if answer.code != 200:
        raise NotFound(f"{agency.name} has no report with this table yet: no run has written one.")
    if file == PAGE:
        return _html(answer.body)
    return _table(answer.body, file.rpartition("/")[2])


def _html(content: bytes) -> Response:
    """Return the report with the policy that it states itself, and a way back to these pages."""
    text = content.decode(errors="replace")
    back = '<p><a href="/">Search, days, campaigns and what-if</a></p>\n'
    stated = _POLICY.search(text)
    response = Response(text.replace(_HEADER, _HEADER + back, 1), content_type=HTML)
    if stated:
        policy = f"{stated[1]}; frame-ancestors 'none'"
        response.headers["Content-Security-Policy"] = policy
    return response


def _table(content: bytes, name: str) -> Response:
    kind = "application/json" if name.endswith(".json") else "text/csv; charset=utf-8"
    response = Response(content, content_type=kind)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response
