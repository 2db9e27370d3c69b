"""The report page: one self-contained HTML file, and its tables as CSV files."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from almanac.errors import InputError
from almanac.outputs import check_no_database, neighbour
from almanac.report.charts import BAR_HEIGHT, BAR_TOP, bars, calendar
from almanac.report.events import ALL_REFUSED
from almanac.report.headlines import alerts, cards, changes_in_words, short_day
from almanac.report.page_data import PageData
from almanac.report.protected_days import BOX_HEIGHT, protected_days
from almanac.report.table import Cell, ReportTable, to_csv
from almanac.report.tables import tables_of
from almanac.report.what_if_page import weeks_chart

# The limits of the tables on the page; their CSV files are complete.
MOST_ROWS = 200
MOST_DAYS = 1100
MOST_TYPES = 8
LONGEST = 300  # characters of a text
LONG = 24  # characters of a text for which a column is not made too narrow
LONG_WORD, LONG_IN_LABEL = 16, 12  # characters of a word after which it may be broken
RESULTS_JSON = "results.json"  # beside the CSV files
DATES = 30  # pixels below the bars


# up to an underscore, or a part of a long word
_PIECES = {
    longest: re.compile(rf".*?(?:_|[^\s_]{{{longest}}})|.+", re.DOTALL)
    for longest in (LONG_WORD, LONG_IN_LABEL)
}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class ShownTable:
    """The part of a table that the page shows, and how much more its CSV file has."""

    table: ReportTable
    columns: list[tuple[str, bool, bool]]  # label, holds numbers, is drawn as a bar
    rows: list[tuple[Cell, ...]]
    more_rows: int
    more_columns: int


def report_files(data: PageData, page: str, folder: str) -> dict[str, bytes]:
    """Return the page and the CSV files of its tables by name; the CSV files are in the folder."""
    tables = tables_of(data)
    csv_files = {f"{folder}/{name}.csv": to_csv(table) for name, table in tables.items()}
    if data.results is not None:
        csv_files[f"{folder}/{RESULTS_JSON}"] = data.results.model_dump_json().encode()
    return {**csv_files, page: _page(data, tables, folder).encode(errors="replace")}


def render(data: PageData, folder: str = "report-tables") -> str:
    """Return the page's HTML; every text of the data is escaped. folder: of its CSV files."""
    return _page(data, tables_of(data), folder)


def tables_folder(page: Path) -> Path:
    """Return the folder for the CSV files of a page."""
    return page.with_name(f"{page.stem}-tables")


def check_target(path: Path) -> None:
    """Raise InputError if the page, or the CSV files beside it, cannot be written."""
    if path.is_dir():
        raise InputError(f"{path}: a folder; expected the name of an HTML file")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: not a regular file; the page would replace it")
    check_no_database(path, "the page")
    parent = path.absolute().parent
    if not parent.is_dir():
        raise InputError(f"{path}: there is no folder {parent}; create it first")
    tables = tables_folder(path)
    if tables.exists() and not tables.is_dir():
        raise InputError(f"{path}: its tables need the folder {tables}, which is a file")
    for folder in (parent, tables):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"{path}: the folder {folder} is not writable")


def write_page(path: Path, data: PageData) -> None:
    """Write the CSV files and then the page, each file whole or not at all."""
    check_target(path)
    folder = tables_folder(path)
    folder.mkdir(exist_ok=True)
    # of an earlier page with a comparison, or with results
    for stale in (*folder.glob("what_if_*.csv"), *folder.glob("results_*.csv")):
        stale.unlink()
    (folder / RESULTS_JSON).unlink(missing_ok=True)
    for name, content in report_files(data, path.name, folder.name).items():
        _write(path.absolute().parent / name, content)


def _page(data: PageData, tables: dict[str, ReportTable], folder: str) -> str:
    script, style = _asset("page.js.j2"), stylesheet()
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            data=data,
            folder=quote(folder),
            as_of=short_day(str(data.as_of)),
            last_day=short_day(str(data.last_day)),
            tables={name: _shown(table) for name, table in tables.items()},
            alerts=alerts(data),
            all_refused=ALL_REFUSED,
            cards=cards(data),
            changes=changes_in_words(data),
            months=calendar(data),
            chart=bars(data),
            protected=protected_days(data),
            weeks=weeks_chart(data.what_if) if data.what_if else None,
            bar_top=BAR_TOP,
            bar_height=BAR_HEIGHT,
            box_height=BOX_HEIGHT,
            script=Markup(script),
            style=Markup(style),
            script_hash=csp_hash(script),
            style_hash=csp_hash(style),
        )
    )


def _shown(table: ReportTable) -> ShownTable:
    narrow = table.narrowed(MOST_TYPES)
    most = MOST_DAYS if table.name in ("days", "what_if_days") else MOST_ROWS
    return ShownTable(
        table=table,
        columns=[(x.label, x.number, x.share) for x in narrow.columns],
        rows=narrow.rows[:most],
        more_rows=max(0, len(table.rows) - most),
        more_columns=len(table.columns) - len(narrow.columns),
    )


@functools.cache
def environment(*packages: str) -> Environment:
    """Return the templates of the packages and of the page; they escape every text."""
    packages = (*packages, "almanac.report")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "templates") for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = _cell
    environment.filters["breakable"] = _breakable
    environment.filters["breakable_label"] = _breakable_label
    environment.filters["is_day"] = _is_day
    environment.filters["is_long"] = _is_long
    return environment


def _cell(value: Cell) -> str:
    """Return a cell as the page shows it."""
    match value:
        case None:
            return ""
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
        case str():
            return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
        case _:
            assert_never(value)


def _breakable(value: Cell, longest: int = LONG_WORD) -> Markup:
    """Return a cell as the page shows it, with breaks allowed after underscores, in long words."""
    text = _cell(value)
    if len(text) <= longest and "_" not in text:  # as most are
        return escape(text)
    return Markup("<wbr>").join(map(escape, _PIECES[longest].findall(text)))


def _breakable_label(label: str) -> Markup:
    return _breakable(label, LONG_IN_LABEL)


def _is_day(value: Cell) -> bool:
    return isinstance(value, str) and _DAY.fullmatch(value) is not None


def _is_long(value: Cell) -> bool:
    return isinstance(value, str) and len(value) > LONG


def stylesheet() -> str:
    """Return the style of the page."""
    return _asset("page.css.j2")


@functools.cache
def _asset(name: str) -> str:
    """Return the text of a template that depends on no data."""
    return environment().get_template(name).render(height=BAR_TOP + BAR_HEIGHT + DATES)


def csp_hash(text: str) -> str:
    """Return the hash by which a Content-Security-Policy allows one script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _write(path: Path, content: bytes) -> None:
    """Write a file whole, or leave the earlier one as it is."""
    with neighbour(path) as partial:
        partial.write_bytes(content)
        partial.replace(path)
