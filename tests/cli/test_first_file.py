"""docs/first_file.md: its files are written, its commands run, and what they print is compared."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli_calls import almanac

PAGE = (Path(__file__).parents[2] / "docs" / "first_file.md").read_text("utf-8")
FILES = {"contacts.csv": "csv", "load.py": "python"}  # and the language of its block
EXIT_CODES = {  # of the commands that end with another than 0, by the beginning of what they print
    "Error: ": 2,
    "agency.sqlite3 needs --without-states": 2,
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> Iterator[tuple[list[str], str]]:
    """The words of each command of the page, and what it prints."""
    for block in blocks("console"):
        for line, _, printed in (each.partition("\n") for each in block.split("$ ")[1:]):
            yield shlex.split(line), printed


def pattern(printed: str) -> str:
    """A regular expression of what is printed, where `...` is any number of lines."""
    return r"(?:.*\n)*?".join(map(re.escape, printed.split("...\n")))


def run(words: list[str], folder: Path) -> tuple[int, str]:
    """The exit code of a command and what it prints, as on the day and at the place of the page."""
    if words[0] == "python3":
        runpy.run_path(words[1])
        return 0, ""
    assert words[0] == "almanac"
    answer = almanac(*words[1:])
    text = (answer.err + answer.out).replace(f"{folder}/", "")
    return answer.code, re.sub(r"(?<=the one set on )\d{4}-\d\d-\d\d", "2026-11-21", text)


def test_the_page_says_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, language in FILES.items():
        (content,) = blocks(language)
        Path(name).write_text(content, "utf-8")
    for words, printed in commands():
        code, text = run(words, tmp_path)
        expected = [code for begins, code in EXIT_CODES.items() if printed.startswith(begins)]
        assert [code] == (expected or [0]), text
        assert re.fullmatch(pattern(printed), text), f"{shlex.join(words)}\n{text}"
