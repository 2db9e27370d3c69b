"""What keeps the code easy to find one's way in: short files and functions, a name for one class,
and one place for the status of planned rows."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES, FUNCTION_LINES = 300, 60
TEXTS = {
    path: path.read_text(encoding="utf-8")
    for folder in ("shared", "functions")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


@pytest.fixture(scope="module")
def nodes() -> dict[Path, list[ast.stmt]]:
    """The statements of each file, at every depth."""
    return {path: list(_statements(ast.parse(text).body)) for path, text in TEXTS.items()}


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(statement, name, []))


def test_no_file_is_longer_than_a_reader_takes_in() -> None:
    assert len(TEXTS) > 100
    lines = {path: text.count("\n") for path, text in TEXTS.items()}
    assert {path: size for path, size in lines.items() if size > FILE_LINES} == {}


def test_no_function_is_longer_than_a_screen(nodes: dict[Path, list[ast.stmt]]) -> None:
    lengths = {
        (path, node.name): (node.end_lineno or node.lineno) - node.lineno + 1
        for path, found in nodes.items()
        for node in found
        if isinstance(node, ast.FunctionDef)
    }
    assert len(lengths) > 1000
    assert {name: size for name, size in lengths.items() if size > FUNCTION_LINES} == {}


def test_no_two_classes_have_one_name(nodes: dict[Path, list[ast.stmt]]) -> None:
    places = defaultdict(list)
    for path, found in nodes.items():
        for node in found:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(path)
    assert len(places) > 100
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_the_status_of_planned_rows_is_spelled_out_in_one_module() -> None:
    spelled = [path.name for path, text in TEXTS.items() if "pre-scheduled" in text]
    assert spelled == ["schedule_status.py"]
