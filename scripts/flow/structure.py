"""Modules, classes and functions, with their docstrings (griffe) and complexity (radon)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from radon.visitors import ComplexityVisitor

from scripts.flow.docstrings import read_docstring
from scripts.flow.model import Class, Function, FunctionNode, Module, Parameter, SourceFile


def read_module(source: SourceFile) -> Module:
    """Return what the file defines."""
    functions: dict[str, Function] = {}
    classes: dict[str, Class] = {}
    for owner, node in _definitions(source.tree.body, ""):
        name = f"{owner}.{node.name}".lstrip(".")
        if isinstance(node, ast.ClassDef):
            bases = tuple(ast.unparse(each) for each in node.bases)
            text = ast.get_docstring(node) or ""
            classes[name] = Class(source.name, name, node.lineno, bases, text, node)
        else:
            functions[name] = _function(source.name, owner, name, node)
    text = ast.get_docstring(source.tree) or ""
    return Module(source, text, tuple(functions.values()), tuple(classes.values()))


def _definitions(
    body: list[ast.stmt], owner: str
) -> Iterator[tuple[str, ast.ClassDef | FunctionNode]]:
    """Yield what the statements define, with the class it is in; not what functions define."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield owner, statement
        elif isinstance(statement, ast.ClassDef):
            yield owner, statement
            yield from _definitions(statement.body, f"{owner}.{statement.name}".lstrip("."))
        else:
            for part in ("body", "orelse", "finalbody"):
                yield from _definitions(getattr(statement, part, []), owner)
            for handler in getattr(statement, "handlers", []):
                yield from _definitions(handler.body, owner)


def _function(module: str, owner: str, name: str, node: FunctionNode) -> Function:
    declared = _parameters(node)
    documentation = read_docstring(ast.get_docstring(node), [each.name for each in declared])
    said = documentation.parameters
    returns = ast.unparse(node.returns) if node.returns else ""
    prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    signature = (
        f"{prefix}{node.name}({ast.unparse(node.args)}){f' -> {returns}' if returns else ''}"
    )
    return Function(
        id=f"{module}:{name}",
        module=module,
        name=name,
        owner=owner,
        line=min([node.lineno, *(each.lineno for each in node.decorator_list)]),
        end=node.end_lineno or node.lineno,
        signature=signature,
        parameters=tuple(replace(each, text=said.get(each.name, "")) for each in declared),
        returns=returns,
        decorators=tuple(ast.unparse(each) for each in node.decorator_list),
        documentation=documentation,
        complexity=_complexity(node),
        node=node,
    )


def _complexity(node: FunctionNode) -> int:
    """Return the cyclomatic complexity, with that of what is nested."""
    visitor = ComplexityVisitor.from_ast(node)
    return sum(each.complexity for each in visitor.functions)


def _parameters(node: FunctionNode) -> list[Parameter]:
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    missing = len(plain) - len(arguments.defaults)
    defaults: list[ast.expr | None] = [*([None] * missing), *arguments.defaults]
    listed = [(each, default, "") for each, default in zip(plain, defaults, strict=True)]
    if arguments.vararg:
        listed.append((arguments.vararg, None, "*"))
    listed += [
        (each, default, "keyword")
        for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        listed.append((arguments.kwarg, None, "**"))
    return [
        Parameter(
            each.arg,
            kind,
            ast.unparse(each.annotation) if each.annotation else "",
            ast.unparse(default) if default else "",
        )
        for each, default, kind in listed
        if each.arg not in ("self", "cls")
    ]
