"""The table of the most complex functions, in the terminal and as Markdown."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from scripts.flow.document import AMBER, RED, level_of
from scripts.flow.model import Flow, Function

_SHOWN = 15


def most_complex(flow: Flow) -> list[Function]:
    """Return the functions that are marked, the most complex first."""
    marked = [each for each in flow.functions() if each.complexity > AMBER]
    return sorted(marked, key=lambda each: (-each.complexity, each.id))


def complexity_page(flow: Flow) -> str:
    """Return the table as Markdown."""
    lines = [
        f"# The most complex functions of {flow.title}",
        "",
        f"Cyclomatic complexity: red above {RED}, amber above {AMBER}.",
        "",
        "| complexity | | function | file |",
        "| --- | --- | --- | --- |",
    ]
    for each in most_complex(flow):
        place = f"{flow.modules[each.module].source.shown}:{each.line}"
        level = level_of(each.complexity)
        lines.append(f"| {each.complexity} | {level} | `{each.id}` | {place} |")
    return "\n".join(lines) + "\n"


def print_complexity(flow: Flow, console: Console) -> None:
    """Print the first lines of the table."""
    table = Table("complexity", "function", box=None, pad_edge=False)
    styles = {"red": "bold red", "amber": "yellow"}
    for each in most_complex(flow)[:_SHOWN]:
        table.add_row(str(each.complexity), each.id, style=styles[level_of(each.complexity)])
    if table.row_count:
        console.print(table)
