"""`almanac contacts list`: the part that reads columns, imported when it is called."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Literal, assert_never

from almanac.campaigns.repository import Campaigns
from almanac.commands.dates import today_in
from almanac.commands.output import print_rows
from almanac.commands.progress import progress_bars
from almanac.config import Config
from almanac.contacts import listing
from almanac.contacts.listing import ListedContact
from almanac.contacts.text import print_listed
from almanac.database.opening import map_errors
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.names import date_of_run
from almanac.organizations.agency_database import AgencyDatabase
from almanac.report.row_file import Output
from almanac.report.text import console_for

ListKind = Literal["issue", "skip_reason", "state", "campaign"]


def list_contacts(
    agency: AgencyDatabase, kind: ListKind, value: str, limit: int, output: Output
) -> None:
    """Print or write the contacts that have the value of a kind."""
    config = agency.config()
    with (
        progress_bars() as progress,
        agency.open(whole=True, steady=False) as source,
        map_errors(source.path),
    ):
        progress("contacts", 0, 1)
        rows = _rows(source, config, kind, value)
        if output.format_ is None:
            first = list(islice(rows, limit))
            more = sum(1 for _ in rows)
        else:
            head = {"database": agency.name, kind: value}
            print_rows(output, output.format_, ListedContact._fields, rows, head)
        progress("contacts", 1, 1)
    if output.format_ is None:
        print_listed(console_for(sys.stdout), first, more)


def _rows(source: Source, config: Config, kind: ListKind, value: str) -> Iterator[ListedContact]:
    today = today_in(config.zone)
    match kind:
        case "issue":
            return listing.with_issue(source, config, value, today)
        case "state":
            return listing.in_state(source, config, value)
        case "campaign":
            instance = int(Campaigns.read(source.connection).instance(value)["id"])
            return listing.of_campaign(source.connection, config, instance)
        case "skip_reason":
            run = Snapshot(source).last_run()
            since = date_of_run(str(run["scheduler_run_id"])) if run else None
            return listing.skipped_for(source.connection, config, value, since or today)
        case _:
            assert_never(kind)
