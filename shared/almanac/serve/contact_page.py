"""The page of a contact: the year, every message, and why."""

from __future__ import annotations

from flask import Response

from almanac.contacts.find import find
from almanac.database.extract import nearest_ids
from almanac.database.opening import map_errors
from almanac.errors import AlmanacError
from almanac.explain.explain import explain_contact
from almanac.explain.lookup import Question
from almanac.explain.text import ANSWERS, in_words
from almanac.report.page import environment
from almanac.serve.pages import day_in, page
from almanac.serve.site import Site
from almanac.serve.year_chart import year_chart


def warm_up(site: Site) -> None:
    """Explain the first contact, so that what the first page needs is imported and compiled."""
    settings = site.about().config.contacts
    try:
        with site.agency.open() as source, map_errors(source.path):
            ids = nearest_ids(source.connection, 1, settings)
        for first in ids[:1]:
            explain_contact(site.agency, first, Question())
    except AlmanacError:
        return  # its page says what is wrong with this one
    environment("almanac.serve").get_template("contact.html.j2")


def contact(site: Site, contact_id: int) -> Response:
    """Return the page of a contact; with `on`, also why each message is not sent on that day."""
    about = site.about()
    found = explain_contact(site.agency, contact_id, Question(on=day_in("on")))
    with site.agency.open() as source, map_errors(source.path):
        named = find(source.connection, str(contact_id), about.config.contacts, 1).contacts
    name = f", {named[0].name}" if named and named[0].name else ""
    return page(
        site,
        "contact.html.j2",
        f"Contact {contact_id}{name}",
        about=about,
        found=found,
        chart=year_chart(found),
        answers=ANSWERS,
        in_words=in_words,
    )
