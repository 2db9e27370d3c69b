"""A campaign change as runs apply it: the message without its organization."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class PlannedChange(BaseModel):
    """A campaign change that the run applies."""

    model_config = ConfigDict(frozen=True)

    event_id: str
    campaign_instance_id: int
    changes: dict[str, str | None]
    changed_by: str | None = None
