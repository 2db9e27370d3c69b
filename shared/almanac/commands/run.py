"""`almanac run`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from almanac.commands.groups import new_app
from almanac.commands.options import (
    AsJson,
    AsOf,
    Cache,
    ConfigFile,
    Defaults,
    ExitCode,
    MaybeDatabase,
    MaybeOrg,
    Now,
    Store,
)
from almanac.commands.run_arguments import (
    AdoptScheduled,
    Against,
    Backup,
    Contacts,
    DryRun,
    Keep,
    Report,
    Shards,
    Trace,
    WithoutStates,
    Workers,
    Yes,
)
from almanac.errors import InputError

app = new_app()


@app.command(
    epilog="Example: almanac run agency.sqlite3 --as-of 2026-11-21 --report report.html\n\n"
    "Example: almanac run agency.sqlite3 --dry-run --config other.yaml",
)
def run(
    database: MaybeDatabase = None,
    as_of: AsOf = None,
    now: Now = None,
    config: ConfigFile = None,
    defaults: Defaults = False,
    shards: Shards = None,
    workers: Workers = None,
    contacts: Contacts = None,
    dry_run: DryRun = False,
    against: Against = None,
    report: Report = None,
    as_json: AsJson = False,
    adopt_scheduled: AdoptScheduled = False,
    yes: Yes = False,
    without_states: WithoutStates = False,
    exit_code: ExitCode = False,
    backup: Backup = None,
    keep: Keep = None,
    cache: Cache = None,
    org: MaybeOrg = None,
    store: Store = None,
    trace: Trace = None,
) -> int:
    """Plan a database in place: every message of the next year, or why it is skipped.

    The default day is today in the organization's time zone. The configuration is the one that the
    file's last run recorded, unless --config or --defaults takes another, which is then recorded; a
    file without one gets the defaults. Other programs may use the file meanwhile. It changes in one
    transaction, or after an error not at all.

    Rows of status scheduled that an older scheduler has planned block their events: the summary
    counts them, and --adopt-scheduled plans these events, once. With another configuration than
    that of the file's last run, --dry-run shows how the two plans differ, by day and by type. With
    --exit-code it exits with 3 if a run would change a planned row, with 0 if not.

    A run for a day before that of the file's last run, or more than 31 days after it, asks first;
    where it cannot ask, it needs --yes. Where no contact's state can be read, no rule would protect
    any: that needs --without-states.

    With --org the current version of an organization is planned in place of the functions, and the
    next one published, in a store that is a folder.
    """
    others = (config, shards, workers, contacts, against, report, backup, keep, cache)
    flags = (defaults, dry_run, adopt_scheduled, yes, without_states, exit_code)
    _start_workers(database, workers, shards)
    # imported now: the workers do so at the same time
    from almanac.commands.run_file import RunArguments, plan_file

    _check_agency(database, org, store, others, flags)
    with _traced(report, trace):
        if database is None:
            return _run_organization(org, store, as_of, now, as_json)
        arguments = RunArguments(
            *(database, as_of, now, config, defaults, shards, workers, contacts, dry_run, against),
            *(report, as_json, adopt_scheduled, yes, without_states, exit_code, backup, keep),
            cache,
        )
        return plan_file(arguments)


def _start_workers(database: Path | None, workers: int | None, shards: int | None) -> None:
    """Start what the worker processes of a large file will need."""
    if database is not None and workers != 1:
        from almanac.runs.early_workers import start_workers_for

        start_workers_for(database, workers, shards)


def _check_agency(
    database: Path | None,
    org: str | None,
    store: str | None,
    others: Sequence[object],
    flags: Sequence[bool],
) -> None:
    """Raise InputError unless there is a file, or an organization without options of a file."""
    from almanac.commands.agency_arguments import agency_of

    if org is None or database is not None:
        agency_of(database, org, store)  # exactly one of them
    if org is not None and (any(flags) or any(other is not None for other in others)):
        raise InputError("--org: takes only --store, --as-of, --now and --json")


def _traced(report: Path | None, trace: Path | None) -> AbstractContextManager[None]:
    """Return what traces the run; raise InputError if trace and report are one file."""
    from almanac.trace_file import trace_to

    if trace is not None and report is not None and trace.absolute() == report.absolute():
        raise InputError("--trace: is the file of --report; expected another name")
    return trace_to(trace, "--trace", "run", run)


def _run_organization(
    org: str | None, store: str | None, as_of: str | None, now: str | None, as_json: bool
) -> int:
    from almanac.commands.run_store import run_organization

    assert org is not None  # checked
    return run_organization(org, store, as_of, now, as_json)
