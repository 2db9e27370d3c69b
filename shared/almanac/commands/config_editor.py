"""A configuration in the user's editor."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import typer

from almanac.config import load_config
from almanac.environment import editor
from almanac.errors import ConfigError, InputError
from almanac.workspaces import workspace


def edited(text: str, name: str) -> str:
    """Return the text as it was saved in the editor; it is a valid configuration.

    name: what errors call the configuration. After a mistake the editor opens again if the user
    wants it, without a terminal not. Raises ConfigError for a mistake, InputError without an
    editor.
    """
    command = editor()
    if not command:
        raise InputError("EDITOR: is not set; expected the command of an editor, such as nano")
    with workspace() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(text, "utf-8")
        while True:
            _open(command, file)
            octets = file.read_bytes()
            try:
                load_config(octets, name)
                return octets.decode("utf-8-sig")
            except ConfigError as error:
                if not _again(error):
                    raise ConfigError(f"{error}\n{name}: nothing was written") from error


def _open(command: str, file: Path) -> None:
    try:
        done = subprocess.run([*shlex.split(command), str(file)], check=False)
    except (OSError, ValueError) as error:
        raise InputError(f"EDITOR: {command!r} cannot be started: {error}") from None
    if done.returncode != 0:
        raise InputError(f"EDITOR: {command!r} ended with {done.returncode}; nothing was written")


def _again(error: ConfigError) -> bool:
    """Show the mistakes, and return whether the user wants to edit again."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(error, file=sys.stderr)
    return typer.confirm("Edit again?", default=True, err=True)
