"""`almanac completion`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typer._completion_shared import get_completion_script

from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app

app = new_app()


class Shell(StrEnum):
    """A shell that can ask `almanac` what may follow."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command(
    epilog='Example: almanac completion bash\n\nIn ~/.bashrc: eval "$(almanac completion bash)". '
    'In ~/.zshrc, after compinit: eval "$(almanac completion zsh)". Once for fish: almanac '
    "completion fish > ~/.config/fish/completions/almanac.fish",
)
def completion(
    shell: Annotated[
        Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", show_default=False)
    ],
) -> int:
    """Print the script that completes commands and options of almanac in a shell.

    The script calls almanac for what may follow, so it never has to be made again. Where that is a
    file, the shell completes names of files.
    """
    name = "almanac"
    script = get_completion_script(
        prog_name=name, complete_var=f"_{name.upper()}_COMPLETE", shell=shell.value
    )
    print(script)
    return OK
