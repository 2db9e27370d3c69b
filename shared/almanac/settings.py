"""The settings of an installation; only this module and `environment` read the environment."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from almanac.errors import ConfigError
from almanac.validation_text import first_problem

_PREFIX = "ALMANAC_"


class Settings(BaseSettings):
    """ALMANAC_STORE, ALMANAC_PROJECT and so on; an empty variable counts as not set.

    STORE is gs://bucket[/prefix] or a folder, PROJECT the Google Cloud project of the topics.
    MERGE_JOB is the full name of a Cloud Run job that merges runs instead of the merge function.
    MERGE_SECONDS is when a merge gives up, STATUS_SECONDS when a status of all organizations ends,
    each before its function is cut off.
    TRACE_SAMPLING is the share of traces that are recorded, and sent to TRACE_ENDPOINT over OTLP.
    WEBHOOK_URL is where providers call the function `webhooks`; TWILIO_AUTH_TOKEN recognizes them.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, extra="ignore"
    )

    store: str | None = None
    project: str | None = None
    topic_prefix: Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9._~+%-]{0,99})?$")] = ""
    shard_contacts: Annotated[int, Field(ge=1, le=10_000_000)] = 50_000
    lease_seconds: Annotated[int, Field(ge=1, le=86_400)] = 3600
    merge_job: (
        Annotated[str, Field(pattern=r"^projects/[^/]+/locations/[^/]+/jobs/[^/]+$")] | None
    ) = None
    merge_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    status_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    webhook_url: Annotated[str, Field(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$")] | None = None
    twilio_auth_token: SecretStr | None = None
    trace_sampling: Annotated[float, Field(ge=0, le=1)] = 0.0
    trace_endpoint: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] = (
        "https://telemetry.googleapis.com/v1/traces"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"

    def required_store(self) -> str:
        """Return STORE; raise ConfigError if it is not set."""
        return _required("STORE", self.store, "gs://bucket[/prefix] or a folder")

    def required_project(self) -> str:
        """Return PROJECT; raise ConfigError if it is not set."""
        return _required("PROJECT", self.project, "the Google Cloud project of the topics")


def load_settings() -> Settings:
    """Return the settings of this process; raise ConfigError that names an invalid variable."""
    try:
        return Settings()
    except ValidationError as error:
        key, text = first_problem(error)
        raise ConfigError(f"{_PREFIX}{key.upper()}: {text}") from None


def task_of_job() -> tuple[int, int]:
    """Return which task of a Cloud Run job this process is, from 0, and of how many."""
    index, count = (os.environ.get(f"CLOUD_RUN_TASK_{key}") for key in ("INDEX", "COUNT"))
    return int(index or 0), int(count or 1)


def _required(key: str, value: str | None, meaning: str) -> str:
    if value is None:
        raise ConfigError(f"{_PREFIX}{key}: is not set; it takes {meaning}")
    return value
