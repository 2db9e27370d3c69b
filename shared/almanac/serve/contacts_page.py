"""The search of contacts."""

from __future__ import annotations

from flask import redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from almanac.contacts.find import find
from almanac.database.opening import map_errors
from almanac.serve.pages import number_in, page
from almanac.serve.site import Site

SECONDS = 0.3  # of a scan, before the page shows what there is and offers the rest
ROWS = 50


def contacts(site: Site) -> AnyResponse:
    """Return the contacts that a text means; a contact's page for its id."""
    about = site.about()
    text = request.args.get("q", "").strip()
    found = None
    if text:
        after = number_in("after", 0) if request.args.get("after") else None
        settings = about.config.contacts
        with site.agency.open() as source, map_errors(source.path):
            found = find(source.connection, text, settings, ROWS, SECONDS, after)
        if found.by == "id" and len(found.contacts) == 1:
            return redirect(url_for("contact", contact_id=found.contacts[0].id), 303)
    more = ""
    if found is not None and not found.complete and found.reached is not None:
        more = url_for("contacts", q=text, after=found.reached)
    return page(
        site,
        "contacts.html.j2",
        "Contacts",
        about=about,
        refresh=more if found and not found.contacts else "",
        wait=False,
        text=text,
        found=found,
        more=more,
        again=bool(request.args.get("after")),
    )
