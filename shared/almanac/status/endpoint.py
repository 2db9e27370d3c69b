"""What the HTTP function `status` answers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from urllib.parse import parse_qs

from pydantic import BaseModel

from almanac.errors import AlmanacError, RequestError
from almanac.logs import clean
from almanac.organizations.organizations import is_there, last_whole_run
from almanac.report.events import REFUSED
from almanac.report.tables import TABLES
from almanac.status.installation import store_findings, store_status
from almanac.status.model import StatusProblem
from almanac.status.organization import organization_status
from almanac.status.poll import poll
from almanac.storage import layout
from almanac.storage.store import ObjectStore, read_or_none
from almanac.storage.versions import current

PAGE = 200  # organizations of an answer that says all of each: some 300 KB
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


def status_response(
    store: ObjectStore, path: str, now: dt.datetime, seconds: float | None = None
) -> StatusAnswer:
    """Return what the HTTP function `status` answers to a path.

    `/`: the first organizations; `/?after=<org>`: those that follow it; `/problems`, with `after`
    too: only what is wrong, of as many as can be read; `/poll`: the same of all, into the log, with
    200 if it could look at all; `/orgs/<org>`: one;
    `/orgs/<org>/report`: the report page of its last run;
    `/orgs/<org>/report-tables/<table>.csv`: a table of that page; `/health`: only that this
    process runs. The code is 200, 503 if there is a problem, or 404 for an unknown path.
    seconds: after so many an answer about several organizations ends with what it has.
    """
    try:
        where, _, query = path.partition("?")
        match where.strip("/").split("/"):
            case [""]:
                page = store_status(store, now, after=_after(query), at_most=PAGE, seconds=seconds)
                return _json(200 if page.ok else 503, page)
            case ["problems"]:
                found = store_findings(store, now, after=_after(query), seconds=seconds)
                return _json(200 if found.ok else 503, found)
            case ["poll"]:
                polled = poll(store, now, seconds)
                return _json(200 if polled.next is None else 503, polled)
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


def _after(query: str) -> str:
    return parse_qs(query).get("after", [""])[0]


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
