"""The commands that only look at databases, and the one that makes them."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

from almanac.commands.arguments import read_config, read_date
from almanac.commands.endings import OK, USAGE
from almanac.commands.progress import progress_bars
from almanac.report.text import console_for, paragraph, table


def report(database: Path, out: Path, config: Path | None, since: Path | None) -> int:
    """Writes the report page."""
    from almanac.report.page import check_target, tables_folder, write_page
    from almanac.statistics.file_report import overview

    check_target(out)
    with progress_bars() as progress:
        page = overview(database, read_config(config) if config else None, since, progress)
    write_page(out, page)
    console = console_for(sys.stdout)
    paragraph(console, f"The report page: {out.absolute()}", indent=0)
    paragraph(console, f"Its tables as CSV files: {tables_folder(out).absolute()}", indent=0)
    return OK


def diff(old: Path, new: Path, as_json: bool) -> int:
    """Prints how two databases differ."""
    from almanac.report.other_text import print_difference
    from almanac.statistics.diff import compare

    with progress_bars() as progress:
        found = compare(old, new, progress)
    if as_json:
        print(found.model_dump_json())
    else:
        print_difference(console_for(sys.stdout), found)
    return OK


def check(database: Path, config: Path | None, as_json: bool) -> int:
    """Prints the state of a database; USAGE if it cannot be planned."""
    from almanac.organizations.check import check_file
    from almanac.planning.contacts import ISSUE_ADVICE
    from almanac.report.other_text import print_findings

    settings = read_config(config)
    with progress_bars() as progress:
        found = check_file(database, settings, progress)
    if as_json:
        print(found.model_dump_json())
    else:
        print_findings(console_for(sys.stdout), found, ISSUE_ADVICE)
    return OK if found.usable else USAGE


def generate(database: Path, contacts: int, seed: int, as_of: str | None) -> int:
    """Makes an agency."""
    from dataclasses import asdict

    from almanac.generation import generate as make

    day = read_date(as_of) if as_of else dt.datetime.now(dt.UTC).date()
    with progress_bars() as progress:
        made = make(database, contacts, seed, day, progress)
    console = console_for(sys.stdout)
    paragraph(console, f"Made {database}, as it would be found on {day}:", indent=0)
    table(console, ("", ">"), [(name, count) for name, count in asdict(made).items()])
    return OK
