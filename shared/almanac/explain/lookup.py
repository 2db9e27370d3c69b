"""What a question is about: the database, the contact in it, the date and the configuration."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from almanac.config import Config, first_send_date
from almanac.config_contacts import ContactColumns
from almanac.contacts.find import FoundContacts, find
from almanac.database.aggregates import total_contacts
from almanac.database.extract import Extract, extract_contact, ids_with_address, nearest_ids
from almanac.database.occupancy import DayOccupancy
from almanac.database.opening import map_errors
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.errors import RequestError, SeveralContacts
from almanac.names import MAX_ID, MIN_ID, date_of_run
from almanac.organizations.agency_database import AgencyDatabase, StoreDatabase
from almanac.organizations.organizations import census_of
from almanac.organizations.recorded_config import NamedConfig, named_recorded_config
from almanac.report.text import shown
from almanac.storage import layout
from almanac.storage.versions import Manifest, manifest_of

ADDRESSES_SHOWN = CONTACTS_SHOWN = 10
PHONE_DIGITS = 7  # of a number that may be that of a telephone
_ID = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True)
class Question:
    """A question about a contact; `basis_of` chooses what is not given."""

    config: NamedConfig | None = None
    as_of: dt.date | None = None
    now: dt.datetime | None = None
    on: dt.date | None = None  # why not on this day
    email_type: str | None = None  # only messages of this type on that day


@dataclass(frozen=True)
class Meant:
    """A text that means a contact: an id, or anything that `contacts.find` takes."""

    text: str


@dataclass(frozen=True)
class Basis:
    """The date and the configuration that an explanation is based on."""

    as_of: dt.date
    as_of_from: str  # where as_of comes from, as text
    t0: dt.date
    config: Config
    config_from: str
    last_run: str | None


@dataclass(frozen=True)
class OpenDatabase:
    """An open agency database, with the manifest if it is a version in a store."""

    agency: AgencyDatabase
    source: Source
    manifest: Manifest | None

    @property
    def name(self) -> str:
        """Return what messages call the database."""
        version = f", version {self.manifest.version}" if self.manifest else ""
        return f"{self.agency.name}{version}"

    def total_contacts(self) -> int:
        """Return the number of rows of contacts, from the manifest without reading them."""
        census = census_of(self.manifest) if self.manifest else None
        if census is not None:
            return census.contacts
        with map_errors(self.source.path):
            return total_contacts(self.source.connection)

    def occupancy(self) -> DayOccupancy:
        """Return the counts of messages by day; those of a store are fetched sparingly."""
        near = not isinstance(self.agency, StoreDatabase)
        return DayOccupancy(self.source.connection, self.source.path, near=near)

    def extract(self, contact_id: int, settings: ContactColumns) -> Extract:
        """Return the rows of a contact; raise RequestError for a number that cannot be an id."""
        if not MIN_ID <= contact_id <= MAX_ID:
            raise RequestError(f"contact {contact_id}: ids are whole numbers of at most 64 bits")
        with map_errors(self.source.path):
            return extract_contact(self.source, contact_id, settings)

    def contact_with(self, address: str, settings: ContactColumns) -> int:
        """Return the contact with an e-mail address; raise RequestError unless there is one."""
        with map_errors(self.source.path):
            ids = ids_with_address(self.source.connection, address, settings)
        if not ids:
            raise RequestError(f"{self.name}: no contact has the e-mail address {address!r}")
        if len(ids) > 1:
            named = ", ".join(map(str, ids[:ADDRESSES_SHOWN]))
            more = f" and {len(ids) - ADDRESSES_SHOWN:,} more" if len(ids) > ADDRESSES_SHOWN else ""
            raise RequestError(
                f"{self.name}: {len(ids):,} contacts have the e-mail address {address!r}: "
                f"{named}{more}; choose one of them with --contact"
            )
        return ids[0]

    def contact_meant(self, text: str, settings: ContactColumns) -> int:
        """Return the one contact that a text means: see `contacts.find`.

        Raises RequestError if there is none, SeveralContacts with the first of them otherwise. A
        whole number is an id; if no contact has it, one as long as a phone number is looked for.
        """
        if _ID.fullmatch(text.strip()) and len(text.strip()) < PHONE_DIGITS:
            return int(text)
        with map_errors(self.source.path):
            found = find(self.source.connection, text, settings, CONTACTS_SHOWN)
        if not found.contacts and _ID.fullmatch(text.strip()):
            return int(text)  # its absence is reported with the nearest ids
        if not found.contacts:
            raise RequestError(f"--contact: {self.name} has no contact for {text!r}")
        if len(found.contacts) > 1:
            raise SeveralContacts(_several(text, found))
        return found.contacts[0].id

    def unknown(self, contact_id: int, settings: ContactColumns) -> RequestError:
        """Return the error for a contact that does not exist, with the nearest ids."""
        with map_errors(self.source.path):
            ids = nearest_ids(self.source.connection, contact_id, settings)
        near = ", ".join(map(str, ids))
        hint = f"the nearest ids are {near}" if near else "the table is empty"
        return RequestError(f"contact {contact_id}: {self.name} has none with this id; {hint}")


def _several(text: str, found: FoundContacts) -> str:
    """Return the contacts that a text means, one a line."""
    number = len(found.contacts)
    means = f"{number} contacts" if found.complete else f"more than {number} contacts"
    lines = [
        f"  {each.id}  {shown('  '.join(filter(None, (each.name, each.email))))}"
        for each in found.contacts
    ]
    return "\n".join([f"--contact: {text!r} means {means}; choose one by its id", *lines])


@contextmanager
def open_database(agency: AgencyDatabase, *, whole: bool = False) -> Iterator[OpenDatabase]:
    """Open a file, or the current version of an organization, for reading.

    whole: as `AgencyDatabase.open`.
    """
    if isinstance(agency, StoreDatabase):
        version = agency.version()[0]
        manifest = manifest_of(agency.store, version.folder)
        with agency.open_version(version, whole=whole) as source:
            yield OpenDatabase(agency, source, manifest)
    else:
        with agency.open(whole=whole, steady=not whole) as source:
            yield OpenDatabase(agency, source, None)


def basis_of(
    database: OpenDatabase,
    snapshot: Snapshot,
    question: Question,
    config: Config,
    config_from: str,
) -> Basis:
    """Return the date of the question, or its default, with the configuration.

    as_of is by default the day of `now` if that is given, else of the last run, else today. T0 is
    as_of unless `now` is past its send time, or the version was planned from the day after on.
    """
    run = snapshot.last_run()
    last_run = str(run["scheduler_run_id"]) if run and run.get("scheduler_run_id") else None
    as_of, now, as_of_from = question.as_of, question.now, "the day given"
    if now is not None and now.tzinfo is None:
        now = now.replace(tzinfo=config.zone)
    if as_of is None and now is None:
        as_of, as_of_from = date_of_run(last_run), "the day of the last run"
    if as_of is None:
        as_of_from = "the day of the time given" if now else "today"
        as_of = (now or dt.datetime.now(dt.UTC)).astimezone(config.zone).date()
    t0, manifest = as_of, database.manifest
    if now is not None:
        t0 = first_send_date(as_of, now, config)
    elif manifest is not None and manifest.t0 is not None and manifest.as_of == as_of:
        t0 = manifest.t0
    return Basis(as_of, as_of_from, t0, config, config_from, last_run)


def configuration_of(database: OpenDatabase, question: Question) -> tuple[Config, str]:
    """Return the configuration and where it comes from.

    By default it is the one by which the next run would plan: in a store the organization's, of a
    file the recorded one; the defaults where there is none.
    """
    if question.config is not None:
        return question.config.config, question.config.words
    agency = database.agency
    if isinstance(agency, StoreDatabase):
        there = agency.store.stat(layout.config(agency.org)) is not None
        none = f"the defaults, since {agency.name} has no {layout.config(agency.org)}"
        return agency.config(), "that of the organization" if there else none
    recorded = named_recorded_config(Snapshot(database.source), database.name)
    if recorded is not None:
        return recorded.config, recorded.words
    return Config(), "the defaults, since no run has recorded one"
