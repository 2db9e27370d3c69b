"""`almanac day` and `almanac week`: who gets what, by name."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from almanac.commands.dates import is_date, read_date, today_in
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app
from almanac.commands.options import AsCsv, AsJson, MaybeOrg, RowsOut, Shown, Store
from almanac.commands.output import print_rows
from almanac.commands.reading import Reading, reading
from almanac.contacts.day import DayRow, day_counts, day_rows
from almanac.contacts.text import print_day, print_week
from almanac.errors import InputError
from almanac.report.row_file import Output, output_of
from almanac.report.text import console_for

app = new_app()

WEEK = 7
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DATABASE] [DATE]",
        help="The agency's SQLite database, unless --org is given, and the day; today.",
        show_default=False,
    ),
]
_SETTINGS = {"ignore_unknown_options": True}  # -3 is a date


@app.command(
    context_settings=_SETTINGS,
    epilog="Example: almanac day agency.sqlite3 tomorrow\n\n"
    "DATE is YYYY-MM-DD, today, yesterday, tomorrow, monday to sunday, +3 or -3.",
)
def day(
    words: Words = None,
    limit: Shown = 25,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    out: RowsOut = None,
    org: MaybeOrg = None,
    store: Store = None,
) -> int:
    """Show who gets what on a day: the planned messages, then those that a sender has.

    A planned message that almanac due would leave out says why.
    """
    return _show(words or [], 1, limit, output_of(out, as_csv, as_json), (org, store))


@app.command(context_settings=_SETTINGS, epilog="Example: almanac week agency.sqlite3 monday")
def week(
    words: Words = None,
    limit: Annotated[
        int, typer.Option(min=0, metavar="N", help="Rows of each day; CSV and JSON have all.")
    ] = 5,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    out: RowsOut = None,
    org: MaybeOrg = None,
    store: Store = None,
) -> int:
    """Show how many messages each of seven days has, and who gets what."""
    return _show(words or [], WEEK, limit, output_of(out, as_csv, as_json), (org, store))


def _show(
    words: Sequence[str],
    days: int,
    limit: int,
    output: Output,
    where: tuple[str | None, str | None],
) -> int:
    database, date = _arguments(words, where[0])
    with reading(database, *where, whole=output.format_ is not None) as opened:
        today = today_in(opened.config.zone)
        first = read_date(date, "DATE", lambda: today) if date else today
        if output.format_ is None:
            _print(opened, first, days, today, limit)
        else:
            head: dict[str, object] = {"database": opened.name, "today": str(today)}
            counts = day_counts(opened.connection, first, _last(first, days), opened.config)
            head["days"] = [count._asdict() | {"date": str(count.date)} for count in counts]
            rows = _rows(opened, first, days, today)
            print_rows(output, output.format_, DayRow._fields, rows, head)
    return OK


def _arguments(words: Sequence[str], org: str | None) -> tuple[Path | None, str | None]:
    """Return database and date: what has the form of a date is the date, before or behind."""
    unknown = [word for word in words if word.startswith("-") and not is_date(word)]
    if unknown:
        raise InputError(f"No such option: {unknown[0]}. See: almanac day --help")
    dates, others = [w for w in words if is_date(w)], [w for w in words if not is_date(w)]
    if len(others) == 2 or (others and org is not None):
        read_date(others[-1], "DATE", dt.date.today)  # the error says what a date is
    if len(dates) > 1 or len(others) > 1:
        expected = "DATE" if org is not None else "DATABASE and DATE"
        raise InputError(f"expected {expected}, found {' '.join(words)}")
    return Path(others[0]) if others else None, dates[0] if dates else None


def _last(first: dt.date, days: int) -> dt.date:
    return first + dt.timedelta(days=days - 1)


def _rows(opened: Reading, first: dt.date, days: int, today: dt.date) -> Iterator[DayRow]:
    each = (first + dt.timedelta(days=number) for number in range(days))
    return chain.from_iterable(
        day_rows(opened.connection, date, today, opened.config) for date in each
    )


def _print(opened: Reading, first: dt.date, days: int, today: dt.date, limit: int) -> None:
    console = console_for(sys.stdout)
    show = partial(day_rows, opened.connection, today=today, config=opened.config, limit=limit)
    counts = day_counts(opened.connection, first, _last(first, days), opened.config)
    if days > 1:
        print_week(console, counts, today)
    for count in counts:
        if days > 1:
            console.print()
        print_day(console, count, list(show(day=count.date)), today)
