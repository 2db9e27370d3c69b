"""Who calls whom: the calls of each function, its receivers resolved by types."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from scripts.flow.inference import Inference, Scope, Type, element, entered
from scripts.flow.model import Call, Class, Function, Module
from scripts.flow.symbols import Symbols

_BUILTIN = frozenset(dir(builtins))


class Calls:
    """The calls of a program, and what was not resolved."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.inference = Inference(symbols)
        self.found: set[Call] = set()
        self.used: set[str] = set()  # functions that module level code names
        self.unknown_names: set[str] = set()  # attributes whose receiver is not known
        self.resolved = self.unresolved = 0
        self._tables = self._read_tables()
        for module in symbols.modules.values():
            self._read_module_level(module)
            for function in module.functions:
                self._read(function)

    def _read_tables(self) -> dict[str, list[tuple[str, str]]]:
        """Return what the variables of modules name, such as tables of handlers: key, function."""
        tables: dict[str, list[tuple[str, str]]] = {}
        for path, value in self.symbols.variables.items():
            module = path.rpartition(".")[0]
            named = [
                (key, self.symbols.functions[target].id)
                for key, part in _parts(value)
                for node in ast.walk(part)
                if isinstance(node, ast.Name | ast.Attribute)
                and (target := self.symbols.path_of(node, module)) in self.symbols.functions
            ]
            if named:
                tables[path] = named
        return tables

    def _read_module_level(self, module: Module) -> None:
        """Note what code outside functions uses, and decorators."""
        owned = {id(each.node) for each in module.functions}
        pending: list[ast.AST] = list(module.source.tree.body)
        while pending:
            node = pending.pop()
            if id(node) in owned:
                assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                pending += [*node.decorator_list, *node.args.defaults]
                continue
            if isinstance(node, ast.Name | ast.Attribute):
                path = self.symbols.path_of(node, module.source.name)
                if path in self.symbols.functions:
                    self.used.add(self.symbols.functions[path].id)
                elif isinstance(node, ast.Attribute):
                    self.unknown_names.add(node.attr)
            pending += ast.iter_child_nodes(node)

    def _read(self, function: Function) -> None:
        scope = self.inference.parameters(function)
        called: set[int] = set()
        for node in in_order(function.node.body):
            self._bind(node, scope, function)
            if isinstance(node, ast.Call):
                called.add(id(node.func))
                self._call(node, scope, function)
            elif (
                isinstance(node, ast.Name | ast.Attribute)
                and isinstance(node.ctx, ast.Load)
                and id(node) not in called
            ):
                self._mention(node, scope, function)

    def _call(self, node: ast.Call, scope: Scope, function: Function) -> None:
        target, receiver = self.inference.callee(node.func, scope, function)
        if isinstance(target, Function):
            self._add(function, target, "call", node.lineno)
        elif isinstance(target, Class):
            self._construct(function, target, node.lineno)
        elif target is None and receiver is None:
            if isinstance(node.func, ast.Name) and node.func.id in _BUILTIN - scope.keys():
                self.resolved += 1
                return
            self.unresolved += 1
            if isinstance(node.func, ast.Attribute):
                self.unknown_names.add(node.func.attr)
            return
        self.resolved += 1

    def _construct(self, function: Function, cls: Class, line: int) -> None:
        for name in ("__init__", "__post_init__", "__new__", "__enter__"):
            method = self.inference.member(cls.path, name)
            if isinstance(method, Function):
                self._add(function, method, "call", line)

    def _mention(self, node: ast.Name | ast.Attribute, scope: Scope, function: Function) -> None:
        """Note a function that is passed as a value, a property, or a table of functions."""
        if isinstance(node, ast.Name) and node.id in scope:
            return
        path = (
            None
            if isinstance(node, ast.Attribute) and _in(node, scope)
            else (self.symbols.path_of(node, function.module))
        )
        if path in self.symbols.functions:
            self._add(function, self.symbols.functions[path], "passed", node.lineno)
        elif path in self._tables:
            for key, target in self._tables[path]:
                self.found.add(Call(function.id, target, "table", node.lineno, key))
        elif isinstance(node, ast.Attribute):
            base = self.inference.of(node.value, scope, function)
            member = self.inference.member(base.path, node.attr) if base else None
            if isinstance(member, Function):
                is_value = any("property" in each for each in member.decorators)
                self._add(function, member, "call" if is_value else "passed", node.lineno)
            elif base is None:
                self.unknown_names.add(node.attr)

    def _add(self, caller: Function, callee: Function, kind: str, line: int) -> None:
        self.found.add(Call(caller.id, callee.id, kind, line))

    def _bind(self, node: ast.AST, scope: Scope, function: Function) -> None:
        """Note the types of the names that a node binds."""
        infer = self.inference
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]):
                scope[name] = infer.of(node.value, scope, function) or scope.get(name)
            case ast.Assign(targets=[ast.Tuple(elts=targets)]):
                self._unpack(targets, infer.of(node.value, scope, function), scope)
            case ast.AnnAssign(target=ast.Name(id=name)):
                scope[name] = infer.annotated(node.annotation, function.module)
            case ast.NamedExpr(target=ast.Name(id=name)):
                scope[name] = infer.of(node.value, scope, function)
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                self._iterate(node, scope, function)
            case ast.withitem(optional_vars=ast.Name(id=name)):
                scope[name] = self._entered(node.context_expr, scope, function)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                scope[node.name] = None
                for each in [*node.args.args, *node.args.kwonlyargs]:
                    scope[each.arg] = infer.annotated(each.annotation, function.module)
            case ast.Lambda():
                scope |= {each.arg: None for each in node.args.args}

    def _entered(self, node: ast.expr, scope: Scope, function: Function) -> Type | None:
        found = self.inference.of(node, scope, function)
        enter = self.inference.member(found.path, "__enter__") if found else None
        if isinstance(enter, Function):
            return self.inference.returned(enter, found)
        return entered(found)

    def _iterate(
        self, node: ast.For | ast.AsyncFor | ast.comprehension, scope: Scope, function: Function
    ) -> None:
        source, target = node.iter, node.target
        if isinstance(source, ast.Call) and isinstance(target, ast.Tuple):
            name = source.func
            if isinstance(name, ast.Name) and name.id in ("enumerate", "zip"):
                types = [element(self.inference.of(a, scope, function)) for a in source.args]
                if name.id == "enumerate":
                    types.insert(0, None)
                for each, found in zip(target.elts, types, strict=False):
                    self._set(each, found, scope)
                return
            if isinstance(name, ast.Attribute) and name.attr == "items":
                base = self.inference.of(name.value, scope, function)
                self._unpack(target.elts, base, scope)
                return
        found = element(self.inference.of(source, scope, function))
        if isinstance(target, ast.Tuple):
            self._unpack(target.elts, found, scope)
        else:
            self._set(target, found, scope)

    def _unpack(self, targets: list[ast.expr], found: Type | None, scope: Scope) -> None:
        of = found.of if found and len(found.of) == len(targets) else (None,) * len(targets)
        for target, each in zip(targets, of, strict=True):
            self._set(target, each, scope)

    def _set(self, target: ast.expr, found: Type | None, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            scope[target.id] = found
        elif isinstance(target, ast.Tuple):
            self._unpack(target.elts, found, scope)


def _parts(value: ast.expr) -> list[tuple[str, ast.expr]]:
    """Return the values of a dictionary with their keys, if those are texts."""
    if not isinstance(value, ast.Dict):
        return [("", value)]
    keys = [str(k.value) if isinstance(k, ast.Constant) else "" for k in value.keys]
    return list(zip(keys, value.values, strict=True))


def _in(node: ast.Attribute, scope: Scope) -> bool:
    base: ast.expr = node
    while isinstance(base, ast.Attribute):
        base = base.value
    return isinstance(base, ast.Name) and base.id in scope


def in_order(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield all nodes, what binds a name before what uses it; a comprehension's source first."""
    for statement in body:
        yield from _nodes(statement)


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        children.sort(key=lambda each: not isinstance(each, ast.comprehension))
    for child in children:
        yield from _nodes(child)
