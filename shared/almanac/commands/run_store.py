"""`almanac run --org`: plan an organization of a store in a folder."""

from __future__ import annotations

import datetime as dt
import shlex
import sys
from functools import partial

from almanac.commands.arguments import read_datetime
from almanac.commands.dates import read_date, today_in
from almanac.commands.exit_codes import OK
from almanac.commands.progress import progress_bars
from almanac.errors import InputError
from almanac.names import check_org_id
from almanac.organizations.agency_database import StoreDatabase
from almanac.organizations.config_changes import config_place
from almanac.planning.contacts import ISSUE_ADVICE
from almanac.report.summary_text import print_summary
from almanac.report.text import console_for, paragraph
from almanac.runs.in_store import run_in_store
from almanac.runs.run_options import RunOptions, as_of, clock_of
from almanac.settings import load_settings
from almanac.storage.folder import FolderStore
from almanac.storage.opening import open_store
from almanac.storage.versions import require_current


def run_organization(
    org: str, store: str | None, day: str | None, now: str | None, as_json: bool
) -> int:
    """Plan the current version of an organization, publish the next one, print the summary."""
    check_org_id(org)
    url = store or load_settings().required_store()
    opened = None if url.startswith("gs://") else open_store(url)
    if not isinstance(opened, FolderStore):
        raise InputError(
            "--org: plans a store in a folder; the functions plan one in a bucket: "
            f"almanac request run --org {org}"
        )
    require_current(opened, org)
    named = config_place(StoreDatabase(opened, org)).named()
    config = named.config
    options = RunOptions(
        as_of=read_date(day, "--as-of", partial(today_in, config.zone)) if day else None,
        now=read_datetime(now) if now else None,
    )
    clock: dt.datetime = clock_of(config, options)
    with progress_bars() as progress:
        summary = run_in_store(opened, org, as_of(config, options), clock, progress)
    summary = summary.model_copy(update={"configuration": named.words})
    if as_json:
        print(summary.model_dump_json())
        return OK
    at = f"--org {org}" + (f" --store {shlex.quote(store)}" if store else "")
    steps = [f"To see what a contact gets: almanac explain {at} --contact ID"]
    name = f"organization {org}"
    console = console_for(sys.stdout)
    paragraph(console, f"Configuration: {named.words}.", indent=0)
    print_summary(console, summary, database=name, advice=ISSUE_ADVICE, next_steps=steps, named=at)
    return OK
