"""Docstrings in sections: those of Google, NumPy and Sphinx by griffe, and this project's own.

Ours are sentences: a paragraph `name: what it is` of a parameter, `Return ...` and `Raises X if`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from typing import Any

from griffe import Docstring, DocstringSectionKind

from scripts.flow.model import Documentation

logging.getLogger("griffe").setLevel(logging.CRITICAL)  # of docstrings in no style at all

_NAMED = re.compile(r"^(\w+): (.+)$", re.DOTALL)
_RAISES = re.compile(r"Raises? ((?:[A-Z]\w+(?:, | or | and )?)+)\s*([^.]*)")
_STYLED = re.compile(
    r"^\s*(?:(?:Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|"
    r"Deprecated)\b:?\s*$|:(?:param|returns?|raises|type)\b)",
    re.MULTILINE,
)
_WARNED = re.compile(r"\.\. deprecated::\s*(.*)|^(Deprecated\b.*)$", re.MULTILINE)


def read_docstring(text: str | None, parameters: Collection[str]) -> Documentation:
    """Return what the docstring says; parameters: the names that its paragraphs may explain."""
    if not text:
        return Documentation()
    if _STYLED.search(text):
        return _styled(Docstring(text))
    return _plain(text, parameters)


def _plain(text: str, parameters: Collection[str]) -> Documentation:
    named: dict[str, str] = {}
    for paragraph in text.split("\n\n"):
        for sentence in re.split(r"(?<=\.)\s+(?=\w+: )|\n(?=\w+: )", paragraph.strip()):
            match = _NAMED.match(sentence)
            if match and match[1] in parameters:
                named[match[1]] = " ".join(match[2].split())
    first = " ".join(text.split("\n\n")[0].split())
    returns = first if first.startswith(("Return ", "Yield ")) else ""
    raises = tuple((m[1].strip(" ,"), " ".join(m[2].split())) for m in _RAISES.finditer(text))
    return Documentation(text, named, returns, raises, _doctests(text), _deprecation(text))


def _doctests(text: str) -> tuple[str, ...]:
    blocks = re.findall(r"(?:^[ ]*>>> .*\n?(?:^(?!\s*$).*\n?)*)", text, re.MULTILINE)
    return tuple(block.strip() for block in blocks)


def _deprecation(text: str) -> str:
    match = _WARNED.search(text)
    return (match[1] or match[2] or "").strip() if match else ""


def _styled(docstring: Docstring) -> Documentation:
    """Return the sections that griffe finds, in whichever of the three styles it is written."""
    texts: list[str] = []
    parts: dict[str, Any] = {"parameters": {}, "returns": "", "raises": (), "examples": ()}
    deprecated = _deprecation(docstring.value)
    for section in docstring.parse("auto", method="heuristics"):
        value: Any = section.value
        match section.kind:
            case DocstringSectionKind.text:
                texts.append(value)
            case DocstringSectionKind.parameters:
                parts["parameters"] |= {each.name: each.description for each in value}
            case DocstringSectionKind.returns | DocstringSectionKind.yields:
                parts["returns"] = " ".join(each.description for each in value)
            case DocstringSectionKind.raises:
                parts["raises"] += tuple((str(each.annotation), each.description) for each in value)
            case DocstringSectionKind.examples:
                parts["examples"] += tuple(text for _, text in value)
            case DocstringSectionKind.deprecated:
                deprecated = f"{value.version} {value.description}".strip()
            case DocstringSectionKind.admonition:
                texts.append(f"{section.title}: {value.contents}")
    return Documentation("\n\n".join(texts), **parts, deprecated=deprecated)
