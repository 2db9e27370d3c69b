"""The runs and configurations that a database has recorded, and which held at a time."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from almanac.config import Config
from almanac.database.catalog import Record
from almanac.database.reading import Snapshot
from almanac.errors import ConfigError
from almanac.evidence.model import RecordedConfig, RecordedRun, StateRules
from almanac.names import date_of_run
from almanac.organizations.recorded_config import parsed
from almanac.rulebook.model import RuleLine

Period = tuple[dt.date, dt.date]  # both ends included


@dataclass(frozen=True)
class RunHistory:
    """What the database has recorded, the oldest first."""

    runs: list[RecordedRun]
    configurations: list[RecordedConfig]

    @classmethod
    def read(cls, snapshot: Snapshot) -> RunHistory:
        """Read both tables."""
        configurations = [_configuration(row) for row in snapshot.configs()]
        return cls([_run(row, configurations) for row in snapshot.runs()], configurations)

    def run(self, run_id: str | None) -> RecordedRun | None:
        """Return the run with an id; None without one."""
        return next((run for run in self.runs if run.run_id == run_id), None)

    def configuration(self, digest: str | None) -> RecordedConfig | None:
        """Return the configuration with a digest; None without one."""
        return next((each for each in self.configurations if each.digest == digest), None)

    def runs_of(self, period: Period, used: Iterable[str | None]) -> list[RecordedRun]:
        """Return the runs of a period, the last one before it, and those that are used."""
        first, last = period
        dated = {run.run_id: date_of_run(run.run_id) for run in self.runs}
        kept = {run for run, day in dated.items() if day and first <= day <= last} | set(used)
        before = [run for run, day in dated.items() if day and day < first]
        kept |= set(before[-1:])
        return [run for run in self.runs if run.run_id in kept]

    def configurations_of(
        self, period: Period, runs: Sequence[RecordedRun]
    ) -> list[RecordedConfig]:
        """Return the configurations in force on a day of a period, and those of the runs."""
        first, last = map(str, period)
        used = {run.configuration for run in runs}
        return [
            each
            for each in self.configurations
            if each.digest in used
            or (each.valid_from[:10] <= last and (each.valid_to or last)[:10] >= first)
        ]


def config_in(recorded: RecordedConfig | None) -> Config | None:
    """Return the configuration that was recorded; None for none, and for an unreadable one."""
    return None if recorded is None or recorded.problem else parsed(recorded.text, "")


def state_rules(
    configuration: str | None, config: Config, states: Iterable[str], period: Period
) -> StateRules:
    """Return the rules of states that are in force on a day of the period."""
    first, last = period
    return StateRules(
        configuration=configuration,
        rules=[
            RuleLine.of(state, rule)
            for state in states
            for rule in config.rules.get(state, ())
            if (rule.valid_from or first) <= last and (rule.valid_to or last) >= first
        ],
    )


def _configuration(row: Record) -> RecordedConfig:
    text = str(row["config_data"] or "")
    problem = None
    try:
        parsed(text, "config_versions")
    except ConfigError as error:
        problem = str(error).partition("\n")[0]
    return RecordedConfig(
        digest=hashlib.sha256(text.encode(errors="replace")).hexdigest(),
        valid_from=str(row.get("valid_from") or ""),
        valid_to=_text(row, "valid_to"),
        recorded_by=str(row.get("created_by") or ""),
        problem=problem,
        text=text,
    )


def _run(row: Record, configurations: Sequence[RecordedConfig]) -> RecordedRun:
    at = str(row.get("run_timestamp") or "")
    held = [each for each in configurations if at and each.valid_from <= at]
    return RecordedRun(
        run_id=str(row.get("scheduler_run_id") or ""),
        at=at,
        completed_at=_text(row, "completed_at"),
        status=_text(row, "status"),
        configuration=held[-1].digest if held else None,
        contacts_checksum=_text(row, "contacts_checksum"),
        schedules_checksum=_text(row, "schedules_after_checksum"),
    )


def _text(row: Record, name: str) -> str | None:
    value = row.get(name)
    return None if value in (None, "") else str(value)
