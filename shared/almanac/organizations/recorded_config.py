"""The configuration of a database's last run: the one place that finds and parses it."""

from __future__ import annotations

from almanac.config import Config, load_config
from almanac.database.reading import Snapshot
from almanac.errors import ConfigError


def recorded_config(snapshot: Snapshot, name: str) -> Config | None:
    """Return the configuration that the last run recorded; None if no run recorded one.

    name: what messages call the database. Raises ConfigError if it does not parse, as one of
    another release may not.
    """
    text = snapshot.last_config()
    return load_config(text, f"{name}: config_versions") if text else None


def recorded_config_or_none(snapshot: Snapshot) -> Config | None:
    """Return the configuration that the last run recorded; None also if it does not parse."""
    try:
        return recorded_config(snapshot, "the last run")
    except ConfigError:
        return None
