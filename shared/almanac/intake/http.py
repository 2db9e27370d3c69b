"""The function `intake`: what CRMs, senders and scripts post, put into the inbox.

`POST /orgs/<org>/<kind>` is answered when what it brings is durable. docs/intake.md is the page for
those who call it; `GET /openapi.json` describes it to programs.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from almanac.errors import AlmanacError
from almanac.intake import inbox
from almanac.intake.answers import (
    Answer,
    HttpProblem,
    HttpRequest,
    method_not_allowed,
    to_json,
)
from almanac.intake.body import RequestBody, read_body
from almanac.intake.events import EVENTS
from almanac.intake.group_commit import GroupCommit
from almanac.intake.inbox import Received
from almanac.intake.known_organizations import KnownOrganizations
from almanac.intake.openapi import openapi
from almanac.intake.replan import AskForRun
from almanac.intake.taken import Taken, first_id, take
from almanac.logs import get_log
from almanac.storage.store import ObjectStore
from almanac.tracing import note, span, traced

# bytes of bodies that one process handles at the same time; each needs some ten times as many
MAX_IN_FLIGHT = 32 * 1024 * 1024
REMEMBERED = 50_000  # requests with a key, whose body a process remembers
REFUSED_SHOWN = 1_000  # entries, of an answer
RETRY_SECONDS = 2
_SMALL = 100_000  # bytes of a body that is read at once; its entries are one event's
_PATH = re.compile(r"/orgs/([^/]+)/([^/]+)")


class IntakeEndpoint:
    """Answers requests, any number at a time."""

    def __init__(
        self,
        store: ObjectStore,
        ask_for_run: AskForRun,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._store = store
        self._ask_for_run = ask_for_run
        self._clock = clock
        self._organizations = KnownOrganizations(store)
        self._commit = GroupCommit(self._write)
        self._bodies: OrderedDict[str, str] = OrderedDict()  # digests, by the first event's id
        self._in_flight = 0
        self._lock = threading.Lock()

    async def answer(self, request: HttpRequest) -> Answer:
        """Return the answer to a request; a bug is logged, and answered with 500."""
        try:
            return await self._routed(request)
        except HttpProblem as problem:
            return problem.answer()
        except Exception:
            get_log().exception("request failed")
            return HttpProblem(500, "this is a fault of ours; it is in the log").answer()

    async def _routed(self, request: HttpRequest) -> Answer:
        match request.path:
            case "/health":
                return Answer(200, b'{"ok":true}\n')
            case "/openapi.json":
                if request.method not in ("GET", "HEAD"):
                    raise method_not_allowed("GET")
                return Answer(200, openapi())
        found = _PATH.fullmatch(request.path)
        if found is None or found[2] not in EVENTS:
            kinds = ", ".join(EVENTS)
            raise HttpProblem(404, f"there is nothing at this path; it is /orgs/<org>/ and {kinds}")
        if request.method != "POST":
            raise method_not_allowed("POST")
        return await self._take(request, found[1], found[2])

    async def _take(self, request: HttpRequest, org: str, kind: str) -> Answer:
        replan, key = _options(request)
        data = request.body()
        note(org_id=org, kind=kind, bytes=len(data))
        with self._room_for(len(data)), _store_answers():
            if (exists := self._organizations.known(org)) is None:
                exists = await asyncio.to_thread(self._organizations.look_up, org)
            if not exists:
                raise HttpProblem(404, "the store has no database of this organization")

            def read() -> tuple[Taken, bool]:
                body = read_body(data, request.content_type(), org)
                wanted = body.replan if replan is None else replan
                if wanted != body.replan:
                    body = replace(body, replan=wanted)
                return self._taken(kind, org, body, key, data), wanted

            # others are answered while a large body is read
            taken, planned = await asyncio.to_thread(read) if len(data) > _SMALL else read()
            with span("put"):
                await self._commit.put(org, taken.received(kind, self._clock(), "http"), len(data))
            if planned:
                await asyncio.to_thread(self._ask_for_run, org, taken.events[0]["event_id"])
        return Answer(202, to_json(_accepted(taken)))

    @traced("validate")
    def _taken(self, kind: str, org: str, body: RequestBody, key: str | None, data: bytes) -> Taken:
        """Return what is taken of a body; raise HttpProblem (409, 422)."""
        event_id = first_id(kind, org, body, key)
        taken = take(kind, org, body, event_id, measured=len(data) > _SMALL)
        if not taken.events:
            raise HttpProblem(422, "no entry can be taken", **_refusals(taken))
        if key is not None or body.event_id is not None:
            self._compare(event_id, org, kind, data, body.replan)
        return taken

    def _compare(self, event_id: str, org: str, kind: str, data: bytes, replan: bool) -> None:
        """Raise HttpProblem (409) if a request with the same key had another body.

        A process remembers its last requests only. What it does not notice is refused when the
        event is absorbed, since the database has an event of that id with other content.
        """
        content = hashlib.sha256(f"{kind}\n{replan}\n".encode() + data).hexdigest()
        name = f"{org}/{event_id}"
        with self._lock:
            known = self._bodies.setdefault(name, content)
            self._bodies.move_to_end(name)
            if len(self._bodies) > REMEMBERED:
                self._bodies.popitem(last=False)
        if known != content:
            raise HttpProblem(
                409, "a request with the same Idempotency-Key or event_id had another body"
            )

    def _write(self, org: str, received: Sequence[Received]) -> None:
        """Write an object of the inbox; once more under another name if that is not certain.

        Where the first was written after all, its events are there twice, and count once.
        """
        try:
            inbox.put(self._store, org, received)
        except AlmanacError:
            now = self._clock()
            again = [each.model_copy(update={"received": now}) for each in received]
            inbox.put(self._store, org, again)
        entries = sum(len(each.event["entries"]) for each in received)
        get_log().info("events taken", org_id=org, events=len(received), entries=entries)

    @contextmanager
    def _room_for(self, size: int) -> Iterator[None]:
        """Raise HttpProblem (429) if this process has too much at hand for a body of that size."""
        with self._lock:
            if self._in_flight + size > MAX_IN_FLIGHT:
                raise HttpProblem(
                    429, "too much is in flight; try again", {"Retry-After": str(RETRY_SECONDS)}
                )
            self._in_flight += size
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= size


@contextmanager
def _store_answers() -> Iterator[None]:
    """Turn an error of the store, or of the topic, into HttpProblem (503)."""
    try:
        yield
    except HttpProblem:
        raise
    except AlmanacError as error:
        get_log().warning("request put off", reason=str(error))
        raise HttpProblem(
            503,
            "it is not certain that everything was taken; send it again, with the same key",
            {"Retry-After": str(RETRY_SECONDS)},
        ) from error


def _options(request: HttpRequest) -> tuple[bool | None, str | None]:
    """Return what the query says of `replan`, None for nothing, and the Idempotency-Key."""
    query = parse_qs(request.query, keep_blank_values=True) if request.query else {}
    if unknown := sorted(set(query) - {"replan"}):
        raise HttpProblem(400, f"{unknown[0][:80]!r} is no parameter here; there is only replan")
    words = query.get("replan")
    if words is not None and words[-1] not in ("true", "false"):
        raise HttpProblem(400, f"replan: {words[-1][:80]!r} is not true or false")
    key = request.headers.get("idempotency-key")
    if key is not None:
        key = key.strip().removeprefix('"').removesuffix('"')  # as text of a structured field
    return (words[-1] == "true" if words else None), key


def _accepted(taken: Taken) -> dict[str, Any]:
    ids = [each["event_id"] for each in taken.events]
    return {"accepted": taken.accepted, "event_ids": ids, **_refusals(taken)}


def _refusals(taken: Taken) -> dict[str, Any]:
    """Return what an answer says of refused entries, the first of them by index."""
    shown = [{"index": index, "why": why} for index, why in taken.refused[:REFUSED_SHOWN]]
    return {"refused_count": len(taken.refused), "refused": shown}
