"""`almanac run`."""

from __future__ import annotations

import datetime as dt
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from almanac.commands.agency_arguments import agency_of
from almanac.commands.arguments import read_config, read_datetime, read_ids
from almanac.commands.before_run import check_before_run, check_contacts
from almanac.commands.config_arguments import given_config, recorded_or_defaults, today_of_file
from almanac.commands.dates import read_date
from almanac.commands.exit_codes import DIFFERENT, FAILURE, OK, failed, warned
from almanac.commands.groups import new_app
from almanac.commands.options import (
    AsJson,
    AsOf,
    ConfigFile,
    Defaults,
    ExitCode,
    MaybeDatabase,
    MaybeOrg,
    Now,
    Store,
)
from almanac.commands.progress import progress_bars
from almanac.commands.run_arguments import (
    AdoptScheduled,
    Against,
    Backup,
    Cache,
    Contacts,
    DryRun,
    Keep,
    Report,
    RunArguments,
    Shards,
    Trace,
    WithoutStates,
    Workers,
    Yes,
)
from almanac.config import Config
from almanac.contact_ranges import merged
from almanac.database.aggregates import contact_without_messages
from almanac.database.opening import map_errors, open_database
from almanac.errors import AlmanacError, ConfigError, InputError
from almanac.organizations.kept_copies import KeptCopies
from almanac.organizations.recorded_config import NamedConfig
from almanac.planning.contacts import ISSUE_ADVICE
from almanac.report.summary import RunSummary
from almanac.report.summary_text import print_summary
from almanac.report.text import console_for, paragraph
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.trace_file import trace_to

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
    counts them, and --adopt-scheduled plans these events, once.
    With another configuration than that of the file's last run, --dry-run shows how the two plans
    differ, by day and by type. With --exit-code it exits with 3 if a run would change a planned
    row, with 0 if not.

    A run for a day before that of the file's last run, or more than 31 days after it, asks first;
    where it cannot ask, it needs --yes. Where no contact's state can be read, no rule would protect
    any: that needs --without-states.

    With --org the current version of an organization is planned in place of the functions, and the
    next one published, in a store that is a folder.
    """
    others = (config, shards, workers, contacts, against, report, backup, keep, cache)
    flags = (defaults, dry_run, adopt_scheduled, yes, without_states, exit_code)
    _check_agency(database, org, store, others, flags)
    with trace_to(_other_than(report, trace), "--trace", "run", run):
        if org is not None:
            from almanac.commands.run_store import run_organization

            return run_organization(org, store, as_of, now, as_json)
        assert database is not None
        return _run(
            RunArguments(
                *(database, as_of, now, config, defaults, shards, workers, contacts),
                *(dry_run, against, report, as_json, adopt_scheduled, yes, without_states),
                *(exit_code, backup, keep, cache),
            )
        )


def _check_agency(
    database: Path | None,
    org: str | None,
    store: str | None,
    others: Sequence[object],
    flags: Sequence[bool],
) -> None:
    """Raise InputError unless there is a file, or an organization without options of a file."""
    if org is None or database is not None:
        agency_of(database, org, store)  # exactly one of them
    if org is not None and (any(flags) or any(other is not None for other in others)):
        raise InputError("--org: takes only --store, --as-of, --now and --json")


def _other_than(report: Path | None, trace: Path | None) -> Path | None:
    """Return the file of the trace; raise InputError if it is that of the report page."""
    if trace is not None and report is not None and trace.absolute() == report.absolute():
        raise InputError("--trace: is the file of --report; expected another name")
    return trace


def _run(arguments: RunArguments) -> int:
    """Plan the file, write the report page and print the summary."""
    if arguments.against is not None and not arguments.dry_run:
        raise InputError("--against: compares two plans, and writes none; add --dry-run")
    if arguments.exit_code and not arguments.dry_run:
        raise InputError("--exit-code: says whether a run would change the plan; add --dry-run")
    given = given_config(arguments.config, arguments.defaults)
    today = today_of_file(arguments.database, given)
    given_ids = read_ids(arguments.contacts) if arguments.contacts is not None else None
    options = RunOptions(
        as_of=read_date(arguments.as_of, "--as-of", today) if arguments.as_of else None,
        now=read_datetime(arguments.now) if arguments.now else None,
        shards=arguments.shards,
        workers=arguments.workers,
        scope=None if given_ids is None else merged(given_ids),
        dry_run=arguments.dry_run,
        adopt_scheduled=arguments.adopt_scheduled,
        of_the_file=given is None,
        copies=arguments.copies(),
        cache=arguments.cached(),
    )
    if arguments.report is not None:
        from almanac.report.page import check_target

        check_target(arguments.report)
    new = given or recorded_or_defaults(arguments.database)
    config = new.config
    meant = {"yes": arguments.yes, "without_states": arguments.without_states}
    if given_ids is not None:
        check_contacts(arguments.database, given_ids, config)
    check_before_run(arguments.database, config, options, **meant)
    old, remark = _compared(arguments, config) if arguments.dry_run else (None, None)
    with progress_bars() as progress:
        if old is not None:
            from almanac.runs.what_if import compare_plans

            summary = compare_plans(arguments.database, old, new, options, progress)
        else:
            summary = run_file(arguments.database, config, options, progress)
    if options.copies is not None:
        _remove_old(options.copies)
    for line in options.cache.remarks if options.cache is not None else ():
        warned(line)
    summary = summary.model_copy(update={"configuration": new.words})
    problem = None
    if arguments.report is not None:
        from almanac.commands.run_page import write_run_page

        problem = write_run_page(arguments.report, summary, arguments.database, config)
    if arguments.as_json:
        print(summary.model_dump_json())
    else:
        _print(arguments, summary, remark, options.copies)
    if problem is not None:
        return failed(problem, FAILURE)
    return DIFFERENT if arguments.exit_code and summary.rows_changed else OK


def _compared(arguments: RunArguments, config: Config) -> tuple[NamedConfig | None, str | None]:
    """Return the configuration to compare with if it differs, else None and perhaps a remark."""
    if arguments.against is not None:
        against = read_config(arguments.against, "--against")
        old = NamedConfig(against, str(arguments.against))
    else:
        try:
            old = recorded_or_defaults(arguments.database)
        except ConfigError as error:
            return None, f"Not compared with the recorded configuration: {error}"
    if old.config != config:
        return old, None
    given = arguments.config or arguments.defaults or arguments.against
    return None, f"The configuration does not differ from {old.words}." if given else None


def _remove_old(copies: KeptCopies) -> None:
    """Delete copies of earlier runs that are too old; that they stay changes no result."""
    try:
        copies.remove_old()
    except OSError as error:
        warned(f"--backup: {copies.folder}: old copies stay: {error.strerror}")


def _print(
    arguments: RunArguments,
    summary: RunSummary,
    remark: str | None,
    copies: KeptCopies | None,
) -> None:
    console, database = console_for(sys.stdout), str(arguments.database)
    next_steps = _next_steps(arguments, summary)
    if summary.what_if is not None:
        from almanac.report.what_if_text import print_what_if

        print_what_if(console, summary, database=database, next_steps=next_steps)
        return
    given = arguments.config is not None or arguments.defaults
    others = "" if given else " (--config FILE or --defaults for another)"
    paragraph(console, f"Configuration: {summary.configuration}{others}.", indent=0)
    if remark is not None:
        paragraph(console, remark, indent=0)
    if copies is not None:
        paragraph(console, f"The file as it was before: {copies.made}", indent=0)
    print_summary(console, summary, database=database, advice=ISSUE_ADVICE, next_steps=next_steps)


def _next_steps(arguments: RunArguments, summary: RunSummary) -> list[str]:
    program, database = _program(), shlex.quote(str(arguments.database))
    steps = []
    if arguments.dry_run:
        without = "--dry-run" if arguments.against is None else "--dry-run and --against"
        steps.append(f"To write this plan, run the same command without {without}.")
    elif (contact := _example(arguments.database, summary.as_of)) is not None:
        now = f" --now {arguments.now}" if arguments.now else ""
        steps.append(f"Contact {contact} gets nothing. To see why:")
        steps.append(f"  {program} explain {database} --contact {contact}{now}")
    if summary.not_undoable:
        steps.append(f"almanac undo cannot put this run back: {summary.not_undoable}.")
    if arguments.report is not None:
        steps.append(f"The report page: {arguments.report.absolute()}")
    elif not arguments.dry_run:
        steps.append(f"For all details: {program} report {database} --out report.html")
    return steps


def _example(database: Path, as_of: dt.date) -> int | None:
    """Return a contact to explain, all of whose messages are skipped, if one is found quickly; None
    also if the file cannot be read: the run is done."""
    try:
        with (
            closing(open_database(database, writable=False)) as connection,
            map_errors(database),
        ):
            return contact_without_messages(connection, as_of.isoformat())
    except AlmanacError:
        return None


def _program() -> str:
    """Return the name by which this program can be called again."""
    called = sys.argv[0]
    found = shutil.which("almanac")
    if found and Path(found).resolve() == Path(called).resolve():
        return "almanac"
    return shlex.quote(called) if Path(called).name == "almanac" else "almanac"
