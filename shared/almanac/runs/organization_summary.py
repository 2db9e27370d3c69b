"""summary.json: in one small object what `status` has to know of an organization.

It copies what never changes: what the version says that was current at one generation of
current.json, and how runs ended. So it is never wrong, only out of date, which a reader sees by
that generation. The run that committed writes it after its end; nothing waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import AwareDatetime, Field

from almanac.config import Config, load_config
from almanac.database.census import Census
from almanac.errors import AlmanacError, Corrupt, NotFound, PreconditionFailed
from almanac.logs import get_log
from almanac.names import date_of_run
from almanac.organizations.organizations import LastRun, census_of, last_whole_run
from almanac.report.data_quality import DataQuality, data_quality
from almanac.report.summary import RunSummary
from almanac.runs.results import RunResult, result_of
from almanac.storage import layout
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.store import ObjectStore, read_or_none
from almanac.storage.versions import Current, current, manifest_of

RUNS_READ = 10  # of an organization, the newest as_of first


class VersionFacts(Document):
    """What a version and the last run over all contacts before it say; created_at: of the version.

    version and census are without what status does not need.
    """

    version: Current
    created_at: AwareDatetime
    last: LastRun | None = None
    census: Census | None = None
    data: DataQuality | None = None


class OrganizationSummary(Document):
    """summary.json. The facts are those of the version at the generation `pointer` of current.json.

    zone: the time zone that config.yaml had at the generation `config`, 0 for no config.yaml.
    results: of the newest runs by then.
    """

    pointer: int
    config: int
    zone: str
    facts: VersionFacts
    results: dict[str, RunResult] = Field(default_factory=dict)


def newest_runs(names: Iterable[str]) -> list[str]:
    """Return the RUNS_READ newest of the runs, by the dates in their ids."""
    return sorted((name for name in names if date_of_run(name)), reverse=True)[:RUNS_READ]


def data_of(store: ObjectStore, last: LastRun | None) -> DataQuality | None:
    """Return what the last run over all contacts found; None if it has no report."""
    report = read_or_none(store, f"{last.folder}/{layout.REPORT_JSON}") if last else None
    return data_quality(RunSummary.model_validate_json(report.data)) if report else None


def read_summary(store: ObjectStore, org: str) -> tuple[OrganizationSummary, int] | None:
    """Return summary.json and its generation, None if there is none; raise Corrupt if invalid."""
    return read_document(store, layout.summary(org), OrganizationSummary)


def keep_summary(store: ObjectStore, org: str) -> None:
    """Write summary.json of the current version; a failure is a line in the log, and no more."""
    try:
        _write(store, org)
    except PreconditionFailed:
        pass  # another run has written its own
    except (AlmanacError, OSError, ValueError) as error:
        get_log().warning("summary not written", org_id=org, reason=" ".join(str(error).split()))


def _write(store: ObjectStore, org: str) -> None:
    there = current(store, org)
    if there is None:
        return
    earlier, generation = _earlier(store, org)
    config = read_or_none(store, layout.config(org))
    settings = load_config(config.data, config.name) if config else Config()
    known = earlier.results if earlier else {}
    newest = newest_runs(store.subfolders(layout.runs(org)))
    results = {run: known.get(run) or result_of(store, org, run) for run in newest}
    summary = OrganizationSummary(
        pointer=there[1],
        config=config.generation if config else 0,
        zone=settings.timezone,
        facts=_facts(store, there[0]),
        results={run: result for run, result in results.items() if result},
    )
    store.write(layout.summary(org), to_json(summary), if_generation=generation)


def _earlier(store: ObjectStore, org: str) -> tuple[OrganizationSummary | None, int]:
    """Return what is to be replaced, None if it cannot be read, and its generation."""
    try:
        return read_summary(store, org) or (None, 0)
    except Corrupt:
        info = store.stat(layout.summary(org))
        return None, info.generation if info else 0


def _facts(store: ObjectStore, version: Current) -> VersionFacts:
    manifest = manifest_of(store, version.folder)
    if manifest is None:
        raise NotFound(f"{version.folder}/{layout.MANIFEST}: no such object")
    last = last_whole_run(store, version.folder)
    census = census_of(manifest)
    return VersionFacts(
        version=version.model_copy(update={"left": None, "highest": None}),
        created_at=manifest.created_at,
        last=last,
        census=census.model_copy(update={"bounds": []}) if census else None,
        data=data_of(store, last),
    )
