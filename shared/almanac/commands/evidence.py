"""`almanac evidence`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from almanac.commands.agency_arguments import agency_of, today_of
from almanac.commands.arguments import read_datetime
from almanac.commands.dates import read_date
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, MaybeDatabase, MaybeOrg, Store
from almanac.commands.output import print_result
from almanac.errors import InputError
from almanac.evidence.archive import check_archive
from almanac.evidence.evidence import ArchiveTarget, write_campaign, write_contact
from almanac.evidence.model import MadeArchive
from almanac.evidence.records import Period
from almanac.explain.lookup import Meant
from almanac.organizations.agency_database import AgencyDatabase
from almanac.plurals import plural
from almanac.report.text import paragraph

app = new_app()


@app.command(
    epilog="Example: almanac evidence agency.sqlite3 --contact 42 --from 2026-01-01 "
    "--to 2026-12-31 --out contact-42.zip",
)
def evidence(
    database: MaybeDatabase = None,
    contact: Annotated[
        str | None,
        typer.Option(metavar="WHO", help="A contact: an id, or a text that means one contact."),
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="NAME", help="Instead, a campaign: its id or its name.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day of the evidence.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="DATE", help="The last day of it.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The archive to write, a new ZIP file.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="DATETIME", help="A time to record in it; none is by itself."),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check", metavar="FILE", help="Instead, compare an archive with its checksums."
        ),
    ] = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Write an archive of what was planned, sent or withheld, and why, to keep and to show.

    A ZIP file with JSON, a page and a manifest of checksums; the same database gives the same
    bytes. A campaign needs no dates: then it is all of it. The database is only read.
    """
    if check is not None:
        if any((database, contact, campaign, from_, to, out, at, org, store)):
            raise InputError("--check FILE: expected no other argument than --json")
        return _printed(check_archive(check), as_json, "is as it was written")
    if (contact is None) == (campaign is None):
        found = "none" if contact is None else "both"
        raise InputError(f"--contact WHO or --campaign NAME: expected one of them, found {found}")
    if out is None:
        raise InputError("--out: is missing; expected the name of a new ZIP file")
    agency = agency_of(database, org, store)
    target = ArchiveTarget(out, read_datetime(at, "--at").isoformat() if at else None)
    period = _period(agency, from_, to)
    if campaign is not None:
        return _printed(write_campaign(agency, campaign, period, target), as_json, "was written")
    if period is None:
        raise InputError("--from DATE and --to DATE: expected both with --contact, found none")
    return _printed(
        write_contact(agency, Meant(str(contact)), period, target), as_json, "was written"
    )


def _period(agency: AgencyDatabase, from_: str | None, to: str | None) -> Period | None:
    if from_ is None and to is None:
        return None
    if from_ is None or to is None:
        found = f"--to {to}" if from_ is None else f"--from {from_}"
        raise InputError(f"--from DATE and --to DATE: expected both, found only {found}")
    today = today_of(agency)
    first, last = read_date(from_, "--from", today), read_date(to, "--to", today)
    if first > last:
        raise InputError(f"--from: {first} is after --to {last}; expected the earlier day first")
    return first, last


def _printed(made: MadeArchive, as_json: bool, what: str) -> int:
    def print_text(console: Console, made: MadeArchive) -> None:
        manifest = made.manifest
        paragraph(console, f"{made.file} {what}: {manifest.about}.", indent=0)
        for member in manifest.members:
            paragraph(console, f"{member.name}  {plural(member.size, 'byte')}")
        paragraph(console, f"SHA-256 of the file: {made.sha256}", indent=0)

    print_result(made, as_json, print_text)
    return OK
