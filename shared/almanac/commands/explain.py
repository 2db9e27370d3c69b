"""`almanac explain`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from almanac.commands.arguments import read_config, read_date, read_datetime
from almanac.commands.endings import OK
from almanac.commands.progress import progress_bars
from almanac.errors import InputError
from almanac.report.text import console_for


@dataclass(frozen=True)
class ExplainArguments:
    """What the command line said."""

    database: Path | None
    org: str | None
    store: str | None
    contact: int | None
    email: str | None
    on: str | None
    email_type: str | None
    as_of: str | None
    now: str | None
    config: Path | None
    as_json: bool


def explain(arguments: ExplainArguments) -> int:
    """Prints an explanation."""
    from almanac.commands.place import place_of
    from almanac.explain.explain import Question, explain_contact
    from almanac.explain.text import print_explanation

    who = arguments.contact if arguments.email is None else arguments.email
    if who is None or (arguments.contact is not None and arguments.email is not None):
        found = "none" if who is None else "both"
        raise InputError(f"--contact ID or --email ADDRESS: expected one of them, found {found}")
    if arguments.email_type is not None and arguments.on is None:
        raise InputError("--type goes with --on DATE: it chooses the message that the day is for")
    question = Question(
        config=read_config(arguments.config) if arguments.config else None,
        as_of=read_date(arguments.as_of) if arguments.as_of else None,
        now=read_datetime(arguments.now) if arguments.now else None,
        on=read_date(arguments.on, "--on") if arguments.on else None,
        email_type=arguments.email_type,
    )
    place = place_of(arguments.database, arguments.org, arguments.store)
    with progress_bars() as progress:
        progress("look", 0, 1)
        explained = explain_contact(place, who, question)
    if arguments.as_json:
        print(explained.model_dump_json())
    else:
        print_explanation(console_for(sys.stdout), explained)
    return OK
