"""JSON that every reader takes."""

from __future__ import annotations

import json
from typing import NoReturn

import pytest

from almanac.json_text import json_text


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": float("inf"), "b": [float("-inf"), 1.5]}, {"a": None, "b": [None, 1.5]}),
        ([{"deep": {"down": float("nan")}}], [{"deep": {"down": None}}]),
        ({"name": "Zoë", "half": "\ud83d"}, {"name": "Zoë", "half": "\ud83d"}),
    ],
)
def test_it_is_json_and_utf8(value: object, expected: object) -> None:
    text = json_text(value).encode().decode()
    assert json.loads(text, parse_constant=_refuse) == expected


def test_letters_stay_readable() -> None:
    assert json_text({"name": "Zoë"}) == '{"name": "Zoë"}'
