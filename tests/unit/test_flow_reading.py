"""What `python scripts/flow` reads of a program: a tiny package in a temporary folder."""

from __future__ import annotations

import pytest

from scripts.flow.document import document_of
from scripts.flow.mermaid import module_diagrams, room_diagrams
from scripts.flow.model import Flow, Function
from scripts.flow.reading import read_flow
from tests.support.flow_program import write_program


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return read_flow([write_program(tmp_path_factory.mktemp("flow"))])


def function(flow: Flow, name: str) -> Function:
    return next(each for each in flow.functions() if each.id == name)


@pytest.mark.parametrize(
    ("caller", "callee", "kind"),
    [
        ("tiny.steps:by_hand", "tiny.steps:by_hand", "call"),
        ("tiny.steps:by_hand", "tiny.stock.shelf:Shelf.take", "call"),
        ("tiny.steps:by_hand", "tiny.stock.shelf:Shelf.label", "call"),
        ("tiny.steps:by_hand", "tiny.stock.shelf:Label.text", "call"),
        ("tiny.steps:by_hand", "tiny.steps:rank", "passed"),
        ("tiny.main:main", "tiny.steps:by_hand", "table"),
        ("tiny.stock.shelf:Shelf.take", "tiny.stock.shelf:Store.read", "call"),
        ("tiny.stock.shelf:Store.read", "tiny.stock.shelf:Folder.read", "implements"),
    ],
)
def test_a_call_is_found_by_the_type_of_its_receiver(
    flow: Flow, caller: str, callee: str, kind: str
) -> None:
    assert (caller, callee, kind) in {(each.caller, each.callee, each.kind) for each in flow.calls}


def test_a_docstring_is_read_in_our_style_and_in_googles(flow: Flow) -> None:
    take = function(flow, "tiny.stock.shelf:Shelf.take")
    assert [(each.name, each.type, each.default, each.text) for each in take.parameters] == [
        ("count", "int", "1", "how many, at least 1")
    ]
    assert take.documentation.raises == (("ValueError", "if there are none"),)
    by_hand = function(flow, "tiny.steps:by_hand")
    assert [each.text for each in by_hand.parameters] == ["The shelf to take from.", "How deep."]
    assert by_hand.documentation.returns == "Nothing at all."


def test_it_finds_entries_recursion_and_what_has_no_caller(flow: Flow) -> None:
    assert [(each.kind, each.function) for each in flow.entries] == [("main", "tiny.main:main")]
    assert flow.recursive == [("tiny.steps:by_hand",)]
    assert flow.uncalled == {"tiny.steps:forgotten"}
    assert function(flow, "tiny.steps:by_hand").complexity == 5


def test_a_file_that_does_not_parse_costs_that_file_and_a_cycle_is_named(flow: Flow) -> None:
    assert flow.problems == [
        "tiny/broken.py: left out, it does not parse (line 1: invalid syntax)",
        "modules import each other: tiny.left, tiny.right",
    ]
    assert "tiny.broken" not in flow.modules


def test_diagrams_have_the_functions_of_a_module_and_the_modules_of_a_folder(flow: Flow) -> None:
    steps = module_diagrams(flow)["tiny.steps"]
    assert 'tiny_steps_by_hand --> tiny_stock_shelf_Shelf_take("tiny.stock.shelf<br>' in steps
    assert "tiny_main --> tiny_steps\n" in room_diagrams(flow)["tiny"]
    assert 'tiny_steps --> tiny_stock_(["tiny/stock/"])' in room_diagrams(flow)["tiny"]


def test_the_document_has_what_the_page_shows(flow: Flow) -> None:
    found = {each["id"]: each for each in document_of(flow)["functions"]}
    assert found["tiny.steps:forgotten"]["uncalled"] is True
    assert found["tiny.steps:rank"]["source"].startswith("def rank(value: int) -> int:")
