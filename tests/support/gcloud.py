"""The commands and options of the Google Cloud CLI, by its own list for completion."""

from __future__ import annotations

import runpy
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest


def gcloud_tree() -> dict[str, Any]:
    """Return the CLI's own list of its commands and options; skips where it is not."""
    program = shutil.which("gcloud")
    path = (
        Path(program).resolve().parents[1] / "data" / "cli" / "gcloud_completions.py"
        if program
        else None
    )
    if path is None or not path.is_file():
        pytest.skip("the Google Cloud CLI is not here")
    tree: dict[str, Any] = runpy.run_path(str(path))["STATIC_COMPLETION_CLI_TREE"]
    return tree


def wrong_calls(calls: Iterable[Sequence[str]]) -> list[tuple[list[str], list[str]]]:
    """Return each call (without the word gcloud) that does not exist, with its unknown options."""
    tree, wrong = gcloud_tree(), []
    for call in calls:
        node, words, flags = tree, list(call), set(tree["flags"])
        while words and words[0] in node["commands"]:
            node = node["commands"][words.pop(0)]
            flags |= set(node["flags"])
        options = [word.partition("=")[0] for word in words if word.startswith("--")]
        if node["commands"] or not set(options) <= flags:
            wrong.append((list(call), [each for each in options if each not in flags]))
    return wrong
