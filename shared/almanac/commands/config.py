"""The group `almanac config`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.agency_arguments import agency_and_words, agency_of
from almanac.commands.arguments import read_assignments, read_config
from almanac.commands.config_editor import edited
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsJson, MaybeDatabase, MaybeOrg, Store
from almanac.commands.output import print_json
from almanac.config import Config
from almanac.config_document import document, plain_settings
from almanac.errors import ConfigError, InputError
from almanac.organizations.agency_database import FileDatabase
from almanac.organizations.config_changes import (
    ConfigPlace,
    ConfigVersion,
    config_place,
    restored,
    unless_changed,
)
from almanac.organizations.recorded_config import NamedConfig
from almanac.plurals import plural
from almanac.report.text import console_for, listed, paragraph, table
from almanac.report.what_if import Setting, differing_settings, in_words

app = new_app(
    name="config",
    no_args_is_help=True,
    help="Show the recorded configuration of a file, or of an organization of a store, and change "
    "it. The next run plans by it.",
    epilog="Example: almanac config show agency.sqlite3",
)

KEYS_SHOWN = 3
SQLITE = b"SQLite format 3\0"
DEFAULTS = "defaults"


def _words(metavar: str, text: str) -> typer.models.ArgumentInfo:
    found: typer.models.ArgumentInfo = typer.Argument(
        metavar=metavar, help=text, show_default=False
    )
    return found


@app.command(short_help="Show all settings.", epilog="Example: almanac config show agency.sqlite3")
def show(
    database: MaybeDatabase = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Show all settings as YAML, each with its meaning; what differs has its default behind it."""
    found = config_place(agency_of(database, org, store)).named()
    differing = differing_settings(Config(), found.config)
    if as_json:
        print_json(
            configuration=found.words,
            settings=found.config.settings(),
            differing=[each.model_dump() for each in differing],
        )
        return OK
    count = plural(len(differing), "setting")
    title = f"Configuration: {found.words}. Not the default: {count}, each with its default."
    print(document(plain_settings(found.config), title), end="")
    return OK


