"""The pages of campaigns: all of them, and one with its targets and what became of each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from flask import Response, url_for

from almanac.campaigns.model import CampaignShown
from almanac.campaigns.queries import list_campaigns, show_campaign
from almanac.database.campaign_rows import (
    CampaignMessage,
    RowsPage,
    TargetRow,
    message_page,
    messages_to,
    target_page,
)
from almanac.database.opening import map_errors
from almanac.progress import silent
from almanac.serve.pages import number_in, page
from almanac.serve.report_page import campaign_line
from almanac.serve.site import Site

ROWS = 100  # on a page
SECONDS = 0.3  # for the search of the rows


@dataclass(frozen=True)
class TargetLine:
    """A target, or a contact with a message of the campaign, and what became of it."""

    contact_id: int
    trigger_date: str = ""
    status: str = ""
    messages: list[CampaignMessage] = field(default_factory=list)


@dataclass(frozen=True)
class TargetList:
    """A page of targets. known: whether their messages could be looked up."""

    lines: list[TargetLine]
    after: int | None
    share: int  # percent of the table that has been read
    listed: bool  # they are rows of contact_campaigns
    known: bool = True


def campaigns(site: Site) -> Response:
    """Return the page of all campaigns, without counts."""
    about = site.about()
    found = list_campaigns(site.agency, about.as_of, False, silent)
    return page(site, "campaigns.html.j2", "Campaigns", about=about, found=found)


def campaign(site: Site, instance_id: int) -> Response:
    """Return the page of a campaign instance."""
    about = site.about()
    shown = show_campaign(site.agency, str(instance_id), about.as_of, silent, counted=False)
    line, counting = campaign_line(site, about.stamp, instance_id)
    targets = _targets(site, shown, number_in("after", -(1 << 62)))
    more = ""
    if targets.after is not None:
        more = url_for("campaign", instance_id=instance_id, after=targets.after)
    return page(
        site,
        "campaign.html.j2",
        f"Campaign {shown.instance.name}",
        about=about,
        shown=shown,
        line=line,
        counting=counting,
        refresh="" if targets.lines else more,
        wait=False,
        targets=targets,
        more=more,
        start=number_in("after", 0) == 0,
    )


def _targets(site: Site, shown: CampaignShown, after: int) -> TargetList:
    instance, bounds = shown.instance.instance_id, (after, ROWS, SECONDS)
    all_contacts = any(f.name == "target_all_contacts" and f.of_type for f in shown.fields)
    with site.agency.open() as source, map_errors(source.path):
        if all_contacts:
            return _of_messages(message_page(source.connection, instance, *bounds))
        found = target_page(source.connection, instance, *bounds)
        contacts = [row.contact_id for row in found.rows]
        return _of_targets(found, messages_to(source.connection, instance, contacts))


def _of_messages(found: RowsPage[CampaignMessage]) -> TargetList:
    lines = [TargetLine(row.contact_id, messages=[row]) for row in found.rows]
    return TargetList(lines, found.after, _percent(found.share), listed=False)


def _of_targets(found: RowsPage[TargetRow], messages: list[CampaignMessage] | None) -> TargetList:
    of_contact: dict[int, list[CampaignMessage]] = defaultdict(list)
    for row in messages or ():
        of_contact[row.contact_id].append(row)
    lines = [
        TargetLine(row.contact_id, row.trigger_date, row.status, of_contact[row.contact_id])
        for row in found.rows
    ]
    known = messages is not None
    return TargetList(lines, found.after, _percent(found.share), listed=True, known=known)


def _percent(share: float) -> int:
    return int(100 * share)
