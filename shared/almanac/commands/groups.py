"""The group `almanac`, which imports the module of a command when the command is called.

Its help needs only the names and short texts, so `almanac --help` imports no command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer._click.shell_completion import CompletionItem
from typer._completion_classes import completion_init
from typer.core import TyperCommand, TyperGroup


class CommandEntry(NamedTuple):
    """A command or a group of commands of `almanac`."""

    module: str  # in almanac.commands; its `app` has the command
    short_help: str


def new_app(**settings: Any) -> typer.Typer:
    """Return the Typer app of a module of commands, with plain text for help."""
    return typer.Typer(rich_markup_mode=None, add_completion=False, **settings)


class LazyGroup(TyperGroup):
    """A group of commands that are imported when they are looked up, listed as in `entries`.

    options: a function whose parameters declare the group's own options.
    """

    def __init__(
        self,
        entries: Mapping[str, CommandEntry],
        options: Callable[..., None],
        **settings: Any,
    ) -> None:
        declared = new_app()
        declared.callback()(options)
        params = typer.main.get_group(declared).params
        super().__init__(rich_markup_mode=None, params=params, **settings)
        self._entries = entries
        self.commands: Any = _LazyCommands(entries)
        completion_init()  # the answers to a shell, which `almanac completion` sets up

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the entries."""
        return list(self._entries)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[CompletionItem]:
        """Return what may follow; the names of commands come from the entries alone."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=each.short_help)
            for name, each in self._entries.items()
            if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.short_help) for name, each in self._entries.items()])


class _LazyCommands(Mapping[str, TyperCommand | TyperGroup]):
    """Commands by name."""

    def __init__(self, entries: Mapping[str, CommandEntry]) -> None:
        self._entries = entries

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        return _load(self._entries[name].module, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@cache
def _load(module: str, name: str) -> TyperCommand | TyperGroup:
    """Import a command; a module may have several, or a group of the name."""
    found: Any = typer.main.get_command(import_module(f"almanac.commands.{module}").app)
    if isinstance(found, TyperGroup) and found.name != name:
        found = found.commands[name]
    assert isinstance(found, TyperCommand | TyperGroup)
    return found
