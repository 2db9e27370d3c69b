"""The page: one HTML file with the program, its script and Cytoscape.js in it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_SCRIPTS = ("program", "source", "detail", "lists", "map", "trace", "start")


def write_page(file: Path, document: dict[str, Any]) -> None:
    """Write the page of a program that `document_of` describes."""
    packed = gzip.compress(json.dumps(document, separators=(",", ":")).encode(), 6, mtime=0)
    library = (_HERE / "vendor" / "cytoscape.min.js").read_text(encoding="utf-8")
    script = "\n".join(_text(f"{name}.js") for name in _SCRIPTS)
    values = {
        "title": escape(str(document["title"])),
        "hashes": " ".join(map(_hash, (library, script))),
        "style": _text("style.css"),
        "data": base64.b64encode(packed).decode(),
        "library": library,
        "script": script,
    }
    file.write_text("".join(_filled(_text("index.html"), values)), encoding="utf-8", newline="\n")


def _text(name: str) -> str:
    return (_HERE / "page" / name).read_text(encoding="utf-8")


def _filled(template: str, values: dict[str, str]) -> Iterator[str]:
    """Yield the template with each {{ name }} replaced; values are not looked into."""
    head, *rest = template.split("{{ ")
    yield head
    for part in rest:
        name, _, text = part.partition(" }}")
        yield values[name]
        yield text


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
