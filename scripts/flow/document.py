"""flow.json: all that was read, for the page and for other programs. docs/flow.md describes it."""

from __future__ import annotations

from typing import Any

from scripts.flow.model import Flow, Function, Module

FORMAT = 1
AMBER, RED = 5, 10  # complexity above which a function is marked


def document_of(flow: Flow) -> dict[str, Any]:
    """Return the program as JSON values."""
    group = {each: number for number, those in enumerate(flow.recursive) for each in those}
    return {
        "format": FORMAT,
        "title": flow.title,
        "modules": [_module(each, flow) for each in flow.modules.values()],
        "functions": [
            _function(each, module, group, flow)
            for module in flow.modules.values()
            for each in module.functions
        ],
        "calls": [
            [each.caller, each.callee, each.kind, each.line, each.key] for each in flow.calls
        ],
        "entries": [vars(each) for each in flow.entries],
        "recursive": flow.recursive,
        "import_cycles": flow.import_cycles,
        "problems": flow.problems,
        "calls_resolved": flow.resolved,
        "calls_unresolved": flow.unresolved,
    }


def level_of(complexity: int) -> str:
    return "red" if complexity > RED else "amber" if complexity > AMBER else "green"


def _module(module: Module, flow: Flow) -> dict[str, Any]:
    source = module.source
    return {
        "id": source.name,
        "room": source.room,
        "file": source.shown,
        "text": module.text,
        "lines": source.text.count("\n") + 1,
        "imports": flow.imports[source.name],
        "classes": [
            {"name": each.name, "line": each.line, "bases": each.bases, "text": each.text}
            for each in module.classes
        ],
    }


def _function(
    function: Function, module: Module, group: dict[str, int], flow: Flow
) -> dict[str, Any]:
    said = function.documentation
    lines = module.source.text.splitlines()[function.line - 1 : function.end]
    found: dict[str, Any] = {
        "id": function.id,
        "module": function.module,
        "name": function.name,
        "class": function.owner,
        "line": function.line,
        "end": function.end,
        "signature": function.signature,
        "parameters": [
            {key: value for key, value in vars(each).items() if value}
            for each in function.parameters
        ],
        "return_type": function.returns,
        "decorators": function.decorators,
        "text": said.text,
        "returns": said.returns,
        "raises": said.raises,
        "examples": said.examples,
        "deprecated": said.deprecated,
        "complexity": function.complexity,
        "recursive": group.get(function.id),
        "uncalled": function.id in flow.uncalled,
        "source": "\n".join(lines),
    }
    return {key: value for key, value in found.items() if value not in ("", (), [], None, False)}
