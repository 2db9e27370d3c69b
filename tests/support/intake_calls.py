"""What tests of events share: events made of entries, absorbed into a tiny agency."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import apsw

from almanac.config import Config
from almanac.database.opening import transaction
from almanac.intake.absorb import Absorbed, absorb
from almanac.intake.inbox import Received
from tests.support.tiny import Agency

NOW = dt.datetime(2026, 11, 21, 14, 0, tzinfo=dt.UTC)


def received(
    kind: str, *entries: object, event_id: str = "e1", minutes: int = 0, **fields: Any
) -> Received:
    """An event of entries, published some minutes after NOW."""
    event = {"event_id": event_id, "org_id": "206", "entries": list(entries)} | fields
    at = NOW + dt.timedelta(minutes=minutes)
    return Received(kind=kind, event=event, received=at, source="http")


def absorbed(agency: Agency, *events: Received, config: dict[str, Any] | None = None) -> Absorbed:
    """What absorbing events comes to, in one transaction."""
    connection = apsw.Connection(str(agency.path))
    settings = Config.model_validate(config or {})
    try:
        with transaction(connection, agency.path):
            done = absorb(connection, events, settings, NOW, "2026-11-21-daily")
    finally:
        connection.close()
    return done


def refused(agency: Agency) -> list[tuple[int | None, str]]:
    """The refused entries that the log has, by index, with the reason."""
    rows = agency.query("SELECT refused FROM intake_log WHERE refused <> '' ORDER BY id")
    return [(each["index"], each["why"]) for (text,) in rows for each in json.loads(text)]
