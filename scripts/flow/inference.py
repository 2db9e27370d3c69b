"""The types of expressions, as far as annotations and constructors say them.

A type is a dotted path with its arguments: `list[almanac.civil.Day]` is ("list", (Day,)). What is
not known is None, and then a call of it is not resolved: nothing is guessed by name.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from scripts.flow.model import Class, Function
from scripts.flow.symbols import Symbols

_ITERABLE = {"Iterator", "Iterable", "Generator", "AsyncIterator", "AbstractContextManager"}
_WRAPPERS = {"Annotated", "Final", "ClassVar", "Required", "Awaitable", "Optional", "Type", "type"}
_MAPPINGS = {"dict", "Mapping", "MutableMapping", "defaultdict", "OrderedDict"}
_PASSING = {"next", "sorted", "list", "tuple", "reversed", "set", "iter"}  # what they are given
_DEPTH = 6

Scope = dict[str, "Type | None"]


@dataclass(frozen=True)
class Type:
    path: str
    of: tuple[Type | None, ...] = ()
    is_class: bool = False  # the class itself, not one of it


class Inference:
    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self._members: dict[tuple[str, str], Function | ast.expr | None] = {}
        self._depth = 0

    def annotated(self, node: ast.expr | None, module: str, depth: int = _DEPTH) -> Type | None:
        """Return the type that an annotation in the module names."""
        if node is None or not depth:
            return None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value, mode="eval").body
            except SyntaxError:
                return None
        if isinstance(node, ast.BinOp):  # X | None
            left = self.annotated(node.left, module, depth - 1)
            return left or self.annotated(node.right, module, depth - 1)
        if isinstance(node, ast.Subscript):
            return self._subscripted(node, module, depth)
        path = self.symbols.path_of(node, module)
        if path is None:
            return Type(node.id) if isinstance(node, ast.Name) and node.id != "None" else None
        if path not in self.symbols.classes and path in self.symbols.variables:  # an alias
            return self.annotated(self.symbols.variables[path], path.rpartition(".")[0], depth - 1)
        return Type(path)

    def _subscripted(self, node: ast.Subscript, module: str, depth: int) -> Type | None:
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        outer = self.annotated(node.value, module, depth - 1)
        name = outer.path.rpartition(".")[2] if outer else ""
        if name in _WRAPPERS:
            return self.annotated(items[0], module, depth - 1)
        if name == "Union":
            found = (self.annotated(each, module, depth - 1) for each in items)
            return next(filter(None, found), None)
        if outer is None:
            return None
        return Type(outer.path, tuple(self.annotated(each, module, depth - 1) for each in items))

    def bases(self, cls: Class) -> list[Class]:
        """Return the class and those of the program that it inherits from, in order."""
        found = [cls]
        for each in found:
            for base in each.node.bases:
                plain = base.value if isinstance(base, ast.Subscript) else base
                path = self.symbols.path_of(plain, each.module)
                parent = self.symbols.classes.get(path or "")
                if parent is not None and parent not in found:
                    found.append(parent)
        return found

    def member(self, path: str, name: str) -> Function | Type | None:
        """Return the method of a class, or the type of an attribute; of its bases too."""
        cls = self.symbols.classes.get(path)
        for each in self.bases(cls) if cls else ():
            method = self.symbols.functions.get(f"{each.path}.{name}")
            if method is not None:
                return method
            found = self._attribute(each, name)
            if found is not None:
                return found
        return None

    def _attribute(self, cls: Class, name: str) -> Type | None:
        for statement in cls.node.body:
            target = statement.target if isinstance(statement, ast.AnnAssign) else None
            if isinstance(target, ast.Name) and target.id == name:
                assert isinstance(statement, ast.AnnAssign)
                return self.annotated(statement.annotation, cls.module)
        for method in ("__init__", "__enter__", "__post_init__"):
            function = self.symbols.functions.get(f"{cls.path}.{method}")
            found = self._set_in(function, name) if function else None
            if found is not None:
                return found
        return None

    def _set_in(self, function: Function, name: str) -> Type | None:
        """Return the type of `self.name = ...` or `self.name: T = ...` in a method."""
        for node in ast.walk(function.node):
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            if not any(isinstance(t, ast.Attribute) and t.attr == name for t in targets):
                continue
            if isinstance(node, ast.AnnAssign):
                return self.annotated(node.annotation, function.module)
            if isinstance(node, ast.Assign) and self._depth < _DEPTH:
                self._depth += 1
                try:
                    return self.of(node.value, self.parameters(function), function)
                finally:
                    self._depth -= 1
        return None

    def parameters(self, function: Function) -> Scope:
        """Return the types of the parameters, of self and cls too."""
        arguments = function.node.args
        plain = [*arguments.posonlyargs, *arguments.args]
        scope: Scope = {
            each.arg: self.annotated(each.annotation, function.module)
            for each in [*plain, *arguments.kwonlyargs]
        }
        if arguments.vararg is not None:
            of = self.annotated(arguments.vararg.annotation, function.module)
            scope[arguments.vararg.arg] = Type("tuple", (of,))
        if function.owner and plain and "staticmethod" not in function.decorators:
            is_class = "classmethod" in function.decorators or function.name.endswith("__new__")
            owner = f"{function.module}.{function.owner}"
            scope[plain[0].arg] = Type(owner, is_class=is_class)
        return scope

    def returned(self, function: Function, receiver: Type | None = None) -> Type | None:
        """Return the type of what a call of the function gives."""
        found = self.annotated(function.node.returns, function.module)
        if found is not None and found.path.rpartition(".")[2] == "Self":
            return Type(receiver.path) if receiver else Type(f"{function.module}.{function.owner}")
        return found

    def of(self, node: ast.expr, scope: Scope, function: Function) -> Type | None:
        """Return the type of an expression in the function."""
        match node:
            case ast.Name():
                if node.id in scope:
                    return scope[node.id]
                return self._global(node, function.module)
            case ast.Attribute():
                return self._attribute_of(node, scope, function)
            case ast.Call():
                return self._called(node, scope, function)
            case ast.Subscript():
                base = self.of(node.value, scope, function)
                return base.of[-1] if base and base.of else None
            case ast.Await() | ast.NamedExpr() | ast.Starred():
                return self.of(node.value, scope, function)
            case ast.BoolOp():
                found = (self.of(each, scope, function) for each in node.values)
                return next(filter(None, found), None)
            case ast.IfExp():
                return self.of(node.body, scope, function) or self.of(node.orelse, scope, function)
            case ast.List() | ast.Tuple() | ast.Set() if node.elts:
                return Type("list", (self.of(node.elts[0], scope, function),))
            case _:
                return None

    def _global(self, node: ast.Name, module: str) -> Type | None:
        path = self.symbols.path_of(node, module)
        if path in self.symbols.classes:
            return Type(path, is_class=True)
        if path in self.symbols.annotated:
            return self.annotated(self.symbols.annotated[path], path.rpartition(".")[0])
        value = self.symbols.variables.get(path or "")
        if isinstance(value, ast.Call) and path:
            home = path.rpartition(".")[0]
            called = self.symbols.path_of(value.func, home)
            if called in self.symbols.classes:
                return Type(called)
            if called in self.symbols.functions:
                return self.returned(self.symbols.functions[called])
        return None

    def _attribute_of(self, node: ast.Attribute, scope: Scope, function: Function) -> Type | None:
        path = None if _root(node) in scope else self.symbols.path_of(node, function.module)
        if path in self.symbols.classes:
            return Type(path, is_class=True)
        if path in self.symbols.annotated:
            return self.annotated(self.symbols.annotated[path], path.rpartition(".")[0])
        base = self.of(node.value, scope, function)
        found = self.member(base.path, node.attr) if base else None
        if isinstance(found, Function):
            is_value = any("property" in each for each in found.decorators)
            return self.returned(found, base) if is_value else None
        return found

    def _called(self, node: ast.Call, scope: Scope, function: Function) -> Type | None:
        target, receiver = self.callee(node.func, scope, function)
        if isinstance(target, Class):
            return Type(target.path)
        if isinstance(target, Function):
            return self.returned(target, receiver)
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("values", "get", "pop"):
            base = self.of(node.func.value, scope, function)
            if base and base.of:
                last = base.of[-1]
                return Type("list", (last,)) if node.func.attr == "values" else last
        if isinstance(node.func, ast.Name) and node.func.id in _PASSING and node.args:
            inner = self.of(node.args[0], scope, function)
            return inner.of[-1] if inner and inner.of and node.func.id == "next" else inner
        return None

    def callee(
        self, node: ast.expr, scope: Scope, function: Function
    ) -> tuple[Function | Class | str | None, Type | None]:
        """Return what is called, and the type of its receiver; a text names a library's."""
        if _root(node) not in scope:
            path = self.symbols.path_of(node, function.module)
            if path in self.symbols.functions:
                return self.symbols.functions[path], None
            if path in self.symbols.classes:
                return self.symbols.classes[path], None
            if path and not self.symbols.is_inside(path):
                return path, None
        if not isinstance(node, ast.Attribute):
            return None, None
        if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super":
            return self._of_super(node.attr, function), None
        base = self.of(node.value, scope, function)
        if base is None:
            return None, None
        found = self.member(base.path, node.attr)
        if isinstance(found, Function):
            return found, base
        return (None if base.path in self.symbols.classes else base.path), base

    def _of_super(self, name: str, function: Function) -> Function | None:
        cls = self.symbols.classes.get(f"{function.module}.{function.owner}")
        for each in self.bases(cls)[1:] if cls else ():
            if f"{each.path}.{name}" in self.symbols.functions:
                return self.symbols.functions[f"{each.path}.{name}"]
        return None


def element(found: Type | None) -> Type | None:
    """Return the type of what an iteration gives."""
    if found is None or not found.of:
        return None
    name = found.path.rpartition(".")[2]
    return found.of[0] if name in _MAPPINGS | _ITERABLE else found.of[-1 if name == "list" else 0]


def entered(found: Type | None) -> Type | None:
    """Return the type of what `with` binds, of a context manager that a function returns."""
    if found is None:
        return None
    name = found.path.rpartition(".")[2]
    return found.of[0] if name in _ITERABLE and found.of else found


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
