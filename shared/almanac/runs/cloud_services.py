"""What a function's process in the cloud works with."""

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

_making_parts = threading.Lock()


def cloud_parts(settings: Settings) -> Services:
    """The services of a function's process. Nothing is connected until it is used."""
    store = open_store(settings.required_store())
    return Services(
        store=store,
        bus=PubSubBus(settings.required_project()),
        snapshots=RangedSnapshots(store),
        workspace=Path(tempfile.gettempdir()),
        shard_contacts=settings.shard_contacts,
        lease_seconds=settings.lease_seconds,
        topics=Topics(settings.topic_prefix),
        merge_job=CloudRunJob(settings.merge_job) if settings.merge_job else None,
    )


def services_of_this_process() -> Services:
    """Made once, and not before the first request: the server may fork until then.

    From then on the process writes logs. Raises ConfigError.
    """
    with _making_parts:
        return _parts()


@functools.cache
def _parts() -> Services:
    configure()  # for an error in the settings
    settings = load_settings()
    configure(settings.log_level)
    return cloud_parts(settings)
