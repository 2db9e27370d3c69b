"""JSON objects of the store as pydantic models."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from almanac.errors import Corrupt
from almanac.storage.store import ObjectStore, read_or_none
from almanac.validation_text import first_problem_text


class Document(BaseModel):
    """A JSON object of the store. Keys of a later release do not make it unreadable."""

    model_config = ConfigDict(frozen=True, extra="ignore")


D = TypeVar("D", bound=Document)


def read_document(store: ObjectStore, name: str, model: type[D]) -> tuple[D, int] | None:
    """Return the document and its generation, None if there is none; raise Corrupt if invalid."""
    found = read_or_none(store, name)
    if found is None:
        return None
    try:
        return model.model_validate_json(found.data), found.generation
    except ValidationError as error:
        raise Corrupt(f"{name}: {first_problem_text(error)}") from None


def to_json(document: Document) -> bytes:
    """Return the document as stored: indented, so that a person can read it."""
    return document.model_dump_json(indent=2).encode() + b"\n"
