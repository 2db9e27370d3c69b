"""CREATE TABLE statements of the agency, changed in one place and else kept as they are."""

from __future__ import annotations

import re
from typing import NamedTuple

from almanac.database.catalog import quoted
from almanac.database.schema import FORBIDDEN_UNIQUE

ID = "INTEGER PRIMARY KEY AUTOINCREMENT"
_CONSTRAINTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")
_TOKEN = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]*\]"
    r"|[\w$]+|\s+|.",
    re.DOTALL,
)


class Token(NamedTuple):
    """A word, a quoted name, a text or a sign of an SQL statement."""

    text: str
    start: int
    stop: int


def without_unique(sql: str, name: str) -> str:
    """Return CREATE TABLE under another name and without the forbidden constraints."""
    tokens = _tokens(sql)
    cuts = [(tokens[2].start, tokens[2].stop, quoted(name))]  # CREATE TABLE name
    depth = 0
    for at, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 1 and token.text.upper() == "UNIQUE" and _text(tokens, at + 1) == "(":
            stop = _closing(tokens, at + 1)
            if _columns(tokens[at + 2 : stop]) in FORBIDDEN_UNIQUE:
                cuts.append((*_constraint(tokens, at, stop), ""))
    for start, stop, text in reversed(cuts):
        sql = sql[:start] + text + sql[stop:]
    return sql


def with_id(sql: str, name: str) -> str:
    """Return CREATE TABLE under another name and with its column id, or a new one, as the key."""
    tokens = _tokens(sql)
    cuts = [(tokens[2].start, tokens[2].stop, quoted(name))]  # CREATE TABLE name
    opening = next(at for at, token in enumerate(tokens) if token.text == "(")
    found = False
    for first, last in _parts(tokens, opening):
        if _text(tokens, first) in _CONSTRAINTS:
            key = first + 2 if _text(tokens, first) == "CONSTRAINT" else first
            if _text(tokens, key) == "PRIMARY":  # it can only be that of id
                cuts.append((*_constraint(tokens, key, _closing(tokens, key + 2)), ""))
        elif _unquoted(tokens[first].text).lower() == "id":
            found = True
            cuts.append((tokens[first].stop, tokens[last].stop, f" {ID}"))
    if not found:
        cuts.append((tokens[opening].stop, tokens[opening].stop, f"id {ID}, "))
    for start, stop, text in sorted(cuts, reverse=True):
        sql = sql[:start] + text + sql[stop:]
    return sql


def _parts(tokens: list[Token], opening: int) -> list[tuple[int, int]]:
    """Return first and last token of each column and constraint within the parenthesis."""
    closing = _closing(tokens, opening)
    parts, first, depth = [], opening + 1, 0
    for at in range(opening + 1, closing + 1):
        if depth == 0 and (tokens[at].text == "," or at == closing):
            parts.append((first, at - 1))
            first = at + 1
        depth += {"(": 1, ")": -1}.get(tokens[at].text, 0)
    return parts


def _tokens(sql: str) -> list[Token]:
    found = (Token(m[0], m.start(), m.end()) for m in _TOKEN.finditer(sql))
    return [t for t in found if not t.text.isspace() and not t.text.startswith(("--", "/*"))]


def _text(tokens: list[Token], at: int) -> str:
    return tokens[at].text.upper() if 0 <= at < len(tokens) else ""


def _closing(tokens: list[Token], opening: int) -> int:
    """Return the position of the parenthesis that closes the one at `opening`."""
    depth = 0
    for at in range(opening, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[at].text, 0)
        if depth == 0:
            return at
    return len(tokens) - 1


def _columns(tokens: list[Token]) -> frozenset[str]:
    """Return the names of a constraint's columns, without collation and direction."""
    names, expected = [], True
    for token in tokens:
        if expected:
            names.append(_unquoted(token.text).lower())
        expected = token.text == ","
    return frozenset(names)


def _unquoted(name: str) -> str:
    if name[:1] in ('"', "`", "'"):
        return name[1:-1].replace(name[0] * 2, name[0])
    return name[1:-1] if name[:1] == "[" else name


def _constraint(tokens: list[Token], at: int, stop: int) -> tuple[int, int]:
    """Return where the constraint begins and ends, with its name, conflict clause and comma."""
    first, last = at, stop
    if _text(tokens, at - 2) == "CONSTRAINT":
        first = at - 2
    if _text(tokens, stop + 1) == "ON" and _text(tokens, stop + 2) == "CONFLICT":
        last = stop + 3
    # commas between constraints of a table are optional
    if _text(tokens, first - 1) == "," and _text(tokens, last + 1) in (",", ")"):
        first -= 1
    return tokens[first].start, tokens[last].stop
