"""The names of the objects of a store."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Container

from almanac.errors import RequestError
from almanac.names import check_event_id, check_org_id, check_run_id

_VERSION_FOLDER = re.compile(r"orgs/[^/]+/versions/(\d{8})-([^/]+)")
_LAST_VERSION = 99_999_999

ORGANIZATIONS = "orgs/"  # the prefix of all organizations
DATABASE = "database.sqlite3"
MANIFEST = "manifest.json"
CHANGES = "changes.sqlite3-changeset"
REPORT_JSON = "report.json"
REPORT_HTML = "report.html"
REPORT_TABLES = "report-tables"  # the folder of the page's CSV files
DAYS = "due-{}.sqlite3"  # the messages of a day and the next, by the first
# the planned rows in columns, and which contacts' are where
PLANNED_PIECES, PLANNED_INDEX = "planned-rows.parquet-pieces", "planned-rows.json"
PLAN = "plan.json"
RESULT = "result.json"


def organization(org: str) -> str:
    """Return the prefix of an organization's objects, with the slash."""
    return f"{ORGANIZATIONS}{check_org_id(org)}/"


def config(org: str) -> str:
    return f"{organization(org)}config.yaml"


def earlier_configs(org: str) -> str:
    """Return the prefix of an organization's earlier configurations, with the slash."""
    return f"{organization(org)}configs/"


def earlier_config(org: str, generation: int) -> str:
    """Return the name of what config.yaml was at a generation; the names sort by it."""
    return f"{earlier_configs(org)}{generation:020}.json"


def current(org: str) -> str:
    return f"{organization(org)}current.json"


def summary(org: str) -> str:
    """Return the name of what the merge writes for `status` to read."""
    return f"{organization(org)}summary.json"


def lease(org: str) -> str:
    return f"{organization(org)}lease.json"


def copied(org: str) -> str:
    """Return the name of what a copy of an organization says of itself."""
    return f"{organization(org)}copied.json"


def versions(org: str) -> str:
    """Return the prefix of an organization's versions, with the slash."""
    return f"{organization(org)}versions/"


def version(org: str, number: int, run_id: str) -> str:
    """Return the folder of a version, without a slash at the end."""
    if not 1 <= number <= _LAST_VERSION:
        raise RequestError(f"version: {number} is not between 1 and {_LAST_VERSION}")
    return f"{versions(org)}{number:08}-{check_run_id(run_id)}"


def version_and_run(folder: str) -> tuple[int, str] | None:
    """Return number and run id of a version from its folder; None for another folder."""
    match = _VERSION_FOLDER.fullmatch(folder)
    return (int(match[1]), match[2]) if match else None


def folder_of_version(name: str) -> str | None:
    """Return the folder of the version that an object belongs to; None for other objects."""
    folder = "/".join(name.split("/")[:4])
    return folder if folder != name and version_and_run(folder) else None


def pins(org: str) -> str:
    """Return the prefix of an organization's pins of versions, with the slash."""
    return f"{organization(org)}pins/"


def pin(folder: str) -> str:
    """Return the name of the pin of a version, from its folder."""
    return folder.replace("/versions/", "/pins/", 1) + ".json"


def pinned_version(name: str) -> str | None:
    """Return the folder of the version that a pin is about; None for another object."""
    folder = name.removesuffix(".json").replace("/pins/", "/versions/", 1)
    return folder if version_and_run(folder) else None


def block_checksums(database: str) -> str:
    """Return the name of the checksums of a database's blocks, an object beside it."""
    return f"{database}-checksums.json"


def runs(org: str) -> str:
    """Return the prefix of an organization's runs, with the slash."""
    return f"{organization(org)}runs/"


def run(org: str, run_id: str) -> str:
    """Return the prefix of a run's objects, with the slash."""
    return f"{runs(org)}{check_run_id(run_id)}/"


