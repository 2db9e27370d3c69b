"""The services of a function's process in the cloud."""

from __future__ import annotations

import functools
import tempfile
import threading
from pathlib import Path

from almanac.logs import configure
from almanac.messaging.pubsub import PubSubBus
from almanac.messaging.topics import Topics
from almanac.organizations.snapshots import RangedSnapshots
from almanac.runs.cloud_run_job import CloudRunJob
from almanac.runs.services import Services
from almanac.settings import Settings, load_settings
from almanac.storage.opening import open_store
from almanac.trace_export import trace_by

# 7,500 organizations, of each four reads of 50 ms, take a minute and a half
AT_ONCE = 16

_making_services = threading.Lock()


def cloud_services(settings: Settings) -> Services:
    """Make the services from the settings. Nothing is connected until it is used."""
    store = open_store(settings.required_store())
    return Services(
        store=store,
        bus=PubSubBus(settings.required_project()),
        snapshots=RangedSnapshots(store),
        workspace=Path(tempfile.gettempdir()),
        shard_contacts=settings.shard_contacts,
        lease_seconds=settings.lease_seconds,
        topics=Topics(settings.topic_prefix),
        merge_seconds=settings.merge_seconds,
        at_once=AT_ONCE,
        merge_job=CloudRunJob(settings.merge_job) if settings.merge_job else None,
    )


def services_of_this_process() -> Services:
    """Return the services, made at the first request: the server may fork until then.

    Also configures the process's logs. Raises ConfigError.
    """
    with _making_services:
        return _services()


@functools.cache
def _services() -> Services:
    configure()  # for an error in the settings
    settings = load_settings()
    configure(settings.log_level)
    trace_by(settings)
    return cloud_services(settings)
