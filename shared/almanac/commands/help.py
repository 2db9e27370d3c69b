"""`almanac help`."""

from __future__ import annotations

from typing import Annotated

import typer

from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app

app = new_app()


@app.command("help", epilog="Example: almanac help campaign add")
def show_help(
    context: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]...", help="The command.", show_default=False),
    ] = None,
) -> int:
    """Show the help of a command, as its option --help does; without one, that of almanac."""
    root = context.find_root()
    words = [*(command or []), "--help"]
    root.command.main(words, prog_name=root.info_name, standalone_mode=False)
    return OK
