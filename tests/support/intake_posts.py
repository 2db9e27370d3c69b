"""Requests to the endpoints of the functions `intake` and `webhooks`, over a store in memory."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any

from almanac.intake import inbox
from almanac.intake.answers import Answer, HttpRequest
from almanac.intake.http import IntakeEndpoint
from almanac.intake.inbox import Received
from almanac.messaging.bus import Delivery
from almanac.storage import layout
from almanac.storage.memory import MemoryStore

ORG = "206"
NOW = dt.datetime(2026, 11, 23, 15, 30, tzinfo=dt.UTC)
PUBLISHED = dt.datetime(2026, 11, 23, 8, tzinfo=dt.UTC)
JSON = "application/json"
LINES = "application/x-ndjson"


@dataclass
class Inlet:
    """A store with one organization, and the function `intake` before it."""

    store: MemoryStore = field(default_factory=MemoryStore)
    runs: list[tuple[str, str]] = field(default_factory=list)  # asked for: organization, event

    def __post_init__(self) -> None:
        self.store.write(layout.config(ORG), b"timezone: America/Denver\n", None)
        self.store.write(layout.current(ORG), b"{}", None)  # that it is there is all that counts
        self.endpoint = self.another()

    def another(self) -> IntakeEndpoint:
        """Another process of the function."""
        return IntakeEndpoint(self.store, lambda *run: self.runs.append(run), lambda: NOW)

    def post(
        self,
        kind: str,
        body: object,
        *,
        content_type: str = JSON,
        org: str = ORG,
        query: str = "",
        key: str | None = None,
        **headers: str,
    ) -> Answer:
        """Post a body; one that is no text becomes JSON."""
        named = {"content-type": content_type, **headers}
        if key is not None:
            named["idempotency-key"] = key
        return self.ask(request(f"/orgs/{org}/{kind}", body, named, query))

    def ask(self, request: HttpRequest) -> Answer:
        """Ask the function."""
        return asyncio.run(self.endpoint.answer(request))

    def events(self, org: str = ORG) -> list[Received]:
        """What waits in the inbox."""
        return inbox.read(self.store, inbox.waiting(self.store, org))

    def entries(self, org: str = ORG) -> list[Any]:
        """The entries that wait in the inbox, of all events in their order."""
        return [entry for each in self.events(org) for entry in each.event["entries"]]

    def objects(self) -> list[str]:
        """The names of the objects of all inboxes."""
        return [info.name for info in self.store.list("orgs/") if "/inbox/" in info.name]


def request(
    path: str, body: object, headers: dict[str, str], query: str = "", method: str = "POST"
) -> HttpRequest:
    """A request with this body; one that is no text or bytes becomes JSON."""
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else None
    sent = data if data is not None else json.dumps(body).encode()
    return HttpRequest(method, path, query, headers, lambda limit: sent[:limit])


def delivery(content: object) -> Delivery:
    """A message of the topic `intake`; content that is no bytes becomes JSON."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Delivery("intake", "17", PUBLISHED, data)


def said(answer: Answer) -> Any:
    """The document of an answer."""
    return json.loads(answer.body)
