"""`almanac check`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from almanac.commands.config_arguments import given_config, recorded_or_defaults
from almanac.commands.exit_codes import OK, USAGE
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, ConfigFile, Database, Defaults
from almanac.commands.output import print_result
from almanac.commands.progress import progress_bars
from almanac.config import Config
from almanac.errors import ConfigError, DatabaseError
from almanac.organizations.check import check_file
from almanac.organizations.findings import Findings
from almanac.organizations.findings_text import print_findings
from almanac.planning.contacts import ISSUE_ADVICE
from almanac.progress import Progress
from almanac.runs.trial import tried

app = new_app()


@app.command(epilog="Example: almanac check agency.sqlite3")
def check(
    database: Database,
    config: ConfigFile = None,
    defaults: Defaults = False,
    as_json: AsJson = False,
) -> int:
    """Check for damage, missing columns, and issues of contacts and campaigns; change nothing.

    The file is judged by the configuration that a run would use: the one that is recorded in it,
    else the defaults. The plan of today is written to a private copy and undone, to find
    constraints and triggers that a run would fail on. Exits with 2 if the file cannot be planned as
    it is, or only with --without-states; anything else is a warning.
    """
    with progress_bars() as progress:
        found = _checked(database, config, defaults, progress)
    print_result(found, as_json, partial(print_findings, advice=ISSUE_ADVICE))
    return OK if found.usable and found.without_states is None else USAGE


def _checked(database: Path, config: Path | None, defaults: bool, progress: Progress) -> Findings:
    try:
        chosen = given_config(config, defaults) or recorded_or_defaults(database)
    except ConfigError:
        raise
    except DatabaseError:
        # damage is what check reports, also where it keeps the configuration from being read
        found = check_file(database, Config(), progress)
        if found.usable:
            raise
        return found
    found = check_file(database, chosen.config, progress)
    found = tried(database, chosen.config, found, progress)
    return found.model_copy(update={"configuration": chosen.words})
