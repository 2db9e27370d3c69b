"""`almanac contacts import`: the part that reads columns, imported when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from almanac.campaigns.change_request import new_request
from almanac.commands.agency_arguments import agency_and_file, day_of
from almanac.commands.imports import import_code
from almanac.commands.output import print_result
from almanac.commands.progress import progress_bars
from almanac.csv_input.rejects import rejects_path
from almanac.csv_input.source import input_file
from almanac.intake.contact_import import (
    ContactImport,
    ContactsImported,
    import_contacts,
    send_contacts,
)
from almanac.organizations.agency_database import StoreDatabase
from almanac.plurals import plural
from almanac.report.events import REFUSED_LATER
from almanac.report.text import heading, listed, paragraph, table


def run_import(
    names: Sequence[Path],
    options: ContactImport,
    rejects: Path | None,
    strict: bool,
    org: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Import contacts, print what became of them, and return the exit code."""
    agency, name = agency_and_file(names, org, store)
    path = rejects_path(name, rejects)
    request = new_request(day_of(agency, None))
    with progress_bars() as progress, input_file(name) as file:
        if isinstance(agency, StoreDatabase) and not options.dry_run:
            found, rejected = send_contacts(agency, file, options.pairs, request)
        else:
            found, rejected = import_contacts(agency, file, options, request, progress)
    rejected.write(path)
    if rejected:
        found = found.model_copy(update={"rejects_file": str(path)})
    print_result(found, as_json, _print_imported)
    return import_code(name, found.read - found.rejected, found.rejected, strict, path)


def _print_imported(console: Console, found: ContactsImported) -> None:
    if found.outcome == "waiting":
        text = f"{plural(found.waiting, 'contact')} in the inbox, for the next run"
        rows = [("waiting", found.waiting)]
    else:
        would = " would be" if found.outcome == "dry run" else ""
        text = f"{plural(found.added or 0, 'contact')}{would} added, {found.changed or 0:,}{would} "
        text += f"changed{' (--dry-run)' if would else ''}"
        rows = [("new", found.added or 0), ("changed", found.changed or 0)]
        rows += [("unchanged", found.unchanged or 0)]
    paragraph(console, f"{found.database}: {text}.", indent=0, style="bold")
    rows = [(f"rows in {found.file}", found.read), *rows, ("rejected", found.rejected)]
    table(console, ("", ">"), rows)
    if found.ignored_columns:
        note = f"Note: columns that are not read: {listed(found.ignored_columns, 8)}."
        paragraph(console, note, indent=0)
    if found.examples:
        heading(console, f"Rejected, all of them in {found.rejects_file}")
        table(console, (">line", "why"), [(str(line), why) for line, why in found.examples])
    if found.waiting:
        paragraph(console, REFUSED_LATER, indent=0)
    if found.outcome == "written" and (found.added or found.changed):
        paragraph(console, "The next run plans it.", indent=0)
