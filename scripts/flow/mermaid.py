"""Mermaid diagrams: of a module, its functions and whom they call; of a capability, its modules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from scripts.flow.document import level_of
from scripts.flow.model import Flow

MOST = 60  # links in a diagram: more is a ball of wool

_STYLES = (
    "  classDef red stroke:#c00000,stroke-width:3px",
    "  classDef amber stroke:#c07000,stroke-width:2px",
)


def module_diagrams(flow: Flow) -> dict[str, str]:
    """Return a diagram for each module that has functions, by its name."""
    calls: dict[str, list[tuple[str, str]]] = {}
    for call in flow.calls:
        calls.setdefault(call.caller.partition(":")[0], []).append((call.caller, call.callee))
    return {
        name: _module_diagram(name, flow, calls.get(name, []))
        for name, module in flow.modules.items()
        if module.functions
    }


def _module_diagram(name: str, flow: Flow, calls: list[tuple[str, str]]) -> str:
    lines = ["flowchart LR", f'  subgraph {_id(name)}["{name}"]']
    styled: list[str] = []
    for function in flow.modules[name].functions:
        lines.append(f'    {_id(function.id)}["{function.name}"]')
        if (level := level_of(function.complexity)) != "green":
            styled.append(f"  class {_id(function.id)} {level}")
    lines.append("  end")
    for caller, callee in _most(calls):
        module, _, function_name = callee.partition(":")
        end = _id(callee) if module == name else f'{_id(callee)}("{module}<br>{function_name}")'
        lines.append(f"  {_id(caller)} --> {end}")
    return "\n".join([*lines, *_STYLES, *styled]) + "\n"


def room_diagrams(flow: Flow) -> dict[str, str]:
    """Return a diagram for each folder: its modules, and the folders that they call."""
    room = {name: module.source.room for name, module in flow.modules.items()}
    links: dict[str, list[tuple[str, str]]] = {each: [] for each in sorted(set(room.values()))}
    for call in flow.calls:
        caller, callee = (each.partition(":")[0] for each in (call.caller, call.callee))
        here = room[caller]
        if caller != callee and call.kind != "implements":
            target = callee if room[callee] == here else f"{room[callee]}/"
            links[here].append((caller, target))
    return {each: room_diagram(each, pairs) for each, pairs in links.items() if pairs}


def room_diagram(room: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return a diagram of links between modules; a target that ends in "/" is another folder."""
    chosen = _most(pairs)
    inside = sorted({name for pair in chosen for name in pair if not name.endswith("/")})
    lines = ["flowchart LR", f'  subgraph {_id(room)}["{room}"]']
    lines += [f'    {_id(each)}["{each.rpartition(".")[2]}"]' for each in inside]
    lines.append("  end")
    for caller, target in chosen:
        end = f'{_id(target)}(["{target}"])' if target.endswith("/") else _id(target)
        lines.append(f"  {_id(caller)} --> {end}")
    return "\n".join(lines) + "\n"


def _most(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return each pair once, the most frequent ones if there are too many."""
    counted: Mapping[tuple[str, str], int] = Counter(pairs)
    return sorted(sorted(counted, key=lambda each: (-counted[each], each))[:MOST])


def _id(name: str) -> str:
    return re.sub(r"\W", "_", name) + ("_" if name.endswith("end") else "")
