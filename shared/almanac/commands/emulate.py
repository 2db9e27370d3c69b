"""`almanac emulate`: run the local cloud of the development tools, if they are installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.groups import new_app
from almanac.errors import ConfigError, NotInstalled

app = new_app()


@app.command(epilog="Example: almanac emulate --contacts 25000")
def emulate(
    contacts: Annotated[
        int, typer.Option(metavar="N", min=0, help="The number of contacts of the agency.")
    ] = 5000,
    functions: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder of the functions; that of the repository.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")
    ] = False,
    one_run: Annotated[
        bool, typer.Option("--one-run", help="Only one run, and nothing that comes in after it.")
    ] = False,
) -> int:
    """Run every function in a process of its own, with emulators of Pub/Sub and Cloud Storage.

    A generated agency is pushed as organization demo. New contacts come in over HTTP, a daily run
    plans, the day's messages go to a mail server on this machine, marks, a click and an unsubscribe
    come in over HTTP, and the next day's run plans with them. Nothing leaves this machine. It needs
    Java, Google's Pub/Sub emulator and almanac's extra cloud, and says how to install what is
    missing.
    """
    if importlib.util.find_spec("almanac_emulation") is None:
        raise ConfigError(
            "`almanac emulate` works only from a checkout of the repository: "
            "the installed package does not contain the emulators"
        )
    try:
        from almanac_emulation.demo import run_demo
    except ModuleNotFoundError as error:
        raise NotInstalled("almanac emulate", error.name) from None
    return run_demo(contacts, functions, keep, one_run)
