"""The shape of an agency: the shares and weights that a generated one has, and nothing of a person.

Without anything measured it is what `facts` says. `statistics.agency_shape` measures one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from almanac.errors import InputError
from almanac.generation import facts
from almanac.generation.campaign_rows import INSTANCES
from almanac.generation.oddities import CHANGES, NULL, Oddity
from almanac.generation.places import STATES
from almanac.json_text import json_text
from almanac.validation_text import first_problem_text

NUMBERS = ("agent_id", "tobacco_user", "failed_underwriting")
TEXTS = (
    *("first_name", "last_name", "email", "current_carrier", "plan_type", "effective_date"),
    *("birth_date", "gender", "state", "zip_code", "phone_number", "status"),
    *("created_at", "updated_at"),
)
FORMAT: Literal["almanac-shape-1"] = "almanac-shape-1"


def _some(weights: dict[str, float]) -> dict[str, float]:
    if sum(weights.values()) <= 0:
        raise ValueError("expected a weight above 0")
    return weights


def _spans(spans: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    if any(first >= before for first, before, _ in spans) or sum(w for _, _, w in spans) <= 0:
        raise ValueError("expected spans [from, before, weight] with a weight above 0")
    return spans


def _list_of_some(weights: list[float]) -> list[float]:
    _some(dict(enumerate(weights)))  # type: ignore[arg-type]
    return weights


def _oddities(groups: list[list[Oddity]]) -> list[list[Oddity]]:
    for column, change, _ in (oddity for group in groups for oddity in group):
        if change not in CHANGES or not (column in TEXTS or (column in NUMBERS and change == NULL)):
            raise ValueError(f"there is no oddity {change!r} of a column {column!r}")
    return groups


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Year = Annotated[int, Field(ge=-100, le=200)]
Weights = Annotated[dict[str, Weight], AfterValidator(_some)]
Spans = Annotated[list[tuple[Year, Year, Weight]], AfterValidator(_spans)]
ListOfWeights = Annotated[list[Weight], AfterValidator(_list_of_some)]
Groups = Annotated[
    list[list[tuple[str, str, Share]]], Field(max_length=100), AfterValidator(_oddities)
]


class _ShapePart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatePattern(_ShapePart):
    """When in the year and how long ago the dates of contacts are; each by itself."""

    years: Spans  # completed on the day, negative before it: from, before, weight
    months: Annotated[ListOfWeights, Field(min_length=12, max_length=12)]
    days: Annotated[ListOfWeights, Field(min_length=31, max_length=31)]
    leap: Share = 0.0  # on a 29 February; months and days are of the others


class ExtraColumn(_ShapePart):
    """A column of contacts that the generator does not have otherwise."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
    kind: Literal["INTEGER", "TEXT"]
    filled: Share  # of the rows; the others are NULL
    true: Share | None = None  # of the filled ones, for a flag: 1, the others 0


class Shape(_ShapePart):
    """Shares are of contacts unless stated otherwise; weights need not have a given sum."""

    format: Literal["almanac-shape-1"] = FORMAT
    contacts: Annotated[int, Field(ge=1, le=10**9)] | None = None
    births: DatePattern | None = None
    effective_dates: DatePattern | None = None
    states: Weights = {state.code: float(state.seniors) for state in STATES}
    carriers: Weights = dict(facts.CARRIERS)
    plan_types: Weights = dict(facts.PLAN_TYPES)
    statuses: Weights = dict(facts.STATUSES)
    genders: Weights | None = None
    tobacco: Share = facts.TOBACCO_SHARE
    failed_underwriting: Share = facts.FAILED_UNDERWRITING_SHARE
    phones: Share = facts.PHONE_SHARE
    agents: Share = facts.AGENTS_PER_CONTACT  # per contact
    repeated_emails: Share = 0.0  # have the address of another contact
    oddities: Groups = [list(facts.ODDITIES)]  # a row has at most one of each group
    extra_columns: Annotated[list[ExtraColumn], Field(max_length=500)] = []
    # of past messages: contacts with 0, 1, 2 ... of them, types, statuses
    history_rows: Annotated[ListOfWeights, Field(max_length=40)] | None = None
    history_types: Weights = dict(facts.HISTORY_TYPES)
    history_statuses: Weights = dict(facts.HISTORY_STATUSES)
    clicks: Share = facts.CLICK_SHARE  # of the recently sent ones
    answers: Share = facts.ANSWER_SHARE
    suppressions: Share = facts.SUPPRESSION_SHARE
    campaigns: Annotated[int, Field(ge=0, le=1000)] = len(INSTANCES)  # instances
    targets: Share = facts.TARGET_SHARE  # contacts that are a target of any campaign
    second_targets: Share = facts.SECOND_TARGET_SHARE  # of these, a target of two
    no_trigger: Share | None = None  # of the targets
    orphans: Share = facts.ORPHAN_SHARE  # of the targets
    target_statuses: Weights = dict(facts.TARGET_STATUSES)

    @property
    def nullable(self) -> frozenset[str]:
        """Return the columns of contacts that have NULLs."""
        groups = (oddity for group in self.oddities for oddity in group)
        return frozenset(column for column, change, _ in groups if change == NULL)

    @property
    def repeats_emails(self) -> bool:
        """Return whether two contacts may have the same address, or none but an empty one."""
        return self.repeated_emails > 0 or "oddities" in self.model_fields_set

    @property
    def measured(self) -> frozenset[str]:
        """Return the names of what is not the generator's own."""
        return frozenset(self.model_fields_set) - {"format", "contacts"}


def read_shape(path: Path) -> Shape:
    """Return the shape in a JSON file; raise InputError if it holds none."""
    try:
        return Shape.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"--like: {path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise InputError(f"--like: {path}: {first_problem_text(error)}") from None


def shape_text(shape: Shape) -> str:
    """Return the shape as JSON, a line for each field, without what is the generator's own."""
    found = {"format": FORMAT} | shape.model_dump(exclude_unset=True)
    lines = (f"  {json_text(key)}: {json_text(value)}" for key, value in found.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"
