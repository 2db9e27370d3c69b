"""What is known of a program: modules, classes, functions, and who calls whom."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class FlowError(Exception):
    """A user's mistake, in one sentence."""


@dataclass(frozen=True)
class SourceFile:
    """A file that parses. name: the module's, dotted; room: its folder, as the page shows it."""

    name: str
    path: Path
    shown: str
    room: str
    text: str
    tree: ast.Module


@dataclass(frozen=True)
class Parameter:
    name: str
    kind: str
    type: str = ""
    default: str = ""
    text: str = ""


@dataclass(frozen=True)
class Documentation:
    """A docstring in sections; raises: pairs of an exception and when."""

    text: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    returns: str = ""
    raises: tuple[tuple[str, str], ...] = ()
    examples: tuple[str, ...] = ()
    deprecated: str = ""


@dataclass(frozen=True)
class Function:
    """A function or method; what is nested in it is a part of it.

    id: `module:qualified.name`, as spans of a trace have it.
    """

    id: str
    module: str
    name: str  # qualified within the module
    owner: str  # the class, qualified within the module, or ""
    line: int
    end: int
    signature: str
    parameters: tuple[Parameter, ...]
    returns: str
    decorators: tuple[str, ...]
    documentation: Documentation
    complexity: int
    node: FunctionNode


@dataclass(frozen=True)
class Class:
    """name: qualified within the module; bases: as they are written."""

    module: str
    name: str
    line: int
    bases: tuple[str, ...]
    text: str
    node: ast.ClassDef

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Module:
    source: SourceFile
    text: str  # its docstring
    functions: tuple[Function, ...]
    classes: tuple[Class, ...]


@dataclass(frozen=True, order=True)
class Call:
    """kind: call, passed (as a value), table (through a module's variable), implements.

    key: of a table, the text under which it has the function.
    """

    caller: str
    callee: str
    kind: str
    line: int
    key: str = ""


@dataclass(frozen=True)
class Entry:
    """Where the program is entered. kind: command, function, script, route, main."""

    kind: str
    name: str
    function: str


@dataclass
class Flow:
    """A program that has been read."""

    title: str
    modules: dict[str, Module]
    calls: list[Call]
    imports: dict[str, tuple[str, ...]]
    entries: list[Entry]
    recursive: list[tuple[str, ...]]
    import_cycles: list[tuple[str, ...]]
    uncalled: set[str]
    problems: list[str]
    resolved: int  # calls whose function is known, here or in a library
    unresolved: int

    def functions(self) -> list[Function]:
        return [each for module in self.modules.values() for each in module.functions]
