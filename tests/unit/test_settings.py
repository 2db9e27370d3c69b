"""Settings come from the environment, and from nowhere else."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import almanac
from almanac.errors import ConfigError
from almanac.settings import load_settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ALMANAC_")]:
        monkeypatch.delenv(name)


def test_without_variables_the_defaults_hold() -> None:
    settings = load_settings()
    assert (settings.store, settings.project, settings.topic_prefix) == (None, None, "")
    assert (settings.shard_contacts, settings.lease_seconds) == (50_000, 3600)
    assert settings.log_level == "INFO"


def test_every_setting_has_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_STORE", "gs://bucket/prefix")
    monkeypatch.setenv("ALMANAC_PROJECT", "agencies")
    monkeypatch.setenv("ALMANAC_TOPIC_PREFIX", "test-")
    monkeypatch.setenv("ALMANAC_SHARD_CONTACTS", "1000")
    monkeypatch.setenv("ALMANAC_LEASE_SECONDS", "60")
    monkeypatch.setenv("ALMANAC_MERGE_JOB", "projects/agencies/locations/us-central1/jobs/merge")
    monkeypatch.setenv("ALMANAC_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("ALMANAC_WEBHOOK_URL", "https://hooks.example.com/almanac")
    monkeypatch.setenv("ALMANAC_TWILIO_AUTH_TOKEN", "12345")
    settings = load_settings()
    assert settings.required_store() == "gs://bucket/prefix"
    assert settings.required_project() == "agencies"
    assert (settings.topic_prefix, settings.log_level) == ("test-", "DEBUG")
    assert (settings.shard_contacts, settings.lease_seconds) == (1000, 60)
    assert settings.merge_job == "projects/agencies/locations/us-central1/jobs/merge"
    assert settings.webhook_url == "https://hooks.example.com/almanac"
    assert settings.twilio_auth_token
    assert settings.twilio_auth_token.get_secret_value() == "12345"
    assert "12345" not in repr(settings)


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_STORE", "")
    monkeypatch.setenv("ALMANAC_SHARD_CONTACTS", "")
    settings = load_settings()
    assert (settings.store, settings.shard_contacts) == (None, 50_000)
    with pytest.raises(ConfigError, match=r"ALMANAC_STORE: is not set; it takes gs://"):
        settings.required_store()
    with pytest.raises(ConfigError, match="ALMANAC_PROJECT: is not set"):
        settings.required_project()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALMANAC_SHARD_CONTACTS", "many"),
        ("ALMANAC_SHARD_CONTACTS", "0"),
        ("ALMANAC_LEASE_SECONDS", "-1"),
        ("ALMANAC_LEASE_SECONDS", "1.5"),
        ("ALMANAC_MERGE_JOB", "almanac-merge"),
        ("ALMANAC_LOG_LEVEL", "loud"),
        ("ALMANAC_TOPIC_PREFIX", "no spaces"),
        ("ALMANAC_TOPIC_PREFIX", "7-"),
    ],
)
def test_a_value_that_cannot_be_used_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=f"^{variable}: {re.escape(repr(value))} is not "):
        load_settings()


def test_nothing_else_reads_the_environment() -> None:
    package = Path(almanac.__file__).parent
    readers = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"\bos\.(environ\b(?!\.setdefault)|getenv)|BaseSettings\b", path.read_text())
    ]
    assert sorted(readers) == ["environment.py", "settings.py"]
