"""The files of a program, and the names of their modules."""

from __future__ import annotations

import ast
import tokenize
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from scripts.flow.model import FlowError, SourceFile

_SKIPPED = {"__pycache__", "node_modules", "site-packages", "_vendor", "vendor"}


def read_files(paths: Sequence[Path], problems: list[str]) -> list[SourceFile]:
    """Read the Python files below the paths; one that does not parse costs that file.

    Raises FlowError if a path does not exist or nothing can be read.
    """
    sources: dict[str, SourceFile] = {}
    for path in paths:
        if not path.exists():
            raise FlowError(f"{path}: there is no such file or folder")
        base = _base_of(path)
        for file in _python_files(path):
            source = _read(file, base, problems)
            if source is not None:
                sources.setdefault(source.name, source)
    if not sources:
        why = f" ({'; '.join(problems)})" if problems else ""
        raise FlowError(f"{', '.join(map(str, paths))}: no Python file that can be read{why}")
    return [sources[name] for name in sorted(sources)]


def _base_of(path: Path) -> Path:
    """Return the folder from which the modules below the path are named."""
    base = path.resolve().parent
    while (base / "__init__.py").exists():
        base = base.parent
    return base


def _python_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path.resolve()
        return
    for file in sorted(path.resolve().rglob("*.py")):
        parts = file.relative_to(path.resolve()).parts
        if not any(part in _SKIPPED or part.startswith(".") for part in parts):
            yield file


def _read(file: Path, base: Path, problems: list[str]) -> SourceFile | None:
    parts = list(file.relative_to(base).with_suffix("").parts)
    shown = "/".join(file.relative_to(base).parts)
    room = "/".join(parts[:-1]) or "."
    if parts[-1] == "__init__":
        parts.pop()
    try:
        with tokenize.open(file) as opened:
            text = opened.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are the author's
            tree = ast.parse(text)
    except (SyntaxError, ValueError, OSError, RecursionError) as error:
        problems.append(f"{shown}: left out, it does not parse ({_reason(error)})")
        return None
    return SourceFile(".".join(parts), file, shown, room, text, tree)


def _reason(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}" if error.lineno else str(error.msg)
    return " ".join(str(error).split())


def title_of(paths: Iterable[Path]) -> str:
    return ", ".join(path.resolve().name for path in paths)