@app.command(
    "set",
    short_help="Change settings.",
    epilog="Example: almanac config set agency.sqlite3 timing.birthday_days_before=21",
)
def set_(
    words: Annotated[
        list[str],
        _words("[DATABASE] KEY=VALUE...", "The database, unless --org is given, and the settings."),
    ],
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Change settings: keys with dots, values in YAML; nothing behind the sign puts the default
    back.

    Nothing is written unless the whole configuration is valid. Such as: timezone=America/Denver
    state_rules.CA="{kind: birthday_window, before: 30, after: 60}" state_rules.NY=null
    """
    agency, fields = agency_and_words(words, org, store)
    if not fields:
        raise InputError("KEY=VALUE: is missing; expected such as horizon_days=400")
    place, values = config_place(agency), read_assignments(fields)
    before = place.parsed(place.text())
    place.change(lambda text: place.with_values(text, values))
    return _changed(place, before, as_json)


@app.command(
    short_help="Edit the configuration in an editor.",
    epilog="Example: almanac config edit agency.sqlite3",
)
def edit(
    database: MaybeDatabase = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Open the configuration as YAML in the editor of VISUAL or EDITOR, and record what is saved.

    After a mistake the editor opens again, if that is wanted; nothing is written unless it is
    valid. A configuration that cannot be read is opened as it is, with what is wrong on top.
    """
    place = config_place(agency_of(database, org, store))
    there = place.text()
    text = edited(place.editable(there), place.name)
    before = _parsed_or_none(place, there)
    place.change(lambda now: unless_changed(place, there, now, text))
    return _changed(place, before, as_json)


@app.command(
    short_help="Check a configuration file.", epilog="Example: almanac config check config.yaml"
)
def check(
    file: Annotated[Path, _words("FILE", "The configuration, in YAML.")],
    as_json: AsJson = False,
) -> int:
    """Check a configuration file: a line for each mistake, else the settings that it changes."""
    found = NamedConfig(read_config(file, "FILE"), str(file))
    return _difference(_named(DEFAULTS), found, as_json)


@app.command(
    short_help="Compare two configurations.",
    epilog="Example: almanac config diff agency.sqlite3 other.yaml",
)
def diff(
    places: Annotated[
        list[str],
        _words("A [B]", "Each a YAML file, a database, or the word defaults, which B is else."),
    ],
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Show which settings differ: of files, of what databases have recorded, and of the defaults.

    With --org B is the configuration of the organization.
    """
    if len(places) > (1 if org else 2):
        raise InputError(f"A [B]: expected {'A' if org else 'at most two'}, found {len(places)}")
    first = _named(places[0])
    if org is not None:
        second = config_place(agency_of(None, org, store)).named()
    else:
        second = _named(places[1] if len(places) > 1 else DEFAULTS)
    return _difference(first, second, as_json)


@app.command(
    short_help="List the configurations that there were.",
    epilog="Example: almanac config history agency.sqlite3",
)
def history(
    database: MaybeDatabase = None,
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """List the configurations that were recorded, and what each changed; the last one holds."""
    place = config_place(agency_of(database, org, store))
    versions = place.versions()
    changes = [_keys(place, versions, index) for index in range(len(versions))]
    if as_json:
        rows = [
            {"number": v.number, "since": v.since, "until": v.until, "by": v.by, "changes": keys}
            for v, keys in zip(versions, changes, strict=True)
        ]
        print_json(versions=rows)
        return OK
    console = console_for(sys.stdout)
    if not versions:
        paragraph(console, f"{place.name}: none is recorded: the defaults hold.", indent=0)
        return OK
    lines = [
        (v.number, v.since, v.until or "holds", v.by, listed(keys, KEYS_SHOWN))
        for v, keys in zip(versions, changes, strict=True)
    ]
    table(console, (">number", "!since (UTC)", "!until", "!by", "changes"), lines, indent=0)
    return OK


@app.command(
    short_help="Make an earlier configuration hold again.",
    epilog="Example: almanac config restore agency.sqlite3 1",
)
def restore(
    words: Annotated[
        list[str],
        _words("[DATABASE] NUMBER", "The database, unless --org is given, and the number."),
    ],
    org: MaybeOrg = None,
    store: Store = None,
    as_json: AsJson = False,
) -> int:
    """Record an earlier configuration again; the one that held until now stays in the history."""
    agency, numbers = agency_and_words(words, org, store)
    if len(numbers) != 1 or not numbers[0].isdecimal():
        raise InputError(f"NUMBER: expected one of almanac config history, found {words[-1]}")
    place = config_place(agency)
    before = _parsed_or_none(place, place.text())
    text = restored(place, int(numbers[0]))
    place.change(lambda _: text)
    return _changed(place, before, as_json)


def _named(word: str) -> NamedConfig:
    """Return the configuration of a YAML file or a database, or the defaults."""
    if word == DEFAULTS:
        return NamedConfig(Config(), "the defaults")
    path = Path(word)
    if path.is_file() and _begins_with(path, SQLITE):
        found = config_place(FileDatabase(path)).named()
        return NamedConfig(found.config, f"{path}: {found.words}")
    return NamedConfig(read_config(path, "A"), word)


def _begins_with(path: Path, octets: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(octets)) == octets
    except OSError:
        return False  # reading it as a configuration says why


def _parsed_or_none(place: ConfigPlace, text: str | None) -> Config | None:
    """Return the configuration that is replaced; None if it cannot be read."""
    try:
        return place.parsed(text)
    except ConfigError:
        return None


def _keys(place: ConfigPlace, versions: list[ConfigVersion], index: int) -> list[str]:
    """Return the keys that a version changed, the first one of the defaults."""
    try:
        before = place.parsed(versions[index - 1].text) if index else Config()
        found = differing_settings(before, place.parsed(versions[index].text))
    except ConfigError:
        return ["cannot be read"]
    return [f"{each.key}: {in_words(each.new)}" for each in found]


def _changed(place: ConfigPlace, before: Config | None, as_json: bool) -> int:
    """Say what has changed; before: None if it could not be read, so that all may have changed."""
    found = differing_settings(before or Config(), place.parsed(place.text()))
    if as_json:
        print_json(changed=[each.model_dump() for each in found])
        return OK
    console = console_for(sys.stdout)
    if before is None:
        said = f"{place.name}: is recorded in place of one that cannot be read."
        paragraph(console, said, indent=0)
        return OK
    if not found:
        paragraph(console, f"{place.name}: no setting changes.", indent=0)
        return OK
    said = f"{place.name}: {plural(len(found), 'setting')} changed; the next run plans by it."
    paragraph(console, said, indent=0)
    _table(found, ("before", "now"))
    return OK


def _difference(old: NamedConfig, new: NamedConfig, as_json: bool) -> int:
    found = differing_settings(old.config, new.config)
    if as_json:
        settings = [each.model_dump() for each in found]
        print_json(old=old.words, new=new.words, settings=settings)
        return OK
    console = console_for(sys.stdout)
    if not found:
        paragraph(console, f"{new.words} does not differ from {old.words}.", indent=0)
        return OK
    paragraph(console, f"old: {old.words}", indent=0)
    paragraph(console, f"new: {new.words}", indent=0)
    _table(found, ("old", "new"))
    return OK


def _table(found: list[Setting], sides: tuple[str, str]) -> None:
    rows = [(each.key, in_words(each.old), in_words(each.new)) for each in found]
    table(console_for(sys.stdout), ("!", *sides), rows)
