"""The messages of a day of an organization in a store, as they are with what waits for a run.

What came in between runs takes effect on the messages of a day at once: claims and other marks,
suppressions, changes of contacts. It is applied to a small private copy of the day; nothing of the
store changes. A retry is none of them: what failed is planned again by the next run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial

import apsw

from almanac.config import Config
from almanac.database import intake_log
from almanac.database.day_extract import DayExtract, addresses_of_rows
from almanac.database.opening import map_errors
from almanac.database.sending import count_before
from almanac.database.sources import Source
from almanac.intake import inbox
from almanac.intake.absorb import absorb, without_collection
from almanac.intake.alike import becoming_alike
from almanac.intake.concerning import (
    APPLIED,
    Concerning,
    DayKeys,
    concerning,
)
from almanac.intake.inbox import Received
from almanac.organizations.agency_database import StoreDatabase
from almanac.organizations.kept_days import kept_day
from almanac.storage.versions import Current


@dataclass(frozen=True)
class DayView:
    """connection: the rows of the day and the claimed ones, with their contacts, and suppressions.

    earlier: rows planned for earlier days. waiting: events that no version has yet.
    """

    connection: apsw.Connection
    earlier: int
    waiting: int


@contextmanager
def day_view(
    agency: StoreDatabase, day: dt.date, config: Config, now: dt.datetime, *, claimed: bool
) -> Iterator[DayView]:
    """Open the messages of a day; raises as `AgencyDatabase.open`, and Corrupt for the inbox.

    claimed: also what became of claimed ones is looked at.
    """
    with without_collection():
        connection, earlier, waiting = _applied(agency, day, config, now, claimed)
    with closing(connection):
        yield DayView(connection, earlier, waiting)


def _applied(
    agency: StoreDatabase, day: dt.date, config: Config, now: dt.datetime, claimed: bool
) -> tuple[apsw.Connection, int, int]:
    """Return the copy of the day with what waits, and the counts of `DayView`."""
    received, version, data = _read(agency, day)
    few = data is not None
    with agency.open_version(version, few=few) as source, map_errors(source.path):
        # of those with the same id all but the first are refused
        first = {each.event_id: each for each in reversed(received)}
        logged = intake_log.logged(source.connection, first.keys())
        news = [each for event_id, each in first.items() if event_id not in logged][::-1]
        if data is None:
            with DayExtract(source, config.contacts) as extract:
                extract.add_days(str(day), str(day))
                data = extract.data()
        connection = _opened(data)
        found = _concerning(connection, news, source, config, claimed)
        if found.further:
            connection.close()
            with DayExtract(source, config.contacts, data) as extract:
                extract.add_rows(found.further)
                connection = _opened(extract.data())
        earlier = count_before(source.connection, str(day))
    if found.events:
        with connection, becoming_alike(connection, found.alike):
            absorb(connection, found.events, config, now, "almanac due", kinds=APPLIED)
    return connection, earlier, len(news)


def _read(agency: StoreDatabase, day: dt.date) -> tuple[list[Received], Current, bytes | None]:
    """Return what waits, the version that is current after it, and what that keeps of the day.

    What the version of before keeps is fetched meanwhile: nearly always it is the same.
    """
    with ThreadPoolExecutor(1) as pool:
        likely = agency.version()[0]
        coming = pool.submit(kept_day, agency.store, likely, day)
        # first the inbox: what is applied and deleted from now on is in the version
        received = inbox.read(agency.store, inbox.waiting(agency.store, agency.org))
        version = agency.version()[0]
        if version == likely:
            return received, version, coming.result()
    return received, version, kept_day(agency.store, version, day)


def _concerning(
    connection: apsw.Connection,
    news: Sequence[Received],
    source: Source,
    config: Config,
    claimed: bool,
) -> Concerning:
    """Return what of the events concerns the messages of the extract."""
    if not news:
        return Concerning([], frozenset())
    keys = DayKeys.of(connection, config.contacts)
    addresses_of = partial(addresses_of_rows, source, config.contacts)
    return concerning(keys, news, addresses_of, claimed=claimed)


def _opened(data: bytes) -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.deserialize("main", data)
    return connection
