"""The function `webhooks`: the reports of SendGrid and Twilio, put into the inbox.

Anybody can reach it: what is not signed as its provider signs is answered with 403, and nothing is
written; so is everything of an organization without a database.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from almanac.config import Config, load_config
from almanac.errors import AlmanacError
from almanac.intake import inbox, sendgrid, twilio
from almanac.intake.answers import Answer, HttpProblem, HttpRequest, answered, method_not_allowed
from almanac.intake.body import RequestBody
from almanac.intake.inbox import Received
from almanac.intake.known_organizations import has_database
from almanac.intake.reports import Reports
from almanac.intake.taken import take
from almanac.logs import get_log
from almanac.storage import layout
from almanac.storage.store import ObjectStore, read_or_none

CONFIG_SECONDS = 60.0  # for which a configuration is remembered
MAX_FIELDS = 200  # parameters of a form
_REMEMBERED = 1_000
_PATH = re.compile(r"/orgs/([^/]+)/webhooks/(sendgrid|twilio)")
_NOTHING_TO_SAY = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


class WebhookEndpoint:
    """Answers reports, any number at a time.

    public_url: where providers call the function, without /orgs/...; twilio_token: the auth token.
    Without the two nothing of Twilio is taken.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        public_url: str | None,
        twilio_token: str | None,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._store = store
        self._public_url = (public_url or "").rstrip("/")
        self._twilio_token = twilio_token
        self._clock = clock
        self._configs: dict[str, tuple[Config | None, float]] = {}  # until when
        self._lock = threading.Lock()

    def answer(self, request: HttpRequest) -> Answer:
        """Return the answer to a request; a bug is logged, and answered with 500."""
        try:
            return answered(lambda: self._routed(request))
        except AlmanacError as error:
            get_log().warning("report put off", reason=str(error))
            return HttpProblem(503, "try again", {"Retry-After": "10"}).answer()
        except Exception:
            get_log().exception("request failed")
            return HttpProblem(500, "this is a fault of ours; it is in the log").answer()

    def _routed(self, request: HttpRequest) -> Answer:
        if request.path == "/health":
            return Answer(200, b'{"ok":true}\n')
        found = _PATH.fullmatch(request.path)
        if found is None:
            raise HttpProblem(404, "there is nothing at this path")
        if request.method != "POST":
            raise method_not_allowed("POST")
        if found[2] == "sendgrid":
            return self._sendgrid(request, found[1])
        return self._twilio(request, found[1])

    def _sendgrid(self, request: HttpRequest, org: str) -> Answer:
        if not {sendgrid.SIGNATURE, sendgrid.TIMESTAMP} <= request.headers.keys():
            raise _not_genuine("sendgrid", org)
        config, now, body = self._config(org), self._clock(), request.body()
        key = config.webhooks.sendgrid_public_key if config else None
        if config is None or not key or not sendgrid.is_genuine(key, request.headers, body, now):
            raise _not_genuine("sendgrid", org)
        try:
            reports = json.loads(body)
        except (ValueError, RecursionError):
            reports = None
        if not isinstance(reports, list):
            raise HttpProblem(400, "the body is not a JSON array of reports")
        found = Reports("sendgrid", ZoneInfo(config.timezone))
        ignored = sendgrid.read_reports(reports, found, now)
        self._keep(org, found, ignored, now)
        return Answer(204)

    def _twilio(self, request: HttpRequest, org: str) -> Answer:
        if twilio.SIGNATURE not in request.headers:
            raise _not_genuine("twilio", org)
        if not (self._twilio_token and self._public_url):
            raise _not_genuine("twilio", org)
        query = f"?{request.query}" if request.query else ""
        url = f"{self._public_url}{request.path}{query}"
        parameters = _form(request)
        if not twilio.is_genuine(self._twilio_token, request.headers, url, parameters):
            raise _not_genuine("twilio", org)
        if (config := self._config(org)) is None:
            raise _not_genuine("twilio", org)
        found, now = Reports("twilio", ZoneInfo(config.timezone)), self._clock()
        ignored = twilio.read_report(_fields(request.query), parameters, found, now)
        self._keep(org, found, ignored, now)
        return Answer(200, _NOTHING_TO_SAY, "text/xml")

    def _keep(self, org: str, found: Reports, ignored: int, now: dt.datetime) -> None:
        """Put what the reports become into the inbox, as one object."""
        received: list[Received] = []
        refused = 0
        for kind, entries in found.by_kind.items():
            known = "\n".join(report for report, _ in entries)
            digest = hashlib.sha256(f"{kind}\n{known}".encode("utf-8", "replace")).hexdigest()
            event_id = f"{found.source}-{digest[:32]}"
            taken = take(
                kind, org, RequestBody(list(enumerate(e for _, e in entries)), []), event_id
            )
            refused += len(taken.refused)
            received += taken.received(kind, now, "webhook")
        if received:
            inbox.put(self._store, org, received)
        entries_taken = sum(len(each.event["entries"]) for each in received)
        get_log().info(
            "reports taken",
            org_id=org,
            source=found.source,
            entries=entries_taken,
            ignored=ignored,
            refused=refused,
        )

    def _config(self, org: str) -> Config | None:
        """Return the organization's configuration; None if it has no database."""
        now = time.monotonic()
        with self._lock:
            config, until = self._configs.get(org, (None, now))
        if until > now:
            return config
        config = _read_config(self._store, org)
        with self._lock:
            if len(self._configs) >= _REMEMBERED:
                self._configs.clear()
            self._configs[org] = (config, now + CONFIG_SECONDS)
        return config


def _read_config(store: ObjectStore, org: str) -> Config | None:
    if not has_database(store, org):
        return None
    name = layout.config(org)
    found = read_or_none(store, name)
    return load_config(found.data, name) if found else Config()


def _form(request: HttpRequest) -> dict[str, list[str]]:
    if request.content_type() != twilio.FORM:
        raise HttpProblem(415, f"Content-Type: expected is {twilio.FORM}")
    return _fields(request.body().decode("utf-8", "replace"))


def _fields(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise HttpProblem(400, f"more than {MAX_FIELDS} parameters") from None


def _not_genuine(source: str, org: str) -> HttpProblem:
    get_log().warning("report refused", source=source, org_id=org[:80])
    return HttpProblem(403, "the signature is missing, wrong or too old")
