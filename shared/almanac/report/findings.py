"""What is to be said of a database before it is planned, as `almanac check` gives it."""

from __future__ import annotations

from pydantic import BaseModel

from almanac.report.summary import LeftOut


class Findings(BaseModel):
    """The state of a database file; in perfect order all counts are 0 and all lists empty."""

    database: str
    usable: bool  # a run can plan it
    integrity: list[str]  # damage, in SQLite's words
    unusable_tables: list[str]  # a view, say, under the name of one of our tables
    missing_tables: list[str]  # a run creates them
    missing_columns: list[str]  # a run adds them, but for those of contacts
    contacts: int
    eligible: int = 0  # can get messages
    duplicate_ids: int  # rows of contacts that are left out
    non_integer_ids: int
    issues: dict[str, int] = {}  # by kind: contacts
    left_out: list[LeftOut] = []
    unknown_targets: int = 0  # rows of contact_campaigns without a contact
    odd_dates: dict[str, int] = {}  # by table.column: texts that are no date
    last_run: str | None = None

    @property
    def warnings(self) -> int:
        """How many things are not in order, but keep nobody from planning."""
        lists = (self.issues, self.left_out, self.odd_dates)
        counts = (self.duplicate_ids, self.non_integer_ids, self.unknown_targets)
        return sum(len(x) for x in lists) + sum(1 for n in counts if n)
