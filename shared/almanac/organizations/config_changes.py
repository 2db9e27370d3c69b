"""The configuration of a file or of an organization: what it is, what it was, and its changes.

A file keeps its configurations as rows of config_versions. In a store config.yaml is the
configuration; a change keeps the text that it replaces in an object of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import apsw

from almanac.config import Config, load_config, validated
from almanac.config_document import Settings, assigned, document, plain_settings
from almanac.database.catalog import Record, describe
from almanac.database.config_versions import (
    BY_CONFIG,
    open_record,
    record_config,
    recorded_versions,
)
from almanac.database.migrations import complete
from almanac.database.opening import map_errors
from almanac.database.schema import CONFIG_VERSIONS
from almanac.database.undo.entries import WritingCommand
from almanac.errors import (
    AlmanacError,
    ConfigError,
    DatabaseError,
    PreconditionFailed,
    RequestError,
)
from almanac.organizations.agency_database import AgencyDatabase, FileDatabase, StoreDatabase
from almanac.organizations.earlier_configs import earlier_configs, replace_config
from almanac.organizations.organizations import is_there
from almanac.organizations.recorded_config import NamedConfig, parsed
from almanac.progress import silent
from almanac.storage import layout
from almanac.storage.store import StoredObject, read_or_none
from almanac.yaml_text import read_mapping

Make = Callable[[str | None], str]  # the next text of a configuration, from the one that is there


@dataclass(frozen=True)
class ConfigVersion:
    """A configuration that holds, or held before."""

    number: int  # from 1, the oldest
    text: str
    since: str  # UTC; empty if that is not known
    until: str  # empty: it holds
    by: str  # which command made it; empty if that is not known


class ConfigPlace(Protocol):
    """Where a configuration is recorded and changed."""

    @property
    def name(self) -> str:
        """Return what messages call the place."""
        ...

    def text(self) -> str | None:
        """Return the text of the configuration; None if there is none, so that defaults hold."""
        ...

    def named(self) -> NamedConfig:
        """Return the configuration and where it comes from; raise ConfigError for an unusable
        one."""
        ...

    def parsed(self, text: str | None) -> Config:
        """Return the configuration in a text of this place, the defaults for None."""
        ...

    def editable(self, text: str | None) -> str:
        """Return a text of this place as people edit it; as it is, if it cannot be read."""
        ...

    def with_values(self, text: str | None, values: dict[str, str | None]) -> str:
        """Return the text with values as `config_document.assigned`; raise ConfigError."""
        ...

    def change(self, make: Make) -> bool:
        """Replace the configuration by what `make` returns, or not at all; return if it differs.

        Raises ConfigError, AlmanacError (another program changed it meanwhile).
        """
        ...

    def versions(self) -> list[ConfigVersion]:
        """Return the configuration and the earlier ones, the oldest first."""
        ...


def config_place(agency: AgencyDatabase) -> ConfigPlace:
    """Return where the configuration of a database is; RequestError for no organization."""
    if isinstance(agency, StoreDatabase):
        if not is_there(agency.store, agency.org):
            raise RequestError(
                f"{agency.name}: is not in this store; almanac store init {agency.org} makes it"
            )
        return StoreConfig(agency)
    assert isinstance(agency, FileDatabase)
    return FileConfig(agency)


@dataclass(frozen=True)
class FileConfig:
    """The configuration that is recorded in a file."""

    database: FileDatabase

    @property
    def name(self) -> str:
        return self.database.name

    def text(self) -> str | None:
        with self.database.open() as source, map_errors(source.path):
            return _text(open_record(source.connection))

    def named(self) -> NamedConfig:
        found = self.database.named_recorded_config()
        return found or NamedConfig(Config(), "the defaults, since none is recorded")

    def parsed(self, text: str | None) -> Config:
        return parsed(text, self.name) if text else Config()

    def editable(self, text: str | None) -> str:
        title = f"The configuration of {self.name}."
        try:
            return document(plain_settings(self.parsed(text)), title)
        except ConfigError as error:
            problems = "".join(f"# {line}\n" for line in str(error).splitlines())
            return f"# {title} It cannot be read:\n{problems}{text}\n"

    def with_values(self, text: str | None, values: dict[str, str | None]) -> str:
        config = self.parsed(text)
        settings = _assigned(plain_settings(config), values, config)
        return validated(settings, [], self.name).canonical()

    def change(self, make: Make) -> bool:
        now = dt.datetime.now(dt.UTC)

        def edit(connection: apsw.Connection) -> bool:
            if describe(connection, "contacts") is None:
                raise DatabaseError(f"{self.name}: is not an agency's database: no table contacts")
            text = make(_text(open_record(connection)))
            config = load_config(text, self.name)
            complete(connection, CONFIG_VERSIONS)
            moment = f"{now:%Y-%m-%d %H:%M:%S}"
            return record_config(connection, config.canonical(), moment, BY_CONFIG)

        return self.database.edit(edit, WritingCommand.CONFIG, now, silent)

    def versions(self) -> list[ConfigVersion]:
        with self.database.open() as source, map_errors(source.path):
            rows = recorded_versions(source.connection)
        return [
            ConfigVersion(
                number=number,
                text=_text(row) or "",
                since=str(row.get("valid_from") or ""),
                until=str(row.get("valid_to") or ""),
                by=str(row.get("created_by") or ""),
            )
            for number, row in enumerate(rows, start=1)
        ]


@dataclass(frozen=True)
class StoreConfig:
    """The configuration of an organization: config.yaml, as people wrote it."""

    organization: StoreDatabase

    @property
    def name(self) -> str:
        return layout.config(self.organization.org)

    def text(self) -> str | None:
        return self._decoded(self._object())

    def named(self) -> NamedConfig:
        text = self.text()
        name = self.organization.name
        words = f"that of {name}" if text is not None else f"the defaults, since {name} has none"
        return NamedConfig(self.parsed(text), words)

    def parsed(self, text: str | None) -> Config:
        return load_config(text or "", self.name)

    def editable(self, text: str | None) -> str:
        return self._document({}) if text is None else text

    def with_values(self, text: str | None, values: dict[str, str | None]) -> str:
        config = self.parsed(text)
        settings = _assigned(read_mapping(text or "", self.name)[0], values, config)
        validated(settings, [], self.name)
        return self._document(settings)

    def change(self, make: Make) -> bool:
        there = self._object()
        before = self._decoded(there)
        text = make(before)
        self.parsed(text)
        if text == before:
            return False
        org = self.organization
        try:
            replace_config(org.store, org.org, there, text.encode(), BY_CONFIG)
        except PreconditionFailed as error:
            raise AlmanacError(
                f"{self.name}: was changed meanwhile; nothing was written; try again"
            ) from error
        return True

    def versions(self) -> list[ConfigVersion]:
        found: list[ConfigVersion] = []
        since = by = ""
        org, there = self.organization, self._object()
        for each in earlier_configs(org.store, org.org):
            if there is not None and each.generation == there.generation:
                continue  # kept by a change that did not get further
            until = f"{each.replaced_at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"
            found.append(ConfigVersion(len(found) + 1, each.text, since, until, by))
            since, by = until, each.replaced_by
        if there is not None:
            text = self._decoded(there) or ""
            found.append(ConfigVersion(len(found) + 1, text, since, "", by))
        return found

    def _object(self) -> StoredObject | None:
        return read_or_none(self.organization.store, self.name)

    def _decoded(self, there: StoredObject | None) -> str | None:
        return None if there is None else there.data.decode("utf-8-sig", "replace")

    def _document(self, settings: Settings) -> str:
        name = self.organization.name
        return document(settings, f"Configuration of {name}. What is not set has its default.")


def unless_changed(place: ConfigPlace, before: str | None, now: str | None, text: str) -> str:
    """Return the text; raise AlmanacError if another was recorded since `before` was read."""
    if now != before:
        raise AlmanacError(f"{place.name}: was changed meanwhile; nothing was written; try again")
    return text


def restored(place: ConfigPlace, number: int) -> str:
    """Return the text of an earlier configuration; raise RequestError, and ConfigError for one that
    is not valid."""
    versions = place.versions()
    if not 1 <= number <= len(versions):
        there = f"has the numbers 1 to {len(versions)}" if versions else "is empty"
        raise RequestError(f"{place.name}: no configuration {number}; the history {there}")
    text = versions[number - 1].text
    place.parsed(text)
    return text


def _text(row: Record | None) -> str | None:
    """Return the text in a row of config_versions; None without a row or text."""
    return str(row["config_data"]) if row and row["config_data"] else None


def _assigned(settings: Settings, values: dict[str, str | None], config: Config) -> Settings:
    return assigned(settings, values, config.settings()["state_rules"])
