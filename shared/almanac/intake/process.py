"""The endpoints of a function's process: made at its first request, from its settings."""

from __future__ import annotations

import functools
import sys
import threading
from typing import TYPE_CHECKING

from almanac.logs import configure
from almanac.messaging.pubsub import PubSubBus
from almanac.messaging.topics import Topics
from almanac.settings import Settings, load_settings
from almanac.storage.opening import open_store
from almanac.storage.patience import limit_patience
from almanac.storage.store import ObjectStore
from almanac.trace_export import trace_by

if TYPE_CHECKING:  # neither function needs what the other one imports
    from almanac.intake.http import IntakeEndpoint
    from almanac.intake.webhooks import WebhookEndpoint

# Who posts waits for the answer: soon 503 is better than late success.
PATIENCE_SECONDS = 10.0

_making = threading.Lock()


def intake_of_this_process() -> IntakeEndpoint:
    """Return the endpoint of the function `intake`; raise ConfigError."""
    with _making:
        return _intake()


def webhooks_of_this_process() -> WebhookEndpoint:
    """Return the endpoint of the function `webhooks`; raise ConfigError."""
    with _making:
        return _webhooks()


@functools.cache
def _intake() -> IntakeEndpoint:
    from almanac.intake.http import IntakeEndpoint
    from almanac.intake.replan import asking_by

    # the thread that writes gets its turn soon, also while the event loop is busy
    sys.setswitchinterval(0.001)
    settings = _settings()
    bus = PubSubBus(settings.required_project(), deadline_seconds=PATIENCE_SECONDS)
    return IntakeEndpoint(_store(settings), asking_by(bus, Topics(settings.topic_prefix)))


@functools.cache
def _webhooks() -> WebhookEndpoint:
    from almanac.intake.webhooks import WebhookEndpoint

    settings = _settings()
    token = settings.twilio_auth_token
    return WebhookEndpoint(
        _store(settings),
        public_url=settings.webhook_url,
        twilio_token=token.get_secret_value() if token else None,
    )


def _settings() -> Settings:
    configure()  # for an error in the settings
    settings = load_settings()
    configure(settings.log_level)
    trace_by(settings)
    return settings


def _store(settings: Settings) -> ObjectStore:
    store = open_store(settings.required_store())
    limit_patience(store, PATIENCE_SECONDS)
    return store
