"""docs/operations.md and the commands on it."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")


def blocks() -> list[str]:
    """The blocks of commands, in order."""
    found = re.findall(r"^( *)```sh\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]
