"""What `almanac run` does with a file. Importing this takes most of a second."""

from __future__ import annotations

import datetime as dt
import shlex
import shutil
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from almanac.commands.agency_arguments import cache_of
from almanac.commands.arguments import read_config, read_datetime, read_ids
from almanac.commands.before_run import check_before_run, check_contacts
from almanac.commands.config_arguments import given_config, recorded_or_defaults, today_of_file
from almanac.commands.dates import read_date
from almanac.commands.exit_codes import DIFFERENT, FAILURE, OK, failed, warned
from almanac.commands.progress import progress_bars
from almanac.config import Config
from almanac.contact_ranges import merged
from almanac.database.aggregates import contact_without_messages
from almanac.database.opening import map_errors, open_database
from almanac.errors import AlmanacError, ConfigError, InputError
from almanac.organizations.cache_folder import CacheFolder
from almanac.organizations.kept_copies import KEEP_DAYS, KeptCopies
from almanac.organizations.recorded_config import NamedConfig
from almanac.planning.contacts import ISSUE_ADVICE
from almanac.report.summary import RunSummary
from almanac.report.summary_text import print_summary
from almanac.report.text import console_for, paragraph
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions


@dataclass(frozen=True)
class RunArguments:
    """The arguments as they were given."""

    database: Path
    as_of: str | None
    now: str | None
    config: Path | None
    defaults: bool
    shards: int | None
    workers: int | None
    contacts: str | None
    dry_run: bool
    against: Path | None
    report: Path | None
    as_json: bool
    adopt_scheduled: bool
    yes: bool
    without_states: bool
    exit_code: bool
    backup: Path | None = None
    keep: int | None = None
    cache: Path | None = None

    def cached(self) -> CacheFolder | None:
        """Return where planned rows are kept. Raises InputError if they cannot be."""
        cached = cache_of(self.database, self.cache)
        if cached is not None:
            cached.check()
        return cached

    def copies(self) -> KeptCopies | None:
        """Return where a copy of the file goes. Raises InputError if none can be written there."""
        if self.backup is None:
            if self.keep is not None:
                raise InputError("--keep: says how long copies of --backup DIR stay; add --backup")
            return None
        if self.dry_run:
            raise InputError("--backup: copies what a run changes, and --dry-run changes nothing")
        keep = KEEP_DAYS if self.keep is None else self.keep
        copies = KeptCopies(self.database, self.backup, keep)
        copies.check()
        return copies


def plan_file(arguments: RunArguments) -> int:
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
