"""The evidence of a campaign: what its messages became, the runs and the rules."""

from __future__ import annotations

import datetime as dt

from almanac.campaigns.repository import Campaigns
from almanac.database.catalog import Record
from almanac.database.evidence_rows import CampaignRows
from almanac.database.reading import Snapshot
from almanac.evidence.messages import outcome_of
from almanac.evidence.model import CampaignEvidence, OutcomeCount, StateRules
from almanac.evidence.records import Period, RunHistory, config_in, state_rules
from almanac.explain.history import UNRECORDED

HOLDS = (
    "Rows of this campaign only, by contact id: no name, address or other column of a contact. "
    "Consent and suppressions are in the evidence of a contact; a message withheld for one says so."
)


def campaign_evidence(
    rows: CampaignRows, snapshot: Snapshot, campaigns: Campaigns, instance: Record, contacts: int
) -> CampaignEvidence:
    """Return what evidence.json says of an instance. contacts: the number of lines."""
    history, period = RunHistory.read(snapshot), rows.days
    used = set(rows.run_ids())
    runs = [run for run in history.runs if run.run_id in used]
    digests = {run.configuration for run in runs}
    configurations = [each for each in history.configurations if each.digest in digests]
    return CampaignEvidence(
        instance=instance,
        campaign_type=campaigns.find_type(str(instance.get("campaign_type") or "")) or {},
        first=period[0] if period else None,
        last=period[1] if period else None,
        holds=HOLDS,
        contacts=contacts,
        counts=[
            OutcomeCount(
                email_type=email_type,
                outcome=outcome_of(status),
                status=status,
                skip_reason=reason or None,
                messages=messages,
            )
            for email_type, status, reason, messages in rows.counts()
        ],
        changes=rows.changes(),
        rules=_rules(history, sorted({each.digest for each in configurations}), period),
        configurations=configurations,
        runs=runs,
        unknown=[UNRECORDED],
    )


def _rules(history: RunHistory, digests: list[str], period: Period | None) -> list[StateRules]:
    found = ((digest, config_in(history.configuration(digest))) for digest in digests)
    return [
        state_rules(digest, config, sorted(config.rules), period or (dt.date.min, dt.date.max))
        for digest, config in found
        if config is not None
    ]
