"""A request to change a campaign, as the commands make it."""

from __future__ import annotations

import datetime as dt
import os
import pwd
import uuid
from dataclasses import dataclass

from almanac.messaging.planned_change import PlannedChange
from almanac.names import check_event_id

Changes = dict[str, str | None]  # new values by field; None clears it


@dataclass(frozen=True)
class ChangeRequest:
    """Who requests a change, and when."""

    event_id: str
    changed_by: str | None
    as_of: dt.date
    now: dt.datetime

    @property
    def timestamp(self) -> str:
        """Return the time as SQLite's CURRENT_TIMESTAMP writes it."""
        return self.now.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")

    @property
    def times(self) -> dict[str, str]:
        """Return the columns of time of a row that it adds."""
        return {"created_at": self.timestamp, "updated_at": self.timestamp}

    def change(self, instance: int, changes: Changes) -> PlannedChange:
        """Return the change of an instance as a run applies it."""
        return PlannedChange(
            event_id=self.event_id,
            campaign_instance_id=instance,
            changes=changes,
            changed_by=self.changed_by,
        )

    def replan(self, instance: int) -> PlannedChange:
        """Return the event that replans an instance whose change is written already.

        It has an id of its own, derived from that of the request.
        """
        change = self.change(instance, {})
        return change.model_copy(update={"event_id": f"{self.event_id}.{instance}"})


def new_request(
    as_of: dt.date, changed_by: str | None = None, event_id: str | None = None
) -> ChangeRequest:
    """Return a request of now, by default from the system's user and with a new event id.

    Raises RequestError for an invalid event id.
    """
    return ChangeRequest(
        event_id=uuid.uuid4().hex if event_id is None else check_event_id(event_id),
        changed_by=changed_by or _user(),
        as_of=as_of,
        now=dt.datetime.now(dt.UTC),
    )


def _user() -> str | None:
    """Return the user's name as the system knows it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None
