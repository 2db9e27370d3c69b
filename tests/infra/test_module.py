"""infra/ is a module that others may use: no backend, and tables of its inputs and outputs."""

from __future__ import annotations

import re

from scripts import infra_inputs
from tests.support.terraform import INFRA, MODULES, TEXT, blocks

MAKEFILE = (INFRA.parent / "Makefile").read_text("utf-8")


def test_the_module_names_no_backend() -> None:
    assert not re.search(r"^ *backend ", TEXT, re.MULTILINE)
    assert 'backend "gcs"' in MAKEFILE
    ignored = (INFRA.parent / ".gitignore").read_text("utf-8").splitlines()
    assert "/infra/backend_override.tf" in ignored


def test_the_tables_of_inputs_and_outputs_are_those_of_the_terraform() -> None:
    assert infra_inputs.PAGE.read_text("utf-8") == infra_inputs.page(), (
        "run python scripts/infra_inputs.py"
    )
    for name in blocks("variable"):
        assert f"| `{name}` |" in infra_inputs.page()


def test_every_input_and_output_says_what_it_is() -> None:
    assert " |  |\n" not in infra_inputs.page()


def test_inputs_that_both_modules_for_functions_have_are_the_same() -> None:
    http, pubsub = (
        blocks("variable", (MODULES / module / "variables.tf").read_text("utf-8"))
        for module in ("http_function", "pubsub_function")
    )
    common = (http.keys() & pubsub.keys()) - {"function"}  # the names of subscriptions are checked
    assert {name: http[name] for name in common} == {name: pubsub[name] for name in common}
    assert len(common) > 10
