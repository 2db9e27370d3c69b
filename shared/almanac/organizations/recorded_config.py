"""The recorded configuration of a database: the one place that finds and parses it."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import apsw

from almanac.config import Config, load_config
from almanac.database.catalog import Record
from almanac.database.config_versions import BY_CONFIG, open_record
from almanac.errors import ConfigError
from almanac.names import date_of_run

if TYPE_CHECKING:  # commands that read a few rows need no columnar library
    from almanac.database.reading import Snapshot


@dataclass(frozen=True)
class NamedConfig:
    """A configuration, and where it comes from in words."""

    config: Config
    words: str


def recorded_config(snapshot: Snapshot, name: str) -> Config | None:
    """Return the configuration that the last run recorded; None if no run recorded one.

    name: what messages call the database. Raises ConfigError if it does not parse, as one of
    another release may not.
    """
    found = named_recorded_config(snapshot, name)
    return found.config if found else None


def named_recorded_config(snapshot: Snapshot, name: str) -> NamedConfig | None:
    """Return the recorded configuration, and the day of the last run; as `recorded_config`."""
    row = snapshot.open_config()
    text = str(row["config_data"]) if row else ""
    if row is None or not text:
        return None
    config = parsed(text, name)
    if row.get("created_by") == BY_CONFIG:
        return NamedConfig(config, f"the one set on {_day(row, config.zone)} by almanac config")
    run = snapshot.last_run()
    day = date_of_run(str(run.get("scheduler_run_id"))) if run else None
    return NamedConfig(config, f"the one recorded by {f'the run of {day}' if day else 'a run'}")


def config_of(connection: apsw.Connection, name: str) -> Config:
    """Return the configuration that is recorded in a database, else the defaults.

    Raises as `recorded_config`.
    """
    row = open_record(connection)
    return parsed(str(row["config_data"]), name) if row and row["config_data"] else Config()


def recorded_config_or_none(snapshot: Snapshot) -> Config | None:
    """Return the configuration that the last run planned by; None also if it does not parse.

    One that `almanac config` has recorded since is not that of the plan in the file.
    """
    row, run = snapshot.open_config(), snapshot.last_run()
    if row and row.get("created_by") == BY_CONFIG and run:
        planned = str(run.get("run_timestamp"))
        rows = [each for each in snapshot.configs() if str(each.get("valid_from")) <= planned]
        row = rows[-1] if rows else None
    try:
        return parsed(str(row["config_data"]), "the last run") if row else None
    except ConfigError:
        return None


def parsed(text: str, name: str) -> Config:
    """Return the configuration in a recorded text; raise ConfigError, as `recorded_config`."""
    config = _canonical(text)
    if config is not None:
        return config
    try:
        return load_config(text, f"{name}: config_versions")
    except ConfigError as error:
        raise ConfigError(
            f"{error}\n{name}: the recorded configuration cannot be read; almanac config "
            "edit or restore, or almanac run with --config FILE or --defaults, records another"
        ) from error


def _day(row: Record, zone: ZoneInfo) -> str:
    """Return the day in the zone on which a row became the open one."""
    text = str(row.get("valid_from"))
    try:
        since = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
        return str(since.astimezone(zone).date())
    except (ValueError, OverflowError):
        return text


def _canonical(text: str) -> Config | None:
    """Return the configuration in a text exactly as a run writes it, None for any other text.

    JSON takes a twentieth of the time that the strict reader of YAML takes.
    """
    try:
        config = Config.model_validate(json.loads(text))
    except (ValueError, RecursionError):
        return None
    return config if config.canonical() == text else None
