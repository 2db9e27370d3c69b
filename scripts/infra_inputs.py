"""The tables of inputs and outputs of infra/ and its modules, from their variables and outputs.

    python scripts/infra_inputs.py        (writes infra/inputs.md)

A test compares the file with this output.
"""

from __future__ import annotations

import re
from pathlib import Path

INFRA = Path(__file__).resolve().parent.parent / "infra"
PAGE = INFRA / "inputs.md"


def blocks(kind: str, path: Path) -> list[tuple[str, str]]:
    """Return name and body of each variable or output of the file, by name."""
    text = path.read_text("utf-8")
    return sorted(re.findall(rf'^{kind} "(\w+)" {{\n(.*?)^}}', text, re.MULTILINE | re.DOTALL))


def argument(body: str, name: str) -> str:
    """Return the text of an argument on one line, empty if there is none."""
    found = re.search(rf"^  {name} += (.*(?:\n(?:   .*|  [}}\])]+))*)", body, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def in_cell(text: str) -> str:
    return text.strip('"').replace("|", "\\|").replace('\\"', '"')


def tables(folder: Path) -> str:
    """Return the tables of one module in Markdown."""
    lines = ["| input | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, body in blocks("variable", folder / "variables.tf"):
        default = argument(body, "default")
        kind = argument(body, "type").partition("(")[0]
        shown = f"`{default}`" if default else "required"
        lines.append(f"| `{name}` | {kind} | {shown} | {in_cell(argument(body, 'description'))} |")
    lines += ["", "| output | meaning |", "| --- | --- |"]
    lines += [
        f"| `{name}` | {in_cell(argument(body, 'description'))} |"
        for name, body in blocks("output", folder / "outputs.tf")
    ]
    return "\n".join(lines)


def page() -> str:
    """Return the whole page."""
    parts = [
        "# Inputs and outputs",
        "Written by `python scripts/infra_inputs.py` from the Terraform; "
        "[README.md](README.md#variables) has the inputs in their order, with what they are for.",
        "## The installation",
        tables(INFRA),
    ]
    for folder in sorted((INFRA / "modules").iterdir()):
        parts += [f"## modules/{folder.name}", tables(folder)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
