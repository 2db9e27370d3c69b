"""How the planned rows of two database files differ, as `almanac diff` gives it."""

from __future__ import annotations

from pydantic import BaseModel, computed_field

from almanac.report.lines import ChangeLine

CHANGES = (
    "added",  # planned, and not in the old file
    "removed",  # not in the new file
    "moved",  # planned on another day
    "skipped anew",  # skipped, and was planned or not in the old file
    "planned again",  # planned, and was skipped
    "updated",  # another template, reason or ideal date
    "taken by the sender",  # a planned row that has become committed
)


class Difference(BaseModel):
    """Planned rows that differ between an old and a new file."""

    old: str
    new: str
    rows_old: int  # planned rows
    rows_new: int
    unchanged: int
    by_type: dict[str, dict[str, int]]  # change -> email type -> rows
    by_day: dict[str, dict[str, int]]  # day (of removed rows the old one) -> change -> rows
    changes_by_reason: list[ChangeLine] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def changes(self) -> dict[str, int]:
        """Return the rows of each change, 0 included."""
        return {name: sum(self.by_type.get(name, {}).values()) for name in CHANGES}
