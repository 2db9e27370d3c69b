"""What pydantic refuses is said in Almanac's words, whatever it is."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from almanac.validation_text import first_problem_text


class Point(BaseModel):
    """An object with a key that must be there."""

    model_config = ConfigDict(extra="forbid")
    x: int


@pytest.mark.parametrize(
    ("annotation", "found", "words"),
    [
        (int, "x", "'x' is not a whole number"),
        (Annotated[int, Field(ge=1)], 0, "0 is not 1 or more"),
        (Annotated[float, Field(lt=1)], 1.5, "1.5 is not less than 1.0"),
        (float, "x", "'x' is not a number"),
        (bool, "x", "'x' is not true or false"),
        (str, 1, "1 is not text"),
        (Annotated[str, Field(max_length=2)], "abc", "'abc' is not text of at most 2 characters"),
        (Annotated[str, Field(pattern="^a$")], "b", "'b' is not of the form ^a$"),
        (dt.date, "x", "'x' is not a date YYYY-MM-DD"),
        (AwareDatetime, "2026-11-21T10:00", "is not a time with a zone"),
        (Literal["a", "b"], "c", "'c' is not 'a' or 'b'"),
        (list[int], 3, "3 is not a list"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "is not a list of at most 1 items"),
        (dict[str, int], 3, "3 is not an object"),
        (Point, {"x": 1, "y": 2}, "y: unknown key"),
        (Point, {}, "x: is missing"),
        (list[Point], [{"x": 1}, {"x": "?"}], "1.x: '?' is not a whole number"),
        (None, 3, "3 is not null"),
        (complex, "?", "'?' cannot be taken here"),
    ],
)
def test_a_refusal_says_what_was_found_and_what_is_taken(
    annotation: Any, found: object, words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(annotation).validate_python(found)
    assert words in first_problem_text(refused.value)


def test_what_is_no_json_is_said_with_its_place() -> None:
    with pytest.raises(ValidationError) as refused:
        Point.model_validate_json(b"{")
    assert first_problem_text(refused.value).startswith("is not JSON: EOF while parsing")


def test_a_long_value_is_cut() -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(int).validate_python("9x" * 500)
    assert len(first_problem_text(refused.value)) < 120
