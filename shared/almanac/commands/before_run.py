"""What `almanac run` asks first: whether states can be read, and whether the day is meant."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from almanac.commands.exit_codes import warned
from almanac.config import Config
from almanac.contact_ranges import ContactRange, without_ids
from almanac.database.reading import Snapshot
from almanac.errors import AlmanacError, InputError
from almanac.organizations.agency_database import FileDatabase
from almanac.organizations.last_run_day import day_jump
from almanac.organizations.readable_states import no_state_read
from almanac.report.alerts import mapping_command
from almanac.report.text import listed
from almanac.runs.run_options import RunOptions, as_of

NAMED = 10  # unknown ids in a message


def check_before_run(
    path: Path, config: Config, options: RunOptions, *, yes: bool, without_states: bool
) -> None:
    """Ask whether the run is meant where it probably is not.

    Raises InputError if no contact's state can be read, and if the day is far from the last run's
    and there is no terminal to ask on; typer.Abort if the answer is no.
    """
    with FileDatabase(path).open() as source:
        snapshot = Snapshot(source)
        unread = None if without_states else no_state_read(snapshot, config)
        likely = snapshot.likely_columns(config.contacts) if unread else {}
        jump = None
        if not (yes or options.dry_run):
            jump = day_jump(snapshot, as_of(config, options), config.horizon_days)
    if unread is not None:
        commands = [
            f"map {column}: {mapping_command(shlex.quote(str(path)), name, column)}; "
            for name, column in likely.items()
            if name in ("state", "zip_code")
        ]
        meant = "if the agency has no states, add --without-states"
        raise InputError(f"{path}: {unread}; {''.join(commands)}{meant}")
    if jump is None:
        return
    if not sys.stdin.isatty():
        raise InputError(f"{path}: {jump.in_words()}; if that is meant, add --yes")
    question = f"{path}: {jump.in_words()}.\nRun all the same? [y/N]: "
    print(question, end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise typer.Abort


def check_contacts(path: Path, given: Sequence[ContactRange], config: Config) -> None:
    """Name the ids and ranges that no contact has; raise AlmanacError if none has any."""
    with FileDatabase(path).open() as source:
        unknown = without_ids(Snapshot(source).contact_ids(config.contacts), given)
    if not unknown:
        return
    names = listed([str(a) if a == b else f"{a}-{b}" for a, b in unknown], NAMED)
    text = f"--contacts: {path} has no contact {names}"
    if len(unknown) == len(given):
        raise AlmanacError(f"{text}; nothing is left to plan")
    warned(text)
