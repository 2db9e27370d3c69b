"""The page of an archive: one HTML file that needs nothing else, for a reader without tools."""

from __future__ import annotations

from markupsafe import Markup

from almanac.evidence.model import OUTCOMES, CampaignEvidence, ContactEvidence, DatabaseState
from almanac.explain.text import in_words
from almanac.report.page import csp_hash, environment, stylesheet


def contact_page(found: ContactEvidence, state: DatabaseState, about: str) -> bytes:
    """Return the page of a contact; every text is escaped."""
    return _page("contact_evidence.html.j2", found, state, about)


def campaign_page(found: CampaignEvidence, state: DatabaseState, about: str) -> bytes:
    """Return the page of a campaign, without its contacts."""
    return _page("campaign_evidence.html.j2", found, state, about)


def _page(
    template: str, found: ContactEvidence | CampaignEvidence, state: DatabaseState, about: str
) -> bytes:
    style = stylesheet()
    text = (
        environment("almanac.evidence")
        .get_template(template)
        .render(
            found=found,
            state=state,
            about=about,
            outcomes=OUTCOMES,
            in_words=in_words,
            style=Markup(style),
            style_hash=csp_hash(style),
        )
    )
    return text.encode(errors="replace")
