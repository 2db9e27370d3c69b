"""The group `almanac rules`."""

from __future__ import annotations

import datetime as dt
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.agency_arguments import agency_of
from almanac.commands.arguments import read_config
from almanac.commands.dates import read_date, today_in
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsCsv, AsJson, AsOf, ConfigFile, Day, MaybeOrg, Store
from almanac.commands.output import print_result
from almanac.commands.progress import progress_bars
from almanac.config import Config
from almanac.database.scanning import Scan
from almanac.errors import InputError
from almanac.names import date_of_run
from almanac.organizations.agency_database import AgencyDatabase
from almanac.rulebook.check import check_rules
from almanac.rulebook.listing import list_rules, state_year
from almanac.rulebook.states import read_state
from almanac.rulebook.text import csv_of, print_check, print_list, print_state

app = new_app(
    name="rules",
    no_args_is_help=True,
    help="Show the state rules that a configuration plans by, with dates and sources, and compare "
    "them with the statutory set. Not legal advice: an agency's counsel confirms them.",
    epilog="Example: almanac rules check agency.sqlite3",
)

ForDatabase = Annotated[
    Path | None,
    typer.Option(
        "--database",
        metavar="DATABASE",
        help="The configuration that the database's last run recorded.",
    ),
]
RuleSetOption = Annotated[
    str | None,
    typer.Option("--rule-set", metavar="NAME", help="A rule set alone: standard or statutory."),
]


@app.command("list", epilog="Example: almanac rules list --rule-set statutory --on 2027-01-01")
def list_command(
    on: Day = None,
    config: ConfigFile = None,
    database: ForDatabase = None,
    rule_set: RuleSetOption = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """List the rules that are in force on a day, by state, each with its source.

    The configuration is that of --config, --database, --org or --rule-set; without, the defaults.
    """
    if as_json and as_csv:
        raise InputError("--json or --csv: expected one of them, found both")
    agency = _agency(database, org, store)
    chosen, words = _chosen(config, agency, rule_set)
    found = list_rules(chosen, _day(on, chosen), words)
    if as_csv:
        print(csv_of(found), end="")
    else:
        print_result(found, as_json, print_list)
    return OK


@app.command(epilog="Example: almanac rules show VA --rule-set statutory")
def show(
    state: Annotated[str, typer.Argument(metavar="STATE", help="A state: VA, or Virginia.")],
    on: Day = None,
    config: ConfigFile = None,
    database: ForDatabase = None,
    rule_set: RuleSetOption = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Show a state's rules, the year from the day on, and past and coming changes.

    The configuration is that of --config, --database, --org or --rule-set; without, the defaults.
    """
    agency = _agency(database, org, store)
    chosen, words = _chosen(config, agency, rule_set)
    found = state_year(chosen, read_state(state), _day(on, chosen), words)
    print_result(found, as_json, print_state)
    return OK


@app.command(epilog="Example: almanac rules check agency.sqlite3")
def check(
    database: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DATABASE]",
            help="The agency's SQLite database, for the counts of contacts and messages.",
            show_default=False,
        ),
    ] = None,
    config: ConfigFile = None,
    rule_set: RuleSetOption = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> int:
    """Compare the configured rules with the statutory set; change nothing.

    It shows days that the statutory rules protect and the configuration does not, rules that begin
    or end before the horizon, and sources that were not verified for 180 days; with a database,
    how many contacts and planned messages each concerns. The configuration is that of --config or
    --rule-set, else the one recorded in the database, else the defaults. The default day is that
    of the database's last run, else today.
    """
    agency = _agency(database, org, store)
    if config or rule_set:
        chosen, words = _chosen(config, None, rule_set)
    else:
        chosen, words = _chosen(None, agency, None)
    day = _day(as_of, chosen, "--as-of") if as_of else None
    with (
        progress_bars() as progress,
        agency.open(whole=True) if agency else nullcontext() as source,
    ):
        scan = Scan(source) if source else None
        run = scan.last_run() if scan else None
        day = day or (date_of_run(str(run["scheduler_run_id"])) if run else None)
        found = check_rules(
            chosen,
            words,
            day or _day(None, chosen),
            (agency.name, scan) if agency and scan else None,
            progress,
        )
    print_result(found, as_json, print_check)
    return OK


def _agency(database: Path | None, org: str | None, store: str | None) -> AgencyDatabase | None:
    """Return the database that the options name, if they name one."""
    return agency_of(database, org, store) if database or org or store else None


def _chosen(
    config: Path | None, agency: AgencyDatabase | None, rule_set: str | None
) -> tuple[Config, str]:
    """Return the configuration that the options name, and where it is from."""
    given = {"--config": config, "--rule-set": rule_set, "DATABASE": agency}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise InputError(f"{' or '.join(names)}: expected one of them, found {len(names)}")
    if config is not None:
        return read_config(config), str(config)
    if agency is not None:
        return agency.config(), f"the configuration of {agency.name}"
    if rule_set is None:
        return Config(), "the defaults"
    if rule_set not in ("standard", "statutory"):
        raise InputError(f"--rule-set: {rule_set!r} is not one of standard, statutory")
    return Config.model_validate({"rule_set": rule_set}), "the rule set alone"


def _day(text: str | None, config: Config, option: str = "--on") -> dt.date:
    """Return the day of the option, else today in the organization's zone."""
    today = today_in(config.zone)
    return today if text is None else read_date(text, option, lambda: today)
