"""What `almanac campaign` returns: campaigns, and the results of changes and imports."""

from __future__ import annotations

import datetime as dt
from typing import Literal, assert_never

from pydantic import BaseModel

# lends: templates and priority, to the built-in AEP; silent: another one of type aep that says
# neither when nor to whom, and is no campaign
State = Literal["active", "begins", "ended", "inactive", "left out", "lends", "silent"]


class TypeLine(BaseModel):
    """A row of campaign_types, with defaults for missing values."""

    name: str
    fields: dict[str, int | bool] = {}  # empty if one of its numbers is invalid
    problem: str | None = None
    instances: int = 0


class InstanceLine(BaseModel):
    """A campaign instance with its counts; follow-ups are counted separately."""

    instance_id: int
    name: str
    campaign_type: str
    start: dt.date | None = None  # active_start_date
    end: dt.date | None = None
    state: State
    problem: str | None = None  # why it is left out, lends or is silent
    targets: dict[str, int] = {}  # rows of contact_campaigns by status
    planned: int = 0  # dated as_of or later, like the skipped ones
    skipped: dict[str, int] = {}  # by reason
    sent: int = 0  # sent or delivered so far
    followups: int = 0  # planned

    @property
    def state_words(self) -> str:
        """Return the state in words, with its day if it has one."""
        match self.state:
            case "begins":
                return f"begins {self.start}"
            case "ended":
                return f"ended {self.end}"
            case "inactive":
                return "type is inactive"
            case "lends":
                return "lends to the built-in AEP"
            case "silent":
                return "no campaign"
            case "active" | "left out":
                return self.state
            case _:
                assert_never(self.state)


class CampaignList(BaseModel):
    """All types and instances."""

    database: str
    as_of: dt.date
    counted: bool  # whether targets and messages were counted
    types: list[TypeLine]
    instances: list[InstanceLine]


class Reach(BaseModel):
    """The contacts that can get messages and that an instance targets."""

    contacts: int
    suppressed: int  # among them; they get no messages
    outside_split: int = 0  # others that match, but are not in the instance's split
    by_state: dict[str, int]  # USPS codes, or "unknown"; the most first


class Field(BaseModel):
    """A field of a type, and its value for an instance."""

    name: str
    of_type: int | bool | None
    override: int | bool | str | None = None  # by the metadata


class LoggedChange(BaseModel):
    """A row of campaign_change_log."""

    changed_at: str | None
    changed_by: str | None
    field: str | None  # None: replanned without a change
    old: str | None
    new: str | None


class CampaignShown(BaseModel):
    """One instance in full."""

    database: str
    as_of: dt.date
    instance: InstanceLine
    columns: dict[str, str | None]  # of campaign_instances
    fields: list[Field]
    reach: Reach | None  # None if it is left out, lends or is silent
    busiest_days: dict[str, int]  # messages planned by day, the most first
    first_day: str | None
    last_day: str | None
    changes: list[LoggedChange]


class FieldChange(BaseModel):
    """A column before and after."""

    field: str
    old: str | None
    new: str | None


class Affected(BaseModel):
    """The contacts that a change affects."""

    contacts: int
    planned_rows: int  # of these contacts, before the change


class Replanned(BaseModel):
    """A run over the contacts that a change affects."""

    run_id: str
    contacts: int
    changes: dict[str, int]  # rows added, moved, updated, removed, ...


class ChangeResult(BaseModel):
    """The result of a change, or of its preview."""

    database: str
    what: Literal["instance", "type"]
    instance_id: int | None = None
    name: str
    campaign_type: str
    added: bool = False
    changes: list[FieldChange] = []  # or the fields of a new type or instance
    event_id: str | None = None
    outcome: Literal["written", "nothing to change", "done before", "dry run", "published"]
    affected: Affected | None = None
    replanned: Replanned | None = None
    run_ids: list[str] = []  # of the requested runs
    state: str | None = None  # of the instance after the change, in words


class Imported(BaseModel):
    """The result of an import of targets."""

    database: str
    instance_id: int
    name: str
    campaign_type: str
    file: str
    # waiting: they are in the inbox of a store, and the next run decides on each
    outcome: Literal["written", "waiting", "dry run", "refused"]
    read: int  # rows after the header
    added: int
    there_already: int
    waiting: int = 0
    updated: int = 0  # of these, those whose metadata changed
    rejected: dict[str, int]  # by reason
    rejects_file: str | None = None
    examples: list[tuple[int, str]] = []  # line and why, of the first rejects
    notes: list[str] = []
    replanned: Replanned | None = None
    run_ids: list[str] = []

    @property
    def rejected_total(self) -> int:
        return sum(self.rejected.values())


class Removed(BaseModel):
    """The result of a removal, or of its preview."""

    database: str
    instance_id: int
    name: str
    campaign_type: str
    instance: bool  # the instance itself is removed
    outcome: str  # written, or dry run
    targets: int  # that are removed
    sent: int = 0  # that stay, since their message was sent
    without_target: list[str] = []  # ids and ranges that were given
    planned: int  # messages of these contacts that go when they are planned again
    contacts: int  # that have them
    replanned: Replanned | None = None
    run_ids: list[str] = []  # of the requested runs
