"""How the planned rows of two database files differ, as `almanac diff` gives it."""

from __future__ import annotations

from pydantic import BaseModel, computed_field

from almanac.report.lines import ChangeLine

CHANGES = (
    "added",  # to be sent, and not there before
    "removed",  # not there any more
    "moved",  # to be sent on another day
    "skipped anew",  # skipped, and was to be sent or was not there
    "planned again",  # to be sent, and was skipped
    "updated",  # another template, reason or ideal date
    "taken by the sender",  # a planned row that has become a committed one
)


class Difference(BaseModel):
    """Planned rows that differ between an old and a new file."""

    old: str
    new: str
    rows_old: int  # planned rows
    rows_new: int
    unchanged: int
    by_type: dict[str, dict[str, int]]  # change -> email type -> rows
    by_day: dict[str, dict[str, int]]  # day (of what went, the old one) -> change -> rows
    changes_by_reason: list[ChangeLine] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def changes(self) -> dict[str, int]:
        """Rows by change, those that did not happen included."""
        return {name: sum(self.by_type.get(name, {}).values()) for name in CHANGES}
