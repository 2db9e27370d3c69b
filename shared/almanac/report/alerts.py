"""What an operator must see first: values that almost no contact has in a form that can be read."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.text import Text

from almanac.report.lines import UNKNOWN
from almanac.report.text import paragraph, shown

NO_STATE = (
    "the state of no contact can be read, neither from the column state nor from the ZIP code, so "
    "that no state's rule protects any contact"
)
_LOST = {
    "birth_date": "no birthday message, and no window that is counted from it",
    "effective_date": "no message of the policy's anniversary, and no window that is counted from "
    "it",
}


def alerts(
    states: Mapping[str, int],
    any_rule: bool,
    issues: Mapping[str, int],
    dates_given: Mapping[str, int],
) -> list[str]:
    """Return what cannot be read of all or of most contacts, in sentences without a full stop.

    states: contacts that can get messages, by USPS code or UNKNOWN. any_rule: whether
    any state has a rule. issues: contacts by kind. dates_given: active contacts by the column that
    is not empty.
    """
    found = []
    if any_rule and states.get(UNKNOWN) and sum(states.values()) == states[UNKNOWN]:
        found.append(NO_STATE)
    for column, lost in _LOST.items():
        given, odd = dates_given.get(column, 0), issues.get(f"invalid_{column}", 0)
        if 2 * odd > given:
            name = column.replace("_", " ")
            found.append(
                f"{odd:,} of {given:,} {name}s cannot be read: expected YYYY-MM-DD, from 1901 on; "
                f"without one a contact has {lost}"
            )
    return found


def likely_in_words(likely: Mapping[str, str]) -> list[str]:
    """Return a sentence without a full stop for each likely column, as
    `almanac.database.likely_columns` finds them."""
    return [
        f"no contact has a value of {name}; there is `{column}`: map it to {name}"
        for name, column in likely.items()
    ]


def print_warnings(
    console: Console, lines: Iterable[str], likely: Mapping[str, str], named: str
) -> None:
    """Print warnings, and likely columns with the commands that map them.

    named: the arguments that name the database in a command.
    """
    for line in lines:
        paragraph(console, f"Warning: {line}", indent=0, style="bold")
    for line, (name, column) in zip(likely_in_words(likely), likely.items(), strict=True):
        paragraph(console, f"Warning: {line}:", indent=0, style="bold")
        # so that the command stays on one line
        command = mapping_command(named, name, column)
        console.print(Text(f"  {shown(command)}"), soft_wrap=True)


def mapping_command(database: str, name: str, column: str) -> str:
    """Return the command that maps a column of contacts to Almanac's name for it."""
    return f"almanac config set {database} " + shlex.quote(f"contacts.columns.{name}={column}")
