"""The command line of `almanac request`. Like all commands, these import late what they need."""

from __future__ import annotations

from typing import Annotated

import typer

from almanac.commands.options import AsJson

app = typer.Typer(
    name="request",
    short_help="Ask for a run, or a change of a campaign.",
    help="Ask the functions in the cloud for a run, or for a change of a campaign.",
    epilog="The request is published in the project ALMANAC_PROJECT, to a topic whose name begins "
    "with ALMANAC_TOPIC_PREFIX. Start with: almanac request run --org 206.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.command(
    short_help="Ask for a run.", epilog="Example: almanac request run --org 206 --as-of 2026-11-21"
)
def run(
    org: Annotated[
        str | None, typer.Option(metavar="ORG", help="Only this organization, else all.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="The day to plan on; today.")
    ] = None,
    reason: Annotated[
        str,
        typer.Option(
            metavar="daily|manual", help="daily: the day's one run, if it is not done yet."
        ),
    ] = "manual",
    force: Annotated[
        bool, typer.Option("--force", help="Plan again what has been planned already.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Ask for a run over all contacts of an organization, or of every organization."""
    from almanac.commands import request as command

    return command.run(org, as_of, reason, force, as_json)


@app.command(
    short_help="Ask for a change of a campaign.",
    epilog="Example: almanac request change --org 206 --instance 7 "
    "--set active_end_date=2026-12-31",
)
def change(
    org: Annotated[str, typer.Option(metavar="ORG", help="The organization's id.")],
    instance: Annotated[int, typer.Option(min=0, metavar="ID", help="The campaign instance's id.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="A field's new value, none behind the sign to clear it; any number of times.",
        ),
    ] = None,
    event_id: Annotated[
        str | None,
        typer.Option(
            "--event-id", metavar="ID", help="A change of the same id is done once; a new one."
        ),
    ] = None,
    changed_by: Annotated[
        str | None, typer.Option("--changed-by", metavar="WHO", help="For the log of changes.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Ask for a change of a campaign instance, and for a plan of the contacts that it affects.

    Without --set only these contacts are planned anew: the change is in the database already.
    """
    from almanac.commands import request as command

    return command.change(org, instance, settings or [], event_id, changed_by, as_json)
