"""The diagrams of docs/architecture.md, and how they are made."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.flow.architecture import folders, imports_of, modules, with_diagrams
from scripts.flow.command import OK, WRONG, main
from tests.support.flow_program import write_program

OLD = "the text before"
ROOT = Path(__file__).parents[2]
BLOCKS = "\n".join(
    f"<!-- {name}: made by make diagrams -->\n{OLD}\n<!-- end of {name} -->"
    for name in ("folders", "modules")
)


def test_the_diagrams_of_the_architecture_are_those_of_the_program() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    is_new = with_diagrams(text, ROOT / "shared/almanac") == text
    assert is_new, "the diagrams of docs/architecture.md are out of date: run make diagrams"


def test_a_link_that_follows_from_others_is_left_out() -> None:
    imports = {"a.one": {"b.two", "c.three"}, "b.two": {"c.three"}, "c.three": set[str]()}
    drawn = folders(imports)
    assert "a --> b" in drawn
    assert "b --> c" in drawn
    assert "a --> c" not in drawn


def test_modules_that_import_each_other_are_drawn_too() -> None:
    imports = {"a.one": {"a.two"}, "a.two": {"a.one"}, "a.three": {"a.one"}, "a.four": set[str]()}
    assert "<summary>a/</summary>" in modules(imports)
    assert "one --> two" in modules(imports)


def test_only_the_marked_blocks_of_a_document_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = write_program(tmp_path)
    assert "stock.shelf" in imports_of(package)["steps"]
    document = tmp_path / "page.md"
    document.write_text(f"before\n{BLOCKS}\nafter\n")
    assert main([str(package), "--diagrams", str(document)]) == OK
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert OLD not in text
    document.write_text("nothing")
    assert main([str(package), "--diagrams", str(document)]) == WRONG
    assert "no single pair" in capsys.readouterr().err
    assert main([str(tmp_path / "gone"), "--diagrams", str(document)]) == WRONG
    assert "there is no such folder" in capsys.readouterr().err
