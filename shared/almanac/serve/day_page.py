"""The page of a day: who gets what."""

from __future__ import annotations

import datetime as dt

from flask import Response

from almanac.contacts.day import day_counts, day_rows
from almanac.contacts.text import message_name
from almanac.database.opening import map_errors
from almanac.names import FIRST_YEAR, LAST_YEAR
from almanac.schedule_status import Status
from almanac.serve.pages import day_in, number_in, page
from almanac.serve.site import Site

ROWS, MOST_ROWS = 200, 1000


def day(site: Site) -> Response:
    """Return the messages of a day, by default of the day of the last run."""
    about = site.about()
    on = day_in("on") or about.as_of
    limit = max(1, min(number_in("rows", ROWS), MOST_ROWS))
    today = dt.datetime.now(dt.UTC).astimezone(about.config.zone).date()
    with site.agency.open() as source, map_errors(source.path):
        (count,) = day_counts(source.connection, on, on, about.config)
        rows = list(day_rows(source.connection, on, today, about.config, limit))
    return page(
        site,
        "day.html.j2",
        f"{on:%A} {on}",
        about=about,
        on=on,
        before=_near(on, -1),
        after=_near(on, 1),
        count=count,
        rows=rows,
        most=MOST_ROWS if limit < MOST_ROWS else None,
        message_name=message_name,
        planned=Status.PRE_SCHEDULED,
    )


def _near(on: dt.date, days: int) -> dt.date:
    """Return a day before or after, within the years that dates may have."""
    first, last = dt.date(FIRST_YEAR, 1, 1), dt.date(LAST_YEAR, 12, 31)
    return min(max(on + dt.timedelta(days=days), first), last)
