"""Where a program is entered: commands, functions of a cloud, scripts, routes, `__main__`."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from scripts.flow.model import Entry, Function, Module
from scripts.flow.symbols import Symbols

_COMMAND = re.compile(r"\.(command|callback)\b|^(command|group)\b")
_CLOUD = re.compile(r"\b(cloud_event|http|typed)$")
_ROUTE = re.compile(r"\.(route|get|post|put|delete|patch)\(")


def entries_of(symbols: Symbols) -> list[Entry]:
    """Return all entry points, by kind and name."""
    found: dict[tuple[str, str], Entry] = {}
    listed = [
        *_scripts(symbols),
        *(entry for m in symbols.modules.values() for entry in _decorated(m)),
        *(entry for m in symbols.modules.values() for entry in _main(m, symbols)),
    ]
    for entry in listed:
        found.setdefault((entry.kind, entry.function), entry)
    return sorted(found.values(), key=lambda each: (each.kind, each.name))


def _decorated(module: Module) -> Iterator[Entry]:
    for function in module.functions:
        for decorator in function.decorators:
            if _COMMAND.search(decorator):
                yield Entry("command", _command_name(function, decorator), function.id)
            elif _CLOUD.search(decorator):
                yield Entry("function", function.name, function.id)
            elif _ROUTE.search(decorator):
                yield Entry("route", _quoted(decorator) or function.name, function.id)


def _command_name(function: Function, decorator: str) -> str:
    group = function.module.rpartition(".")[2]
    name = _quoted(decorator.partition("epilog")[0]) or function.name.strip("_").replace("_", "-")
    return name if name == group else f"{group} {name}"


def _quoted(text: str) -> str:
    match = re.search(r"""\(['"]([^'"]+)['"]""", text)
    return match[1] if match else ""


def _main(module: Module, symbols: Symbols) -> Iterator[Entry]:
    """Yield the functions that `if __name__ == "__main__"`, or a `__main__` module, calls."""
    is_main = module.source.name.endswith("__main__")
    for statement in module.source.tree.body:
        guarded = isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)
        if not guarded and not is_main:
            continue
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for node in ast.walk(statement):
            path = (
                symbols.path_of(node.func, module.source.name)
                if isinstance(node, ast.Call)
                else None
            )
            if path in symbols.functions:
                yield Entry("main", module.source.shown, symbols.functions[path].id)


def _scripts(symbols: Symbols) -> Iterator[Entry]:
    """Yield the console scripts of the pyproject.toml above a module, or of its distribution."""
    seen: set[Path] = set()
    for module in symbols.modules.values():
        if "." in module.source.name:
            continue
        for folder in list(module.source.path.parents)[:4]:
            if (folder / "pyproject.toml").exists() and folder not in seen:
                seen.add(folder)
                yield from _of_scripts(_declared(folder / "pyproject.toml"), symbols)
                break
    for script in metadata.entry_points(group="console_scripts"):
        if script.module in symbols.modules:
            yield from _of_scripts({script.name: script.value}, symbols)


def _declared(file: Path) -> dict[str, str]:
    try:
        project = tomllib.loads(file.read_text("utf-8")).get("project", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}
    scripts = project.get("scripts", {})
    return {str(name): str(value) for name, value in scripts.items()}


def _of_scripts(scripts: dict[str, str], symbols: Symbols) -> Iterator[Entry]:
    for name, value in scripts.items():
        path = symbols.follow(value.split("[")[0].strip().replace(":", "."))
        if path in symbols.functions:
            yield Entry("script", name, symbols.functions[path].id)
