"""The status of all organizations of a store, and what the HTTP function `status` answers."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import parse_qs

from pydantic import BaseModel

from almanac.errors import AlmanacError, RequestError
from almanac.logs import clean, get_log
from almanac.organizations.organizations import is_there, last_whole_run, organizations
from almanac.report.events import REFUSED
from almanac.report.tables import TABLES
from almanac.status.model import OrganizationStatus, StatusProblem, StoreStatus
from almanac.status.organization import organization_status
from almanac.storage import layout
from almanac.storage.store import ObjectStore, read_or_none
from almanac.storage.versions import current

THREADS = 8  # organizations that are read at the same time
PAGE = 200  # organizations of an answer: some 20 s, of the 60 that the function has
JSON = "application/json"
HTML = "text/html; charset=utf-8"
CSV = "text/csv; charset=utf-8"
SERVED_TABLES = frozenset((*TABLES, REFUSED))  # those that the page of a run can have


@dataclass(frozen=True)
class StatusAnswer:
    """An answer over HTTP."""

    code: int
    content_type: str
    body: bytes


def status_response(store: ObjectStore, path: str, now: dt.datetime) -> StatusAnswer:
    """Return what the HTTP function `status` answers to a path.

    `/`: the first organizations; `/?after=<org>`: those that follow it; `/orgs/<org>`: one;
    `/orgs/<org>/report`: the report page of its last run;
    `/orgs/<org>/report-tables/<table>.csv`: a table of that page; `/health`: only that this
    process runs. The code is 200, 503 if there is a problem, or 404 for an unknown path.
    """
    try:
        where, _, query = path.partition("?")
        match where.strip("/").split("/"):
            case [""]:
                after = parse_qs(query).get("after", [""])[0]
                found = store_status(store, now, after=after, at_most=PAGE)
                return _json(200 if found.ok else 503, found)
            case ["health"]:
                return StatusAnswer(200, JSON, b'{"ok":true}\n')
            case ["orgs", org] if is_there(store, org):
                one = organization_status(store, org, now)
                return _json(200 if one.ok else 503, one)
            case ["orgs", org, "report"] if is_there(store, org):
                return _report(store, org, layout.REPORT_HTML, HTML)
            case ["orgs", org, layout.REPORT_TABLES, file] if is_there(store, org):
                if file.removesuffix(".csv") in SERVED_TABLES:
                    return _report(store, org, f"{layout.REPORT_TABLES}/{file}", CSV)
    except RequestError as error:
        return _json(404, StatusProblem(problems=[clean(str(error))]))
    except AlmanacError as error:
        return _json(503, StatusProblem(problems=[clean(str(error))]))
    return _json(404, StatusProblem(problems=["there is nothing at this path"]))


def _json(code: int, document: BaseModel) -> StatusAnswer:
    return StatusAnswer(code, JSON, document.model_dump_json(indent=2).encode() + b"\n")


def _report(store: ObjectStore, org: str, file: str, content_type: str) -> StatusAnswer:
    """Answer with a file of the report of the current version, or of its last whole run."""
    found = current(store, org)
    version = found[0] if found else None
    last = last_whole_run(store, version.folder) if version else None
    for folder in [each.folder for each in (version, last) if each]:
        if content := read_or_none(store, f"{folder}/{file}"):
            return StatusAnswer(200, content_type, content.data)
    return _json(404, StatusProblem(problems=[f"organization {org}: has no report yet"]))


def store_status(
    store: ObjectStore, now: dt.datetime, *, after: str = "", at_most: int | None = None
) -> StoreStatus:
    """Return the status of the organizations whose ids come after `after`, at most so many.

    Ids are in the order of their characters. An error in one does not affect the others.
    Raises AlmanacError if the organizations cannot be listed.
    """
    there = [org for org in organizations(store) if org > after]
    page = there[:at_most]
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda org: _guarded(store, org, now), page))
    problems = [f"{each.org_id}: {problem}" for each in found for problem in each.problems]
    return StoreStatus(
        ok=not problems,
        checked_at=now,
        problems=problems,
        organizations=found,
        next=page[-1] if len(page) < len(there) else None,
    )


def _guarded(store: ObjectStore, org: str, now: dt.datetime) -> OrganizationStatus:
    try:
        return organization_status(store, org, now)
    except Exception as error:  # a bug must not hide the other organizations
        get_log().exception("status failed", org_id=org)
        problem = f"its status cannot be determined ({type(error).__name__})"
        return OrganizationStatus(org_id=org, ok=False, problems=[problem], warnings=[])
