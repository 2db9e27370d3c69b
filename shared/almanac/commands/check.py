"""`almanac check`."""

from __future__ import annotations

from functools import partial

from almanac.commands.arguments import read_config
from almanac.commands.exit_codes import OK, USAGE
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, ConfigFile, Database
from almanac.commands.output import print_result
from almanac.commands.progress import progress_bars
from almanac.organizations.check import check_file
from almanac.organizations.findings_text import print_findings
from almanac.planning.contacts import ISSUE_ADVICE
from almanac.runs.trial import tried

app = new_app()


@app.command(epilog="Example: almanac check agency.sqlite3")
def check(database: Database, config: ConfigFile = None, as_json: AsJson = False) -> int:
    """Check for damage, missing columns, and issues of contacts and campaigns; change nothing.

    The plan of today is written to a private copy and undone, to find constraints and triggers that
    a run would fail on. Exits with 2 if the file cannot be planned as it is; anything else is a
    warning.
    """
    settings = read_config(config)
    with progress_bars() as progress:
        found = check_file(database, settings, progress)
        found = tried(database, settings, found, progress)
    print_result(found, as_json, partial(print_findings, advice=ISSUE_ADVICE))
    return OK if found.usable else USAGE
