"""Read a program: its files, what they define, who calls whom, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts.flow.calls import Calls
from scripts.flow.entries import entries_of
from scripts.flow.files import read_files, title_of
from scripts.flow.findings import implementations, import_cycles, imports_of, recursive, uncalled
from scripts.flow.model import Flow
from scripts.flow.structure import read_module
from scripts.flow.symbols import Symbols


def read_flow(paths: Sequence[Path]) -> Flow:
    """Return the program below the paths. Raises FlowError if there is none."""
    problems: list[str] = []
    modules = {each.name: read_module(each) for each in read_files(paths, problems)}
    symbols = Symbols(modules)
    calls = Calls(symbols)
    links = set(implementations(symbols, calls.inference))
    imports = imports_of(modules)
    cycles = import_cycles(imports)
    problems += [f"modules import each other: {', '.join(group)}" for group in cycles]
    entries = entries_of(symbols)
    return Flow(
        title=title_of(paths),
        modules=modules,
        calls=sorted(calls.found | links),
        imports=imports,
        entries=entries,
        recursive=recursive(calls.found),
        import_cycles=cycles,
        uncalled=uncalled(symbols, calls, links, entries),
        problems=problems,
        resolved=calls.resolved,
        unresolved=calls.unresolved,
    )
