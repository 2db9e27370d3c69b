"""A configuration as the YAML that people read and edit, and settings given as KEY=VALUE."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from almanac.config import Config, validated
from almanac.config_meanings import MEANINGS
from almanac.config_rules import written
from almanac.errors import InputError
from almanac.yaml_text import read_mapping

WIDTH = 88

Settings = dict[str, Any]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_/-]*")
_TIME = re.compile(r"[0-9]{1,2}:[0-9]{2}")
_NOT_TEXT = {"y", "n", "yes", "no", "true", "false", "on", "off", "null"}
_NOT_THERE = object()
_NO_DAYS = (("before", 0), ("after", 0))


def plain_settings(config: Config) -> Settings:
    """Return all settings as plain data, which gives the same configuration when it is read.

    `state_rules` has only those rules that differ from the rule set's, without keys that have their
    default.
    """
    rules = written("statutory", config.state_rules)
    return config.model_dump(mode="json") | {"state_rules": _short(rules)}


def document(settings: Mapping[str, Any], title: str) -> str:
    """Return the YAML of plain settings: each key with its meaning as a comment before it.

    What differs from the default has it in a comment behind. title: the first line, a comment.
    """
    rule_set = validated({"rule_set": settings.get("rule_set", "standard")}, [], "rule_set")
    rules = _short(rule_set.settings()["state_rules"])
    defaults = plain_settings(Config()) | {"state_rules": rules}
    lines = [f"# {' '.join(title.split())}", *_section(settings, defaults, (), "")]
    return "\n".join(lines) + "\n"


def _short(rules: Any, key: str = "") -> Any:
    """Return rules by state without what is null, false or of no days; null for no rule stays."""
    if isinstance(rules, list):
        return [_short(each, key) for each in rules]
    if not isinstance(rules, dict):
        return rules
    shorter = {name: _short(each, "rule") for name, each in rules.items()}
    if not key:
        return shorter
    return {
        name: each
        for name, each in shorter.items()
        if each is not None and each is not False and (name, each) not in _NO_DAYS
    }


def _section(
    settings: Mapping[str, Any], defaults: Mapping[str, Any], path: tuple[str, ...], indent: str
) -> Iterator[str]:
    for key, value in settings.items():
        here = (*path, key)
        meaning = MEANINGS.get(".".join(here))
        default = defaults.get(key, _NOT_THERE)
        if meaning:
            for line in textwrap.wrap(meaning, WIDTH - len(indent), break_on_hyphens=False):
                yield f"{indent}# {line}"
        elif not path:
            yield ""
        inside = isinstance(value, dict) and value and not _is_data(path)
        if inside:
            yield f"{indent}{_text(key)}:"
            below = default if isinstance(default, dict) else {}
            yield from _section(value, below, here, indent + "  ")
            continue
        yield f"{indent}{_text(key)}: {written_value(value)}{_difference(value, default)}"


def _difference(value: object, default: object) -> str:
    if value in (default, {}):  # an empty mapping takes nothing from the defaults
        return ""
    return f"  # default: {'none' if default is _NOT_THERE else written_value(default)}"


def _is_data(path: tuple[str, ...]) -> bool:
    """Return whether the keys below a path are no settings, such as those of a state's rule."""
    return ".".join(path) in MEANINGS


def written_value(value: object) -> str:
    """Return a plain value as YAML on one line."""
    match value:
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(map(written_value, value))}]"
        case dict():
            pairs = (f"{_text(str(key))}: {written_value(each)}" for key, each in value.items())
            return f"{{{', '.join(pairs)}}}"
    return json.dumps(value)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    return json.dumps(text, ensure_ascii=False)


def assigned(
    settings: Settings, assignments: Mapping[str, str | None], rules: Mapping[str, Any]
) -> Settings:
    """Return plain settings with values, by dotted keys, in YAML; None goes back to the default.

    rules: the rules that hold, by state, of which a key such as state_rules.CA.before changes one.
    Raises InputError for a key below one that has none, ConfigError for what is not YAML.
    """
    changed: Settings = json.loads(json.dumps(settings))
    for key, text in assignments.items():
        path = key.split(".")
        if path[0] == "state_rules" and len(path) > 2:
            states = changed.setdefault("state_rules", {})
            if path[1] not in states and rules.get(path[1]):
                states[path[1]] = json.loads(json.dumps(rules[path[1]]))
        _assign(changed, path, key, text)
    return changed


def _assign(settings: Settings, path: list[str], key: str, text: str | None) -> None:
    section: Any = settings
    for part in path[:-1]:
        section = section.setdefault(part, {}) if text is not None else section.get(part, {})
        if not isinstance(section, dict):
            raise InputError(f"{key}: {part} is {written_value(section)}, which has no keys")
    if text is None:
        section.pop(path[-1], None)
        return
    # the shell has taken away the quotes that YAML asks for around a time
    value, problems = read_mapping(f"value: {_text(text) if _TIME.fullmatch(text) else text}", key)
    if problems:
        raise InputError(f"{key}: {problems[0][1]}")
    if set(value) != {"value"}:
        raise InputError(f"{key}: expected one value, found {text!r}")
    section[path[-1]] = value["value"]
