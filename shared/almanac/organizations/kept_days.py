"""The messages of a version's day and the next, kept beside its database.

A sender asks for them all day long: a few megabytes, where the rows of a day and their contacts lie
all over a database of gigabytes (decision 0059).
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from almanac.config_contacts import ContactColumns
from almanac.database.day_extract import DayExtract
from almanac.database.opening import map_errors
from almanac.database.sources import file_source
from almanac.storage import layout
from almanac.storage.store import ObjectStore, read_or_none
from almanac.storage.versions import Current

_NEXT = dt.timedelta(days=1)


def days_to_keep(database: Path, first: dt.date, settings: ContactColumns) -> dict[str, bytes]:
    """Return the attachment of a new version with the messages of a day and the next."""
    source = file_source(database)
    try:
        with map_errors(database), DayExtract(source, settings) as extract:
            extract.add_days(str(first), str(first + _NEXT))
            return {layout.DAYS.format(first): extract.data()}
    finally:
        source.close()


def kept_day(store: ObjectStore, version: Current, day: dt.date) -> bytes | None:
    """Return what a version keeps of the messages of a day, as a database; None if it has none."""
    for first in (day, day - _NEXT):
        found = read_or_none(store, f"{version.folder}/{layout.DAYS.format(first)}")
        if found is not None:
            return found.data
    return None
