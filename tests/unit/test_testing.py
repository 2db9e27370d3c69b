"""The tests themselves: they stand alone, and docs/testing.md names one of each promise."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/testing.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)(?:\[(\w+)\])?`", PAGE)))
MODULES = sorted(path for path in (ROOT / "tests").rglob("*.py"))


@cache
def functions(path: Path) -> dict[str, list[str]]:
    """The functions of a module, each with its decorators."""
    found = (node for node in ast.parse(path.read_text("utf-8")).body)
    return {
        node.name: [ast.unparse(each) for each in node.decorator_list]
        for node in found
        if isinstance(node, ast.FunctionDef)
    }


def test_a_promise_has_the_test_that_the_page_names() -> None:
    checks = functions(ROOT / "tests/support/promises.py")
    wrong = [
        (file, name, check)
        for file, name, check in NAMED
        if "pytest.mark.slow" in functions(ROOT / file).get(name, ["pytest.mark.slow"])
        or (check and check not in checks)
    ]
    assert NAMED
    assert wrong == []


@pytest.mark.parametrize("page", ["semantics.md", "reliability.md"])
def test_every_promise_has_a_row(page: str) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    heading = {"semantics.md": "Promises", "reliability.md": "What is promised"}[page]
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    table = PAGE.split(f"| promise of [{page}]")[1].split("\n\n")[0]
    numbers = re.findall(r"^(\d+)\. ", section, re.MULTILINE)
    assert numbers
    assert re.findall(r"^\| (\d+)\. ", table, re.MULTILINE) == numbers


def test_no_test_module_imports_another() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in MODULES
        for line in path.read_text("utf-8").splitlines()
        if re.match(r"\s*(from|import) tests\S*\.test_|\s*from tests\.\S+ import .*\btest_", line)
    ]
    assert wrong == []
