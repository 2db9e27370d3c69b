"""What a name means: imports, definitions and aliases of modules, followed through the program."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from scripts.flow.model import Class, Function, Module

Symbol = Function | Class | Module | ast.expr  # an expression: what a module's variable is set to


class Symbols:
    """The names of all modules."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self.modules = modules
        self.functions = {
            f"{each.module}.{each.name}": each for m in modules.values() for each in m.functions
        }
        self.classes = {each.path: each for m in modules.values() for each in m.classes}
        self.variables: dict[str, ast.expr] = {}
        self.annotated: dict[str, ast.expr] = {}
        self.imports = {name: _imports(module) for name, module in modules.items()}
        for module in modules.values():
            self._read_variables(module)
        self._targets: dict[str, str | None] = {}

    def _read_variables(self, module: Module) -> None:
        name = module.source.name
        for statement in statements(module.source.tree.body):
            if isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        self.variables[f"{name}.{target.id}"] = statement.value
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                path = f"{name}.{statement.target.id}"
                self.annotated[path] = statement.annotation
                if statement.value is not None:
                    self.variables[path] = statement.value

    def path_of(self, expression: ast.expr, module: str) -> str | None:
        """Return the dotted path that a name or attribute of the module stands for."""
        if isinstance(expression, ast.Attribute):
            base = self.path_of(expression.value, module)
            return self.follow(f"{base}.{expression.attr}") if base else None
        if not isinstance(expression, ast.Name):
            return None
        return self.named(expression.id, module)

    def named(self, name: str, module: str) -> str | None:
        """Return what a plain name means in the module; outside the program its dotted path."""
        if self.is_defined(f"{module}.{name}"):
            return f"{module}.{name}"
        imported = self.imports.get(module, {}).get(name)
        return self.follow(imported) if imported else None

    def is_defined(self, path: str) -> bool:
        return path in self.functions or path in self.classes or path in self.variables

    def follow(self, path: str, steps: int = 8) -> str:
        """Return the path of the definition behind a path that a module only imports."""
        if path in self.modules or self.is_defined(path) or not steps:
            return path
        module, _, name = path.rpartition(".")
        if module in self.modules:
            target = self.imports[module].get(name)
            return self.follow(target, steps - 1) if target else path
        return path

    def is_inside(self, path: str) -> bool:
        return path.split(".")[0] in {name.split(".")[0] for name in self.modules}


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, with those below `if`, `try` and `with`."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from statements(getattr(statement, part, []))
            for handler in getattr(statement, "handlers", []):
                yield from statements(handler.body)


def imported_by(node: ast.stmt, module: Module) -> Iterator[tuple[str, str]]:
    """Yield the names that an import statement binds, with the paths that they stand for."""
    if isinstance(node, ast.Import):
        for each in node.names:
            yield (
                (each.asname, each.name)
                if each.asname
                else (
                    each.name.split(".")[0],
                    each.name.split(".")[0],
                )
            )
    elif isinstance(node, ast.ImportFrom):
        base = _base_of(node, module)
        for each in node.names:
            yield each.asname or each.name, f"{base}.{each.name}".lstrip(".")


def _base_of(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    parts = module.source.name.split(".")
    if not module.source.shown.endswith("__init__.py"):
        parts.pop()
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _imports(module: Module) -> dict[str, str]:
    """Return what every import of the module binds, also those within functions."""
    return {
        name: path
        for node in ast.walk(module.source.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name, path in imported_by(node, module)
    }
