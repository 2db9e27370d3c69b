"""What follows from the calls: implementations, recursion, cycles of imports, no callers."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

import networkx as nx

from scripts.flow.calls import Calls
from scripts.flow.inference import Inference
from scripts.flow.model import Call, Class, Entry, Function, Module
from scripts.flow.symbols import Symbols, imported_by, statements

_PLAIN = (
    "property",
    "staticmethod",
    "classmethod",
    "contextmanager",
    "cache",
    "overload",
    "wraps",
    "abstractmethod",
    "override",
    "setter",
)  # decorators that register nothing
_CLOSED = {
    "object",
    "ABC",
    "Protocol",
    "Enum",
    "IntEnum",
    "StrEnum",
    "NamedTuple",
    "Generic",
    "Exception",
    "TypedDict",
}  # bases that call no method by itself


def implementations(symbols: Symbols, inference: Inference) -> Iterator[Call]:
    """Yield a link from each method to those that stand in for it: of subclasses and protocols."""
    classes = list(symbols.classes.values())
    protocols = {each.path: _methods(each, symbols) for each in classes if _is_protocol(each)}
    for cls in classes:
        bases = inference.bases(cls)[1:]
        mine = _methods(cls, symbols)
        for path, wanted in protocols.items():
            if path != cls.path and wanted and wanted.keys() <= mine.keys():
                bases.append(symbols.classes[path])
        for base in bases:
            for name, method in _methods(base, symbols).items():
                if name in mine:
                    yield Call(method.id, mine[name].id, "implements", mine[name].line)


def _is_protocol(cls: Class) -> bool:
    return any(each.rpartition(".")[2].startswith("Protocol") for each in cls.bases)


def _methods(cls: Class, symbols: Symbols) -> dict[str, Function]:
    return {
        each.name: symbols.functions[f"{cls.path}.{each.name}"]
        for each in cls.node.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        and not (each.name.startswith("__") and each.name != "__call__")
        and f"{cls.path}.{each.name}" in symbols.functions
    }


def recursive(calls: Iterable[Call]) -> list[tuple[str, ...]]:
    """Return the groups of functions that call themselves or each other."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from((each.caller, each.callee) for each in calls if each.kind == "call")
    return _groups(graph)


def import_cycles(imports: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Return the groups of modules that import each other while they load."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from((name, each) for name, those in imports.items() for each in those)
    return _groups(graph)


def _groups(graph: nx.DiGraph[str]) -> list[tuple[str, ...]]:
    found = [
        tuple(sorted(group))
        for group in nx.strongly_connected_components(graph)
        if len(group) > 1 or any(graph.has_edge(each, each) for each in group)
    ]
    return sorted(found, key=lambda group: (-len(group), group))


def imports_of(modules: Mapping[str, Module]) -> dict[str, tuple[str, ...]]:
    """Return the modules of the program that each one imports while it loads."""
    found: dict[str, tuple[str, ...]] = {}
    for name, module in modules.items():
        targets: set[str] = set()
        for node in statements(_executed(module.source.tree.body)):
            bound = [path for _, path in imported_by(node, module)]
            if isinstance(node, ast.Import):
                bound = [each.name for each in node.names]
            for path in bound:
                targets |= {path} & modules.keys() or {path.rpartition(".")[0]} & modules.keys()
        found[name] = tuple(sorted(targets - {name}))
    return found


def _executed(body: list[ast.stmt]) -> list[ast.stmt]:
    """Leave out what is imported for type checkers only."""
    return [
        each
        for each in body
        if not (isinstance(each, ast.If) and "TYPE_CHECKING" in ast.unparse(each.test))
    ]


def uncalled(
    symbols: Symbols, calls: Calls, links: Iterable[Call], entries: list[Entry]
) -> set[str]:
    """Return the functions that nothing in what was read can call.

    A method counts as called if an attribute of its name is used on something of unknown type, or
    if its class has a base outside of what was read.
    """
    implemented = {each.callee for each in links}
    reached = {each.callee for each in calls.found if each.callee != each.caller}
    reached |= calls.used | implemented | {each.function for each in entries}
    return {
        each.id
        for each in symbols.functions.values()
        if each.id not in reached and not _may_be_called(each, symbols, calls)
    }


def _may_be_called(function: Function, symbols: Symbols, calls: Calls) -> bool:
    name = function.name.rpartition(".")[2]
    if name.startswith("__") and name.endswith("__"):
        return True
    if any(not any(each in d for each in _PLAIN) for d in function.decorators):
        return True
    if not function.owner:
        return False
    if name in calls.unknown_names:
        return True
    cls = symbols.classes.get(f"{function.module}.{function.owner}")
    known = calls.inference.bases(cls) if cls else []
    return any(
        symbols.path_of(base, each.module) not in symbols.classes
        and ast.unparse(base).split("[")[0].rpartition(".")[2] not in _CLOSED
        for each in known
        for base in each.node.bases
    )
