"""The configuration that a command works by: --config FILE, --defaults, else the recorded one."""

from __future__ import annotations

from pathlib import Path

from almanac.commands.arguments import read_config
from almanac.commands.dates import Today, today_in
from almanac.config import Config
from almanac.errors import InputError
from almanac.organizations.agency_database import FileDatabase
from almanac.organizations.recorded_config import NamedConfig

NOTHING_RECORDED = "the defaults, since no run of the file has recorded any"


def given_config(config: Path | None, defaults: bool) -> NamedConfig | None:
    """Return the configuration that the options name, None without one; InputError for both."""
    if config is not None and defaults:
        raise InputError("--config or --defaults: expected one of them, found both")
    if config is not None:
        return NamedConfig(read_config(config), str(config))
    return NamedConfig(Config(), "the defaults (--defaults)") if defaults else None


def recorded_or_defaults(database: Path) -> NamedConfig:
    """Return the configuration that is recorded in a file; the defaults if there is none.

    Raises ConfigError for one that cannot be read: it is never taken for the defaults.
    """
    recorded = FileDatabase(database).named_recorded_config()
    return recorded or NamedConfig(Config(), NOTHING_RECORDED)


def today_of_file(database: Path, given: NamedConfig | None) -> Today:
    """Return what says the date that it is in the time zone of the configuration of a run."""
    return lambda: today_in((given or recorded_or_defaults(database)).config.zone)
