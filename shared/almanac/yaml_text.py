"""A strict reader of YAML that people write by hand.

YAML reads `NO` as false, `010` as 8, `10:30` as 630, and takes the last of two equal keys; a few
hundred bytes of aliases can expand to gigabytes. Here a key is always the text as typed, a date
stays text, and everything else of this kind is reported as a problem.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from almanac.errors import ConfigError

MAX_BYTES = 1024 * 1024
MAX_VALUES = 10_000
MAX_DEPTH = 20

Path = tuple[str | int, ...]
Problem = tuple[Path, str]

_TAG = "tag:yaml.org,2002:"
_PLAIN_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
# YAML 1.1 requires a dot in these; JSON and YAML 1.2 do not
_EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN_KEY = re.compile(r"[\w-]{1,60}")
_WORDS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_WORDS_FOR_NULL = ("", "~", "null")


def path_text(path: Path) -> str:
    """Return the keys that lead to a value, such as `load_balancing.daily_send_percentage_cap`."""
    keys = (str(key) for key in path)
    return ".".join(key if _PLAIN_KEY.fullmatch(key) else shown(key) for key in keys)


def shown(value: object) -> str:
    """Return a value as an error shows it: short, on one line, in the words of YAML."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= 60 else f'{text[:56]}..."'
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def read_mapping(text: str | bytes, source: str) -> tuple[dict[str, object], list[Problem]]:
    """Return the mapping in a YAML text, empty for an empty text, and the problems of its keys.

    Raises ConfigError, one line, if the text is too large, not YAML or not a mapping.
    """
    octets = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(octets) > MAX_BYTES:
        raise ConfigError(f"{source}: {len(octets)} bytes; a configuration has at most {MAX_BYTES}")
    try:
        document = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source}: not UTF-8 text: byte {error.start + 1}") from None
    reader = _Reader(source)
    try:
        reader.check_depth(document)
        root = yaml.compose(document, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{source}: {_where(error)}not YAML: {_why(error)}") from None
    except (OverflowError, ValueError):
        # what PyYAML raises for an escape such as "\UFFFFFFFF"
        raise ConfigError(f"{source}: not YAML: an escape that is no character") from None
    except yaml.reader.ReaderError as error:
        line = document.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{source}: line {line}: not YAML: the character {_code(error)} is not allowed"
        ) from None
    value = {} if root is None else reader.value(root, ())
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ConfigError(f"{source}: expected a mapping of settings, found {shown(value)}")
    return value, reader.problems


@dataclass
class _Reader:
    """Builds plain values from YAML nodes, and collects problems."""

    source: str
    problems: list[Problem] = field(default_factory=list)
    values: int = 0

    def check_depth(self, document: str) -> None:
        """Raise ConfigError for a text that is nested too deeply, before it is read recursively."""
        depth = 0
        for event in yaml.parse(document, Loader=yaml.SafeLoader):
            self._count()
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ConfigError(f"{self.source}: nested more than {MAX_DEPTH} levels deep")
        self.values = 0

    def value(self, node: yaml.Node, path: Path) -> object:
        """Return the plain value of a node; every use of an alias is followed."""
        self._count()
        if len(path) > MAX_DEPTH:
            raise ConfigError(f"{self.source}: nested more than {MAX_DEPTH} levels deep")
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        raise self._bad_tag(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        mapping: dict[str, object] = {}
        lines: dict[str, int] = {}
        for key, value in self._pairs(node, path):
            line = key.start_mark.line + 1
            if key.value in mapping:
                found = f"given twice, on lines {lines[key.value]} and {line}"
                self.problems.append(((*path, key.value), found))
            lines[key.value] = line
            mapping[key.value] = self.value(value, (*path, key.value))
        return mapping

    def _pairs(
        self, node: yaml.MappingNode, path: Path
    ) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and not _SURROGATE.search(key.value):
                yield key, value
            else:
                line = key.start_mark.line + 1
                self.problems.append((path, f"the key on line {line} is not a plain text"))

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> object:
        text: str = node.value
        match node.tag.removeprefix(_TAG):
            case "str" | "timestamp" | "value":
                return self._text(node, path)
            case "null" if text.lower() in _WORDS_FOR_NULL:
                return None
            case "bool" if text.lower() in _WORDS:
                return _WORDS[text.lower()]
            case "null" | "bool" as tag:
                meant = "true or false" if tag == "bool" else "null"
                self.problems.append((path, f"{shown(text)} is not {meant}, as its tag says"))
                return None
            case "int" if _PLAIN_INTEGER.fullmatch(text) and len(text) <= 100:
                return int(text)
            case "int":
                self.problems.append((path, _odd_integer(text)))
                return 0
            case "float":
                return self._float(text, path)
        raise self._bad_tag(node)

    def _text(self, node: yaml.ScalarNode, path: Path) -> str | float:
        text: str = node.value
        if node.style is None and _EXPONENT.fullmatch(text):
            return float(text)
        if _SURROGATE.search(text):
            self.problems.append((path, f"{shown(text)} contains half a character"))
        return text

    def _float(self, text: str, path: Path) -> float:
        try:
            return float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".nan", "nan"))
        except ValueError:
            self.problems.append((path, f"{shown(text)} is not a plain number; write it out"))
            return 0.0

    def _bad_tag(self, node: yaml.Node) -> ConfigError:
        line = node.start_mark.line + 1
        return ConfigError(f"{self.source}: line {line}: the tag {shown(node.tag)} is not allowed")

    def _count(self) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            raise ConfigError(
                f"{self.source}: more than {MAX_VALUES} values (aliases count each time)"
            )


def _code(error: yaml.reader.ReaderError) -> str:
    character = error.character
    return f"U+{character if isinstance(character, int) else ord(character):04X}"


def _odd_integer(text: str) -> str:
    if len(text) > 40:
        return f"{shown(text)} is not a plain whole number; write it in decimal digits"
    if ":" in text:
        return f'{text} without quotes is a number to YAML; write "{text}"'
    if re.fullmatch(r"[-+]?0[0-7]+", text):
        return f"{text} is octal to YAML; write {text.lstrip('-+0') or '0'}, or quotes for a text"
    return f"{shown(text)} is not a plain whole number; write it in decimal digits"


def _where(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _why(error: yaml.MarkedYAMLError) -> str:
    why = " ".join(part for part in (error.problem, error.context) if part)
    return " ".join(why.split())
