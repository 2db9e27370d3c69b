"""Whatever is written for a setting is what it says, or one line that names the key and what it
takes. All settings are found in the models, so that a new one is tested too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from almanac.config import TEMPLATE_KEYS, Config, validated
from almanac.config_delivery import StateHours
from almanac.config_problems import bounds_of, keys_of, settings_of, takes
from almanac.config_rules import StateRule
from almanac.errors import ConfigError
from almanac.yaml_text import Path, path_text, read_mapping

TEXAS_RULE, TEXAS_HOURS = ("state_rules", "TX"), ("delivery", "sms_hours", "states", "TX")
# what a rule of Texas needs beside the key
BESIDE: dict[str, dict[str, object]] = {
    "kind": {},
    "from": {"kind": "calendar_window", "to": "12-07"},
    "to": {"kind": "calendar_window", "from": "10-15"},
}
OF_PYDANTIC = ("Input should", "validation error", "type=")
VALUES = {
    "a number in quotes": '"12"',
    "digits of another script": '"\u0661\u0662"',
    "a whole number with a point": "12.0",
    "a fraction": "1.5",
    "an exponent": "1e3",
    "beyond all numbers": ".inf",
    "no number": ".nan",
    "no number in quotes": '"NaN"',
    "a negative number": "-3",
    "zero": "0",
    "a huge number": "99999999999",
    "a truth": "true",
    "a word for true": "yes",
    "null in a word": "null",
    "nothing": "",
    "an empty text": '""',
    "a blank": '" "',
    "a control character": '"\\u0007"',
    "a word": "Twelve",
    "a date": "2026-12-24",
    "words with commas": '"sat, sun"',
    "an empty list": "[]",
    "a list of a number": "[12]",
    "a list of a number in quotes": '["12"]',
    "a list of nothing": "[null]",
    "a list of lists": "[[]]",
    "a mapping": "{a: 1}",
}


def sections(model: type[BaseModel], path: Path = ()) -> Iterator[tuple[Path, FieldInfo]]:
    for key, info in keys_of(model).items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield (*path, key), info
            yield from sections(info.annotation, (*path, key))


def settings() -> Iterator[tuple[Path, FieldInfo]]:
    """Yield every section and setting, with those of a state's rule and hours, and below these."""
    yield from sections(Config)
    yield from settings_of(Config)
    for mapping in ("templates", "sms"):
        info = Config.model_fields[mapping]
        of_one = FieldInfo.from_annotation(get_args(info.annotation)[1])
        yield from (((mapping, key), of_one) for key in TEMPLATE_KEYS[:1])
    for path, model in ((TEXAS_RULE, StateRule), (TEXAS_HOURS, StateHours)):
        for key, info in keys_of(model).items():
            yield (*path, key), info
            for section in (info.annotation, *get_args(info.annotation)):
                if isinstance(section, type) and issubclass(section, BaseModel):
                    yield from settings_of(section, (*path, key))


SETTINGS = {path_text(path): (path, info) for path, info in settings()}


def document(path: Path, value: object) -> dict[str, Any]:
    """Return settings with a value for one, and with what that one needs beside it."""
    beside: dict[Path, dict[str, object]] = {}
    if path[:2] == TEXAS_RULE:
        beside[TEXAS_RULE] = BESIDE.get(str(path[2]), {"kind": "birthday_window"})
    if path[2:] in (("source", "url"), ("source", "verified")):
        beside[path[:3]] = {"cite": "a law"}
    settings: Any = value
    for depth in range(len(path) - 1, -1, -1):
        settings = {**beside.get(path[:depth], {}), path[depth]: settings}
    assert isinstance(settings, dict)
    return settings


def written(config: Config, path: Path) -> object:
    """Return the value of a setting as a configuration is written; None for what is left out."""
    value: Any = config.model_dump(mode="json", by_alias=True)
    for key in path:
        value = (value or {}).get(key)
    return value


def is_meant_by(found: object, said: object) -> bool:
    """Return whether a setting is what its YAML says; a mapping completes what is given."""
    if isinstance(said, dict):
        return isinstance(found, dict) and said.items() <= found.items()
    return found == said and isinstance(found, bool) == isinstance(said, bool)


def what_it_takes(info: FieldInfo) -> list[str]:
    """Return the texts of which one must stand in a refusal of the setting's own value."""
    whole = takes(info.annotation, info.metadata)
    bounds = bounds_of(info.metadata)
    parts = [whole, whole.removesuffix(", or null"), *([f"is not {bounds}"] if bounds else [])]
    items = whole.removesuffix(", or null").removeprefix("a list, each ")
    others = ("; allowed: ", "; it takes ", "is less than ")
    return [*parts, items, items.removeprefix("a whole number "), *others]


@pytest.fixture(scope="module")
def values() -> dict[str, object]:
    text = "\n".join(f"{name}: {value}" for name, value in VALUES.items())
    read, problems = read_mapping(text, "values")
    assert problems == []
    return read


@pytest.mark.parametrize("key", SETTINGS)
def test_a_value_is_what_it_says_or_a_line_about_its_key(
    key: str, values: dict[str, object]
) -> None:
    path, info = SETTINGS[key]
    for name, value in values.items():
        try:
            config = validated(document(path, value), [], "config.yaml")
        except ConfigError as error:
            for line in str(error).split("\n"):
                where = line.startswith((f"config.yaml: {key}: ", f"config.yaml: {key}."))
                assert where, (name, line)
                assert any(text in line for text in what_it_takes(info)), (name, line)
                assert not any(raw in line for raw in OF_PYDANTIC), (name, line)
        else:
            assert is_meant_by(written(config, path), value), name
