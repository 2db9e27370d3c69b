"""The diagrams of a document: how folders depend on each other, and the main modules of each.

They are of imports, which are read from their lines as ruff formats them: a test that compares the
document with the program costs a tenth of a second. A link that follows from others is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import networkx as nx

from scripts.flow.model import FlowError

BEGIN, END = "<!-- {}: made by make diagrams -->", "<!-- end of {} -->"
FEWEST, MOST = 4, 8  # modules: folders with fewer need no diagram, and no diagram has more
_IMPORT = re.compile(r"^ *from ([\w.]+) import (\([^)]*\)|[^\n]+)", re.MULTILINE)

Graph = Mapping[str, set[str]]


def with_diagrams(text: str, package: Path) -> str:
    """Return the document with its marked blocks as the package is now.

    Raises FlowError if it has no such blocks.
    """
    if not package.is_dir():
        raise FlowError(f"{package}: there is no such folder")
    imports = imports_of(package)
    for name, block in (("folders", folders(imports)), ("modules", modules(imports))):
        begin, end = BEGIN.format(name), END.format(name)
        if text.count(begin) != 1 or text.count(end) != 1:
            raise FlowError(f"the document of the diagrams has no single pair of {begin} and {end}")
        before, rest = text.split(begin)
        text = f"{before}{begin}\n\n{block}\n{end}{rest.split(end)[1]}"
    return text


def write_diagrams(document: Path, package: Path) -> None:
    """Rewrite the diagrams of the document. Raises FlowError if that is not possible."""
    try:
        text = document.read_text(encoding="utf-8")
        document.write_text(with_diagrams(text, package), encoding="utf-8", newline="\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FlowError(f"{document}: cannot be read and written ({error})") from None


def imports_of(package: Path) -> dict[str, set[str]]:
    """Return the modules of the package that each one imports, named from the package."""
    files = {_name(file, package): file for file in sorted(package.rglob("*.py"))}
    return {
        name: {each for each in _imported(file.read_text("utf-8"), package.name) if each in files}
        for name, file in files.items()
    }


def _name(file: Path, package: Path) -> str:
    parts = file.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(text: str, package: str) -> Iterator[str]:
    for match in _IMPORT.finditer(text):
        first, _, inner = match[1].partition(".")
        if first == package:
            yield inner
            for name in re.findall(r"\w+", match[2]):
                yield f"{inner}.{name}".lstrip(".")


def folders(imports: Graph) -> str:
    """Return the diagram of the folders."""
    names = {each.partition(".")[0] for each in imports if "." in each}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(sorted(names))
    for name, those in imports.items():
        here = name.partition(".")[0]
        there = {each.partition(".")[0] for each in those} & names - {here}
        graph.add_edges_from((here, each) for each in there if here in names)
    return _mermaid(graph, "TD")


def modules(imports: Graph) -> str:
    """Return a diagram for each folder, folded: its modules with the most links."""
    found = []
    for folder in sorted({each.partition(".")[0] for each in imports if "." in each}):
        graph: nx.DiGraph[str] = nx.DiGraph()
        inside = [each for each in imports if each.startswith(f"{folder}.")]
        graph.add_nodes_from(inside)
        graph.add_edges_from((a, b) for a in inside for b in imports[a] if b in graph and a != b)
        chosen = sorted(sorted(graph), key=lambda each: -graph.degree(each))[:MOST]
        if len(inside) < FEWEST or not graph.edges:
            continue
        closed = nx.transitive_closure(graph).subgraph(chosen)
        named = nx.relabel_nodes(closed, {each: each.partition(".")[2] for each in chosen})
        found.append(
            f"<details><summary>{folder}/</summary>\n\n{_mermaid(named, 'LR')}\n</details>\n"
        )
    return "\n".join(found)


def _mermaid(graph: nx.DiGraph[str], direction: str) -> str:
    """Return the diagram without links that follow from others, if it has no cycle."""
    kept = nx.transitive_reduction(graph) if nx.is_directed_acyclic_graph(graph) else graph
    lines = [f"```mermaid\nflowchart {direction}"]
    lines += [f"  {_id(a)} --> {_id(b)}" for a, b in sorted(kept.edges)]
    lines += [f"  {_id(each)}" for each in sorted(kept) if not kept.degree(each)]
    return "\n".join([*lines, "```\n"])


def _id(name: str) -> str:
    plain = name.replace(".", "_")
    return name if plain == name and not name.endswith("end") else f'{plain}_["{name}"]'
