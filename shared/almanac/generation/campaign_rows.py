"""Campaign types and instances of a generated agency, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class CampaignTypeRow:
    """A row of campaign_types."""

    name: str
    respect_exclusion_windows: int
    enable_followups: int
    days_before_event: int
    target_all_contacts: int
    priority: int
    active: int
    spread_evenly: int
    skip_failed_underwriting: int


@dataclass(frozen=True)
class CampaignInstanceRow:
    """A row of campaign_instances; days count from as_of."""

    type: str
    name: str
    active: tuple[int | None, int | None]
    spread: tuple[int, int] | None = None
    states: str | None = None
    carriers: str | None = None
    metadata: str | None = None
    targets: int = 0  # weight among the rows of contact_campaigns
    triggers: tuple[int, int] = (0, 0)  # first and last trigger date of its targets
    no_trigger: float = 0.0  # share of its targets without a trigger date


TYPES = (
    CampaignTypeRow("rate_increase", 1, 1, 14, 0, 1, 1, 0, 0),
    CampaignTypeRow("seasonal_promo", 1, 1, 7, 0, 5, 1, 0, 1),
    CampaignTypeRow("initial_blast", 0, 0, 0, 1, 15, 1, 0, 0),
    CampaignTypeRow("newsletter", 1, 0, 0, 1, 25, 1, 1, 0),
    CampaignTypeRow("thank_you", 1, 0, -5, 0, 30, 1, 0, 0),
    CampaignTypeRow("referral_bonus", 1, 1, 0, 0, 20, 0, 0, 0),  # no longer in use
)
# Ids are 1, 2, ... in this order. An all-contacts campaign without dates or states would send to
# all contacts on one day, so each of them is limited to a part of the agency.
INSTANCES = (
    CampaignInstanceRow(
        "rate_increase", "rates_this_half", (-60, 200), targets=36, triggers=(-5, 180)
    ),
    CampaignInstanceRow(
        "rate_increase",
        "rates_next_half",
        (-10, 330),
        metadata='{"priority": 2, "followup_email_template": "rates_followup"}',
        targets=20,
        triggers=(60, 320),
        no_trigger=0.03,
    ),
    CampaignInstanceRow(
        "seasonal_promo",
        "dental_promo",
        (-5, 120),
        states="FL, TX,AZ,oh",
        carriers="ALL",
        targets=20,
        triggers=(5, 130),
        no_trigger=0.3,
    ),
    CampaignInstanceRow("initial_blast", "hello_small_states", (-2, 45), states="VT,WY,AK"),
    CampaignInstanceRow(
        "newsletter", "quarterly_letter", (-20, 100), spread=(-10, 75), carriers="Cigna, Humana"
    ),
    CampaignInstanceRow(
        "thank_you", "thanks_for_renewing", (-90, 300), targets=14, triggers=(-30, 90)
    ),
    # its metadata has lost a quotation mark
    CampaignInstanceRow(
        "seasonal_promo",
        "vision_promo",
        (-15, 60),
        metadata='{"priority: 3}',
        targets=5,
        triggers=(5, 60),
    ),
    # its type was deleted
    CampaignInstanceRow("webinar_invite", "open_house", (-15, 90), targets=5, triggers=(5, 90)),
    CampaignInstanceRow("referral_bonus", "bring_a_friend", (None, -200), targets=0),
)


def instances(count: int) -> list[CampaignInstanceRow]:
    """Return so many campaigns: those above, and again with numbers in their names."""
    rounds = (divmod(number, len(INSTANCES)) for number in range(count))
    return [
        replace(INSTANCES[at], name=f"{INSTANCES[at].name}_{again + 1}") if again else INSTANCES[at]
        for again, at in rounds
    ]
