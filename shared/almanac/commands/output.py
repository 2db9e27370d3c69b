"""What commands print on standard output: text, or one JSON object."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter
from rich.console import Console

from almanac.report.text import console_for

M = TypeVar("M", bound=BaseModel)

_OBJECT = TypeAdapter(dict[str, object])


def print_result(found: M, as_json: bool, print_text: Callable[[Console, M], None]) -> None:
    """Print a result as text, or as one JSON object."""
    if as_json:
        print(found.model_dump_json())
    else:
        print_text(console_for(sys.stdout), found)


def print_json(**values: object) -> None:
    """Print the values as one JSON object."""
    print(_OBJECT.dump_json(values).decode())
