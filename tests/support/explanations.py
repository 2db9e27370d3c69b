"""Explanations of contacts in files, for tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from almanac.explain.explain import explain_contact as explain_in
from almanac.explain.lookup import Question
from almanac.explain.model import DayExplanation, Decision, ExplainedMessage, Explanation
from almanac.organizations.agency_database import FileDatabase
from tests.support.cli_calls import AS_OF
from tests.support.tiny import Agency

ROOT = Path(__file__).parent.parent.parent
SECTIONS = set(re.findall(r"^## (.+)$", (ROOT / "docs/semantics.md").read_text("utf-8"), re.M))


def explain_contact(path: Path, contact: int | str, **question: Any) -> Explanation:
    """Of a file."""
    return explain_in(FileDatabase(path), contact, Question(**question))


def explain(tiny: Agency, contact: int = 1, **config: Any) -> Explanation:
    """Plan the agency, then explain a contact of it."""
    tiny.plan(AS_OF, **config)
    return explain_contact(tiny.path, contact)


def one(found: Explanation, email_type: str) -> ExplainedMessage:
    """The only message of a type."""
    (message,) = (m for m in found.messages if m.email_type == email_type)
    return message


def day_of(found: Explanation) -> DayExplanation:
    """What was found of the day that was asked for."""
    assert found.on is not None
    return found.on


def decisions_of(found: Explanation) -> list[Decision]:
    """All decisions that an explanation tells."""
    on = [*found.on.messages, *found.on.absent] if found.on else []
    return [*(d for m in found.messages for d in m.decisions), *found.absent, *on]
