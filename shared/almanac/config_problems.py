"""The valid values of a setting in words, and the problems of a given one: one line each.

Both are derived from the model, so that errors and documentation cannot differ from what is
validated.
"""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import AfterValidator, BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from almanac.yaml_text import Path, Problem, path_text, shown

MAX_PROBLEMS = 20

_KINDS: dict[object, str] = {bool: "true or false", int: "a whole number", float: "a number"}
_RANGE_ERRORS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


@dataclass(frozen=True)
class Takes:
    """States in a field's annotation what it takes, if its type does not say it."""

    text: str


def settings_of(model: type[BaseModel], path: Path = ()) -> Iterator[tuple[Path, FieldInfo]]:
    """Yield every setting of a model and of its sections, without the sections themselves."""
    for name, info in keys_of(model).items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from settings_of(section, (*path, name))
        else:
            yield (*path, name), info


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a section by their keys in the YAML."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def takes(annotation: object, metadata: Iterable[object] = ()) -> str:
    """Return what a value of the type takes, such as `a whole number between 0 and 366`."""
    metadata = list(metadata)
    for item in metadata:
        if isinstance(item, Takes):
            return item.text
    if get_origin(annotation) is Annotated:
        return takes(*_unwrapped(annotation, metadata))
    options = get_args(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return ", or ".join("null" if part is type(None) else takes(part) for part in options)
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(options)}"
    if get_origin(annotation) is list:
        return f"a list, each {takes(options[0])}"
    if get_origin(annotation) is dict:
        return "a mapping"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a mapping of settings ({', '.join(keys_of(annotation))})"
    bounds = bounds_of(metadata)
    kind = _KINDS.get(annotation, "text")
    return f"{kind} {bounds}" if bounds else kind


def bounds_of(metadata: Iterable[object]) -> str:
    """Return the bounds of a number as `between 0 and 1 (more than 0, at most 1)`, or nothing."""
    low: Any = None
    high: Any = None
    strict = False
    for item in metadata:
        if isinstance(item, annotated_types.Gt):
            low, strict = item.gt, True
        elif isinstance(item, annotated_types.Ge):
            low = item.ge
        elif isinstance(item, annotated_types.Le):
            high = item.le
    if low is None or high is None:
        return ""
    return f"between {low} and {high}" + (f" (more than {low}, at most {high})" if strict else "")


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Return the errors of pydantic as problems: the path of a key, and a sentence without it."""
    return [_problem(details, model) for details in error.errors(include_url=False)]


def lines(problems: Iterable[Problem], source: str) -> str:
    """Return a line `config.yaml: path.of.key: problem` for the first problem of each key."""
    first: dict[str, str] = {}
    for path, text in problems:
        first.setdefault(f"{path_text(path)}: " if path else "", text)
    all_lines = [f"{source}: {key}{text}" for key, text in first.items()]
    if len(all_lines) > MAX_PROBLEMS:
        left_out = len(all_lines) - MAX_PROBLEMS
        all_lines = [*all_lines[:MAX_PROBLEMS], f"{source}: and {left_out} more"]
    return "\n".join(all_lines)


def near(word: str, words: Iterable[str], cutoff: float = 0.7) -> str:
    """Return `; did you mean birthday?`, or nothing if no word is similar."""
    by_lower = {known.lower(): known for known in words}
    close = difflib.get_close_matches(word.lower()[:100], by_lower, n=1, cutoff=cutoff)
    return f"; did you mean {by_lower[close[0]]}?" if close else ""


def _problem(details: ErrorDetails, model: type[BaseModel]) -> Problem:
    path = _as_typed(model, tuple(part for part in details["loc"] if part != "[key]"))
    found = details["input"]
    kind = details["type"]
    if kind == "value_error":
        return path, f"{shown(found)} {details['ctx']['error']}"
    if kind in ("extra_forbidden", "missing"):
        section = _required(_at(model, path[:-1])[0])
    if kind == "extra_forbidden":
        return path, _unknown(str(path[-1]), section, model)
    if kind == "missing":
        field = keys_of(section)[str(path[-1])]
        return path, f"missing; it takes {takes(field.annotation, field.metadata)}"
    annotation, metadata = _at(model, path)
    if kind in _RANGE_ERRORS:
        bounds = bounds_of(_unwrapped(_required(annotation), metadata)[1])
        return path, f"{shown(found)} is not {bounds}"
    expected = takes(annotation, metadata)
    hint = _quotes(found, annotation, metadata)
    if kind == "literal_error" and isinstance(found, str):
        hint = near(found, get_args(_required(annotation)))
    return path, f"{shown(found)} is not {expected}{hint}"


def _as_typed(model: type[BaseModel], path: Path) -> Path:
    """Return a path with the keys of the YAML; pydantic names a field whose default is refused."""
    typed: Path = ()
    for part in path:
        section = _required(_at(model, typed)[0])
        if isinstance(section, type) and issubclass(section, BaseModel):
            field = section.model_fields.get(str(part))
            part = field.alias if field is not None and field.alias else part
        typed = (*typed, part)
    return typed


def _unknown(key: str, section: Any, model: type[BaseModel]) -> str:
    """Return the allowed keys, and the one that was probably meant."""
    allowed = list(keys_of(section))
    elsewhere = [path_text(path) for path, _ in settings_of(model) if path[-1] == key]
    hint = near(key, allowed) or (f"; did you mean {elsewhere[0]}?" if elsewhere else "")
    return f"unknown key{hint or ';'} allowed: {', '.join(allowed)}"


def _at(model: type[BaseModel], path: Path) -> tuple[Any, list[object]]:
    """Return the type at a path of keys, and the metadata of its annotation."""
    annotation: Any = model
    metadata: list[object] = []
    for part in path:
        section = _required(annotation)
        if isinstance(section, type) and issubclass(section, BaseModel):
            field = keys_of(section)[str(part)]
            annotation, metadata = field.annotation, list(field.metadata)
        else:
            annotation, metadata = get_args(section)[-1], []
        annotation, metadata = _unwrapped(annotation, metadata)
    return annotation, metadata


def _unwrapped(annotation: Any, metadata: list[object]) -> tuple[Any, list[object]]:
    """Return the type inside Annotated, and the metadata."""
    if get_origin(annotation) is not Annotated:
        return annotation, metadata
    inner, *more = get_args(annotation)
    for item in more:
        metadata = [*metadata, *(item.metadata if isinstance(item, FieldInfo) else [item])]
    return _unwrapped(inner, metadata)


def _required(annotation: Any) -> Any:
    """Return the type without `| None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        (annotation,) = (part for part in get_args(annotation) if part is not type(None))
    return annotation


def _quotes(found: object, annotation: object, metadata: Iterable[object]) -> str:
    """Return a hint if quotes, or their absence, are the whole problem."""
    if annotation is str and isinstance(found, bool | int | float):
        return "; put it in quotes" if _is_valid(shown(found), metadata) else ""
    if annotation in (int, float) and isinstance(found, str):
        try:
            number = float(found)
        except ValueError:
            return ""
        if number.is_integer():
            return f"; write {int(number)} without quotes"
        if annotation is float and math.isfinite(number):
            return f"; write {number} without quotes"
    return ""


def _is_valid(text: str, metadata: Iterable[object]) -> bool:
    checks = [item for item in metadata if isinstance(item, AfterValidator)]
    try:
        TypeAdapter(Annotated[(str, *checks)] if checks else str).validate_python(text)
    except ValueError:
        return False
    return True
