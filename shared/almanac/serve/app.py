"""The pages as a Flask application: routes, and errors as pages."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from almanac.errors import AlmanacError, DatabaseBusy, DatabaseError, RequestError, TransientError
from almanac.logs import get_log
from almanac.serve import (
    campaign_page,
    contact_page,
    contacts_page,
    day_page,
    report_page,
    start_page,
    what_if_page,
)
from almanac.serve.guard import Guard, with_headers
from almanac.serve.pages import asset, page
from almanac.serve.site import Site

MOST_BYTES = 10_000  # of what a form sends

View = Callable[..., AnyResponse]
VIEWS: dict[str, View] = {
    "/": start_page.start,
    "/contact/<int(signed=True):contact_id>": contact_page.contact,
    "/contacts": contacts_page.contacts,
    "/day": day_page.day,
    "/campaigns": campaign_page.campaigns,
    "/campaign/<int:instance_id>": campaign_page.campaign,
    "/report": report_page.report,
    "/report-tables/<name>": report_page.table,
    "/what-if": what_if_page.what_if,
}


def create_app(site: Site, guard: Guard) -> Flask:
    """Return the application that answers with pages about the site's database."""
    app = Flask("almanac.serve", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    app.before_request(lambda: guard.check(request))
    app.after_request(with_headers)
    for path, view in VIEWS.items():
        app.add_url_rule(path, view.__name__, functools.partial(view, site))
    app.add_url_rule(
        "/what-if", "compare", functools.partial(what_if_page.compare, site), None, methods=["POST"]
    )
    app.add_url_rule("/<any('serve.css', 'serve.js'):name>", "asset", asset)
    app.register_error_handler(Exception, functools.partial(_error, site))
    return app


def _error(site: Site, error: Exception) -> Response:
    """Return the page of an error: a sentence, and no traceback."""
    match error:
        case HTTPException():
            code, words = error.code or 500, str(error.description)
        case RequestError():
            code, words = 404, str(error)
        case DatabaseBusy() | TransientError() | DatabaseError():
            code, words = 503, str(error)
        case AlmanacError():
            code, words = 400, str(error)
        case _:
            get_log().exception("a page failed", path=request.path)
            code, words = 500, f"An error within Almanac ({type(error).__name__})."
    return page(site, "error.html.j2", _title(code), code=code, about=_about(site, code), why=words)


def _title(code: int) -> str:
    titles = {404: "Not found", 503: "Cannot be read now", 401: "Not allowed", 403: "Not allowed"}
    return titles.get(code, "Error")


def _about(site: Site, code: int) -> Any:
    """Return what is known of the database, if the reader may know it and it can be read."""
    if code in (401, 403):
        return None
    try:
        return site.about()
    except AlmanacError:
        return None
