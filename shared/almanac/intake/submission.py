"""Put the entries of a command into the inbox of an organization, as events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from almanac.intake.inbox import Received, put
from almanac.intake.packing import numbered, packed
from almanac.json_text import json_text
from almanac.organizations.organizations import own_id
from almanac.storage.store import ObjectStore
from almanac.storage.versions import require_current

_EVENTS = 32  # of an object

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Submitted:
    """What is durable in the inbox, and waits for the next run. event_id: None without entries.

    The ids of the events after the first have a number behind them.
    """

    event_id: str | None
    events: int
    entries: int


def submit(
    store: ObjectStore,
    org: str,
    kind: str,
    entries: Iterable[Entry],
    *,
    word: str,
    now: dt.datetime,
    replan: bool = False,
) -> Submitted:
    """Put entries of a kind of event into the inbox; they are durable when this returns.

    word: the command, with which the ids of the events begin. Up to 32,000 entries come in together
    or not at all. Raises what the store raises, RequestError for an entry that is too large and for
    an organization without a version.
    """
    require_current(store, org)
    event_id = own_id(word, now)
    parts = packed(entries, lambda entry: json_text(dict(entry)))
    events = count = 0
    while batch := list(islice(parts, _EVENTS)):
        received = []
        for part in batch:
            events += 1
            count += len(part)
            event = {
                "event_id": numbered(event_id, events),
                "org_id": org,
                "entries": part,
                "replan": replan,
            }
            received.append(Received(kind=kind, event=event, received=now, source="command"))
        put(store, org, received)
    return Submitted(event_id if events else None, events, count)
