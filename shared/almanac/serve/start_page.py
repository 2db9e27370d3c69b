"""The first page: what there is to look at."""

from __future__ import annotations

from flask import Response

from almanac.serve.pages import page
from almanac.serve.site import Site


def start(site: Site) -> Response:
    """Return the first page."""
    return page(site, "start.html.j2", "Overview", about=site.about())
