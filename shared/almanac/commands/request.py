"""`almanac request`."""

from __future__ import annotations

import datetime as dt
import json
import sys
import uuid
from collections.abc import Sequence

from almanac.commands.arguments import read_date
from almanac.commands.endings import OK
from almanac.errors import InputError
from almanac.messaging.bus import Bus
from almanac.messaging.envelope import REQUEST_ID, REQUESTED_AT
from almanac.messaging.messages import CampaignChange, Message, RunRequest, parse, to_json
from almanac.messaging.pubsub import PubSubBus
from almanac.messaging.topics import Topics
from almanac.names import change_run_id, daily_run_id, manual_run_id
from almanac.organizations.organizations import read_config
from almanac.report.text import console_for, table
from almanac.settings import Settings, load_settings
from almanac.storage.opening import open_store


def run(
    org: str | None,
    as_of: str | None,
    reason: str,
    force: bool,
    as_json: bool,
    bus: Bus | None = None,
) -> int:
    """Publishes a RunRequest; over `bus` rather than Pub/Sub where that is given."""
    given = {"org_id": org, "as_of": as_of, "reason": reason, "force": force}
    request = parse(RunRequest, json.dumps(given).encode())
    settings, asked, request_id = load_settings(), dt.datetime.now(dt.UTC), uuid.uuid4().hex
    day = read_date(as_of) if as_of else _today(settings, org, asked)
    topic = Topics(settings.topic_prefix).run_requests
    _publish(bus, settings, topic, request, request_id, asked)
    if day is None:
        return _tell(request, None, as_json)
    run_id = daily_run_id(day) if reason == "daily" else manual_run_id(day, request_id)
    return _tell(request, run_id, as_json)


def change(
    org: str,
    instance: int,
    settings: Sequence[str],
    event_id: str | None,
    changed_by: str | None,
    as_json: bool,
    bus: Bus | None = None,
) -> int:
    """Publishes a CampaignChange; over `bus` rather than Pub/Sub where that is given."""
    given = {
        "event_id": uuid.uuid4().hex if event_id is None else event_id,
        "org_id": org,
        "campaign_instance_id": instance,
        "changes": _changes(settings),
        "changed_by": changed_by,
    }
    request = parse(CampaignChange, json.dumps(given).encode())
    ours = load_settings()
    day = _today(ours, org, publish_change(request, ours, bus))
    return _tell(request, change_run_id(day, request.event_id) if day else None, as_json)


def publish_change(message: CampaignChange, settings: Settings, bus: Bus | None) -> dt.datetime:
    """Publish the change; when that was, which tells the day of its run."""
    asked = dt.datetime.now(dt.UTC)
    topic = Topics(settings.topic_prefix).campaign_changes
    _publish(bus, settings, topic, message, uuid.uuid4().hex, asked)
    return asked


def _changes(settings: Sequence[str]) -> dict[str, str | None]:
    """FIELD=VALUE by field; a field that is to be cleared has no value."""
    changes: dict[str, str | None] = {}
    for text in settings:
        field, sign, value = text.partition("=")
        if not sign or not field.strip():
            raise InputError(
                f"--set: {text!r} is not FIELD=VALUE, such as active_end_date=2026-12-31"
            )
        if field.strip() in changes:
            raise InputError(f"--set: {field.strip()} is given twice")
        changes[field.strip()] = value or None
    return changes


def _publish(
    bus: Bus | None,
    settings: Settings,
    topic: str,
    message: Message,
    request_id: str,
    asked: dt.datetime,
) -> None:
    """Publish it with an id and a time of our own: the id of its run is known beforehand then."""
    attributes = {REQUEST_ID: request_id, REQUESTED_AT: asked.isoformat()}
    (bus or PubSubBus(settings.required_project())).publish(topic, [to_json(message)], attributes)


def _today(settings: Settings, org: str | None, asked: dt.datetime) -> dt.date | None:
    """The day that the run is planned on; None where the organization's zone is not known here."""
    if org is None or settings.store is None:
        return None
    zone = read_config(open_store(settings.store), org).zone
    return asked.astimezone(zone).date()


def _tell(request: Message, run_id: str | None, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"message": request.model_dump(mode="json"), "run_id": run_id}))
        return OK
    unknown = "begins with today's date in the organization's time zone"
    rows = [("published", to_json(request).decode()), ("its run", run_id or unknown)]
    table(console_for(sys.stdout), ("!", ""), rows, indent=0)
    return OK
