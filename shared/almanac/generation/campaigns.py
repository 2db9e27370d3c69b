"""Campaign types, instances around as_of, and their targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from almanac.civil import text_of
from almanac.generation import facts
from almanac.generation.contacts import ContactChunk
from almanac.generation.draws import Draws, constant, dates


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


def campaign_tables(as_of: int) -> dict[str, pa.RecordBatch]:
    """Return all rows of campaign_types and campaign_instances."""
    created = f"{text_of(as_of - 400)} 12:00:00"
    types = [vars(t) | {"created_at": created, "updated_at": created} for t in TYPES]
    instances = [
        {
            "id": number,
            "campaign_type": i.type,
            "instance_name": i.name,
            "email_template": f"{i.name}_email",
            "sms_template": f"{i.name}_sms" if number % 2 else None,
            "active_start_date": _text(as_of, i.active[0]),
            "active_end_date": _text(as_of, i.active[1]),
            "spread_start_date": _text(as_of, i.spread[0] if i.spread else None),
            "spread_end_date": _text(as_of, i.spread[1] if i.spread else None),
            "target_states": i.states,
            "target_carriers": i.carriers,
            "metadata": i.metadata,
            "created_at": f"{text_of(as_of - 210 + number)} 15:20:00",
            "updated_at": f"{text_of(as_of - 90 + number)} 09:05:00",
        }
        for number, i in enumerate(INSTANCES, 1)
    ]
    return {
        "campaign_types": pa.RecordBatch.from_pylist(types),
        "campaign_instances": pa.RecordBatch.from_pylist(instances),
    }


def _text(as_of: int, offset: int | None) -> str | None:
    return None if offset is None else text_of(as_of + offset)


def targets(draws: Draws, contacts: ContactChunk, as_of: int) -> pa.RecordBatch:
    """Return the contact_campaigns of a chunk: at most one row per contact and instance."""
    chosen = contacts.ids[draws.chance(facts.TARGET_SHARE, len(contacts.ids))]
    ids = np.repeat(chosen, 1 + draws.chance(facts.SECOND_TARGET_SHARE, len(chosen)))
    instance = draws.codes([i.targets for i in INSTANCES], len(ids))
    key = np.unique(ids * len(INSTANCES) + instance)
    ids, instance = key // len(INSTANCES), key % len(INSTANCES)
    count = len(ids)
    first = np.array([i.triggers[0] for i in INSTANCES], np.int64)[instance]
    last = np.array([i.triggers[1] for i in INSTANCES], np.int64)[instance]
    trigger = as_of + first + draws.below(last - first + 1, count)
    no_trigger = draws.chance(np.array([i.no_trigger for i in INSTANCES])[instance], count)
    orphans = draws.chance(facts.ORPHAN_SHARE, count)
    ids = np.where(orphans, contacts.first_free_id + np.cumsum(orphans) - 1, ids)
    created = draws.stamps(as_of - draws.between(1, 60, count))
    columns = {
        "contact_id": pa.array(ids),
        "campaign_instance_id": pa.array(instance + 1),
        "trigger_date": dates(trigger, missing=no_trigger),
        "status": draws.words(facts.TARGET_STATUSES, count),
        "metadata": constant(None, count),
        "created_at": created,
        "updated_at": created,
    }
    return pa.RecordBatch.from_pydict(columns)
