"""The report page: one HTML file that needs nothing but itself."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from almanac.errors import InputError
from almanac.report.charts import bars, calendar, series
from almanac.report.page_data import PageData


def render(data: PageData) -> str:
    """The page's HTML; every text of the data is escaped."""
    totals = data.totals
    return _template().render(
        data=data,
        calendar=calendar(data),
        bars=bars(data),
        series=series(data),
        totals=totals,
        busiest=max(totals.values(), default=0),
        above=[day for day, total in totals.items() if total > data.ceiling],
        reasons=sorted(data.skipped, key=lambda r: (-sum(data.skipped[r].values()), r)),
        types=sorted(data.planned, key=lambda t: (-data.planned[t], t)),
    )


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("almanac.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    return environment.get_template("page.html.j2")


def check_target(path: Path) -> None:
    """Raises InputError if no page can be written to the path."""
    if path.is_dir():
        raise InputError(f"{path}: a folder; expected the name of an HTML file")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: not an ordinary file; a page would take its place")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InputError(f"{path}: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{path}: the folder {folder} cannot be written to")


def write_page(path: Path, data: PageData) -> None:
    """Write the page: either all of it is there, or what was there before."""
    check_target(path)
    html = render(data)
    handle, name = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=".partial", dir=path.absolute().parent
    )
    partial = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(html)
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
