"""What `almanac check` finds in a database before it is planned."""

from __future__ import annotations

from pydantic import BaseModel

from almanac.report.lines import SharedAddresses
from almanac.report.summary import LeftOut, Unreadable


class Findings(BaseModel):
    """The state of a database file; if nothing is wrong, all counts are 0 and all lists empty."""

    database: str
    configuration: str = ""  # by which the file is judged: where it comes from, in words
    usable: bool  # a run can plan it
    integrity: list[str]  # damage, as SQLite reports it
    unusable_tables: list[str]  # such as a view under the name of one of our tables
    run_fails: str | None = None  # the error of a run on a copy, if it ends with one
    missing_tables: list[str]  # a run creates them
    missing_columns: list[str]  # a run adds them, except those of contacts
    without_key: list[str] = []  # tables without a key of ids, which a run rebuilds with one
    # of email_schedules: columns that are UNIQUE together; a run rebuilds the table without that
    forbidden_unique: list[str] = []
    ignoring_triggers: list[str] = []  # which trigger ignores changes of which of our tables
    contacts: int
    eligible: int = 0  # can get messages
    contacts_left_out: dict[str, int] = {}  # those who can get none, by why
    duplicate_ids: int  # rows of contacts that are left out
    non_integer_ids: int
    invalid_ids: Unreadable = Unreadable()  # the same with examples
    # neither state nor ZIP code of any contact can be read: a run needs --without-states
    without_states: str | None = None
    alerts: list[str] = []  # what cannot be read of all or of most contacts
    likely_columns: dict[str, str] = {}  # by name of a column that contacts lacks: another
    refused: str | None = None  # why a run refuses the file, where that is neither of the above
    issues: dict[str, int] = {}  # by kind: contacts
    left_out: list[LeftOut] = []
    unknown_targets: int = 0  # rows of contact_campaigns without a contact
    unreadable_targets: Unreadable = Unreadable()  # the same as those of a run's summary
    odd_target_metadata: Unreadable = Unreadable()
    aep: str = ""
    rules: str = ""  # what the state rules lack, and which change
    split_overlaps: list[str] = []
    # opt-out and consent columns of the configuration that contacts does not have, in words
    unknown_flags: list[str] = []
    shared_addresses: SharedAddresses = SharedAddresses()
    on_closed_days: dict[str, int] = {}  # committed rows dated today or later, by closed day
    # rows of status scheduled, dated today or later, of an older scheduler: they block their events
    scheduled_by_others: int = 0
    odd_dates: dict[str, int] = {}  # by table.column: texts that are not a date
    last_run: str | None = None

    @property
    def warnings(self) -> int:
        """Return the number of problems that do not prevent planning."""
        lists = (
            *(self.alerts, self.likely_columns, self.issues, self.left_out, self.odd_dates),
            *(self.split_overlaps, self.ignoring_triggers, self.unknown_flags, self.on_closed_days),
        )
        counts = (
            *(self.duplicate_ids, self.non_integer_ids, self.unknown_targets),
            *(self.scheduled_by_others, self.shared_addresses.addresses),
            self.odd_target_metadata.count,
        )
        return sum(len(x) for x in lists) + sum(1 for n in counts if n)
