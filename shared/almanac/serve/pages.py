"""What all pages have in common: the templates, the style, dates and numbers in addresses."""

from __future__ import annotations

import datetime as dt
from importlib.resources import files
from typing import Any

from flask import Response, request

from almanac.errors import InputError
from almanac.names import FIRST_YEAR, LAST_YEAR
from almanac.report.page import environment, stylesheet
from almanac.serve.site import About, Site

HTML = "text/html; charset=utf-8"
REFRESH_SECONDS = 1


def page(
    site: Site,
    template: str,
    title: str,
    *,
    code: int = 200,
    about: About | None = None,
    refresh: str = "",
    wait: bool = True,
    **values: Any,
) -> Response:
    """Return a page; every text is escaped. refresh: the address to which the browser goes on by
    itself, at once or, with `wait`, after a moment."""
    text = (
        environment("almanac.serve")
        .get_template(template)
        .render(title=title, about=about, here=request.path, **values)
    )
    response = Response(text.encode(errors="replace"), code, content_type=HTML)
    if refresh:
        response.headers["Refresh"] = f"{REFRESH_SECONDS if wait else 0}; url={refresh}"
    return response


def asset(name: str) -> Response:
    """Return the style, which begins with that of the report page, or the script."""
    text = files("almanac.serve").joinpath("templates", name).read_text(encoding="utf-8")
    if name == "serve.css":
        return Response(stylesheet() + text, content_type="text/css; charset=utf-8")
    return Response(text, content_type="text/javascript; charset=utf-8")


def day_in(name: str) -> dt.date | None:
    """Return the date in a field of the address, None if it is empty."""
    text = request.args.get(name, "").strip()
    return read_day(text, name) if text else None


def read_day(text: str, name: str) -> dt.date:
    """Return the date of YYYY-MM-DD; raise InputError for another text."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{name}: {text!r} is not a date; expected YYYY-MM-DD, such as 2026-11-21"
        ) from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise InputError(
            f"{name}: {text} is out of range; expected a year from {FIRST_YEAR} to {LAST_YEAR}"
        )
    return day


def number_in(name: str, default: int) -> int:
    """Return the whole number in a field of the address."""
    text = request.args.get(name, "").strip()
    if not text:
        return default
    try:
        return int(text[:19])
    except ValueError:
        raise InputError(f"{name}: {text!r} is not a whole number") from None