def day_of_run(org: str, name: str) -> dt.date | None:
    """Return the date in the id of an object's run; None if it has none."""
    run_id = name.removeprefix(runs(org)).partition("/")[0]
    try:
        return dt.date.fromisoformat(run_id[:10])
    except ValueError:
        return None


def plan(org: str, run_id: str) -> str:
    return f"{run(org, run_id)}{PLAN}"


def fragments(org: str, run_id: str) -> str:
    """Return the prefix of a run's fragments, with the slash."""
    return f"{run(org, run_id)}fragments/"


def fragment(org: str, run_id: str, shard: int) -> str:
    if not 0 <= shard <= 99_999:
        raise RequestError(f"shard: {shard} is not between 0 and 99999")
    return f"{fragments(org, run_id)}{shard:05}.parquet"


def refused(org: str, run_id: str, shard: int, generation: int) -> str:
    """Return the name of the object that says why a fragment was discarded."""
    return f"{run(org, run_id)}refused/{shard:05}-{generation}.json"


def refusals(org: str, run_id: str) -> str:
    """Return the prefix of a run's refused fragments, with the slash."""
    return f"{run(org, run_id)}refused/"


def result(org: str, run_id: str) -> str:
    return f"{run(org, run_id)}{RESULT}"


def outlives_run(name: str, names: Container[str]) -> bool:
    """Return whether an object of a run is a document of one that has ended.

    names: those of all objects. Everything else of a run is for the run itself.
    """
    folder = "/".join(name.split("/")[:4])
    return name.endswith((f"/{PLAN}", f"/{RESULT}")) and f"{folder}/{RESULT}" in names


def absorbed(run: str, digest: str) -> str:
    """Return the name of the document of a run's changed pages; run: its prefix."""
    return f"{run}absorbed-{digest}.json"


def absorbed_pages(name: str) -> str:
    """Return the name of the changed pages, an object beside their document."""
    return f"{name.removesuffix('.json')}.pages"


def absorbed_changes(name: str) -> str:
    """Return the name of the change set of what was absorbed, beside the document of its pages."""
    return f"{name.removesuffix('.json')}.sqlite3-changeset"


def changes(org: str) -> str:
    """Return the prefix of the campaign changes that wait for a run, with the slash."""
    return f"{organization(org)}changes/"


def change(org: str, event_id: str) -> str:
    return f"{changes(org)}{check_event_id(event_id)}.json"


def inbox(org: str) -> str:
    """Return the prefix of the events that wait for a run, with the slash."""
    return f"{organization(org)}inbox/"


def inbox_object(org: str, time: dt.datetime, event_id: str) -> str:
    """Return the name of a batch of events, by the first of them; the names sort by its time."""
    stamp = time.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return f"{inbox(org)}{stamp}-{check_event_id(event_id)}.json"


def time_of_inbox_object(name: str) -> dt.datetime | None:
    """Return the time in the name of a batch of events; None if it has none."""
    stamp = name.rpartition("/")[2].partition("Z-")[0]
    try:
        return dt.datetime.strptime(stamp, "%Y%m%dT%H%M%S.%f").replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def rejected(date: dt.date, message_id: str) -> str:
    """Return the name of a rejected message's record; the id is untrusted input."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", message_id)[:128] or "_"
    return f"rejected/{date.isoformat()}/{safe}.json"


def is_edited_by_people(name: str) -> bool:
    """Whether people edit the object by hand: an organization's configuration."""
    return name.startswith(ORGANIZATIONS) and name.endswith("/config.yaml")


def shown_by(name: str) -> str:
    """Return the command that shows whether an object was written; empty if there is none."""
    folder, _, rest = name.removeprefix(ORGANIZATIONS).partition("/")
    if not name.startswith(ORGANIZATIONS) or not rest:
        return ""
    if rest.startswith("config"):
        return f"almanac config show --org {folder}"
    versions = rest == "current.json" or rest.startswith("versions/")
    return f"almanac store {'versions' if versions else 'status'} {folder}"
