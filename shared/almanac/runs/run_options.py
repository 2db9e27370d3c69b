"""What the run of a file is asked for, and the dates that follow from it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from almanac.config import Config
from almanac.contact_ranges import ContactRange
from almanac.messaging.planned_change import PlannedChange
from almanac.names import change_run_id, manual_run_id
from almanac.organizations.cache_folder import CacheFolder
from almanac.organizations.kept_copies import KeptCopies
from almanac.runs.plan import PlanRequest
from almanac.runs.run_plan import RequestOrigin
from almanac.runs.worker_count import SHARD_CONTACTS

ORG = "local"


@dataclass(frozen=True)
class RunOptions:
    """Options of a run; the run chooses what is None."""

    as_of: dt.date | None = None
    now: dt.datetime | None = None  # aware, or in the organization's zone
    shards: int | None = None
    workers: int | None = None
    scope: Sequence[ContactRange] | None = None
    changes: Sequence[PlannedChange] = ()  # of campaigns: only contacts they affect are planned
    dry_run: bool = False
    event_id: str = ""  # of a change made before, with which the run is undone
    of_the_file: bool = False  # the configuration is the recorded one, and must still be
    adopt_scheduled: bool = False  # see `almanac.database.older_plans`
    busy_seconds: float = 5.0  # how long to wait for a lock on the file
    shard_contacts: int = SHARD_CONTACTS
    copies: KeptCopies | None = None  # where a copy of the file goes before it is changed
    cache: CacheFolder | None = None  # where its planned rows are kept in columns


def as_of(config: Config, options: RunOptions) -> dt.date:
    """Return the date that a run with these options plans on."""
    return options.as_of or _now(config, options).astimezone(config.zone).date()


def _now(config: Config, options: RunOptions) -> dt.datetime:
    now = options.now
    if now is None:
        return dt.datetime.now(dt.UTC)
    return now if now.tzinfo is not None else now.replace(tzinfo=config.zone)


def clock_of(config: Config, options: RunOptions) -> dt.datetime:
    """Return options.now, or by default the minute before the send time, so that T0 is as_of."""
    if options.now is not None:
        return _now(config, options)
    send = dt.datetime.combine(as_of(config, options), config.send_clock, config.zone)
    return send - dt.timedelta(minutes=1)


def request_of(config: Config, options: RunOptions) -> PlanRequest:
    day, request_id = as_of(config, options), uuid.uuid4().hex[:12]
    run_id = manual_run_id(day, request_id)
    if options.changes:
        run_id = change_run_id(day, options.changes[0].event_id)
    return PlanRequest(
        org_id=ORG,
        run_id=run_id,
        asked=RequestOrigin(
            base=run_id, request_id=request_id, requested_at=clock_of(config, options)
        ),
        reason="change" if options.changes else "manual",
        config=config,
        as_of=day,
        scope=options.scope,
        shards=options.shards,
        changes=options.changes,
    )
