"""The configuration of a database's last run: the one place that finds and parses it."""

from __future__ import annotations

import json

from almanac.config import Config, load_config
from almanac.database.reading import Snapshot
from almanac.errors import ConfigError


def recorded_config(snapshot: Snapshot, name: str) -> Config | None:
    """Return the configuration that the last run recorded; None if no run recorded one.

    name: what messages call the database. Raises ConfigError if it does not parse, as one of
    another release may not.
    """
    text = snapshot.last_config()
    if not text:
        return None
    return _canonical(text) or load_config(text, f"{name}: config_versions")


def recorded_config_or_none(snapshot: Snapshot) -> Config | None:
    """Return the configuration that the last run recorded; None also if it does not parse."""
    try:
        return recorded_config(snapshot, "the last run")
    except ConfigError:
        return None


def _canonical(text: str) -> Config | None:
    """Return the configuration in a text exactly as a run writes it, None for any other text.

    JSON takes a twentieth of the time that the strict reader of YAML takes.
    """
    try:
        config = Config.model_validate(json.loads(text))
    except (ValueError, RecursionError):
        return None
    return config if config.canonical() == text else None
