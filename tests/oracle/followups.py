"""Follow-ups to what was sent (semantics: Follow-ups)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from .campaigns import Instance
from .candidates import GLOBAL_UNDERWRITING, Candidate, Run
from .contacts import Contact
from .database import Record, flag, text
from .dates import parse_time, plus
from .schedules import SENT, Scheduled

_PARENTS = ("birthday", "effective_date", "aep", "post_window")
_EVENT_PARENTS = ("birthday", "effective_date")


@dataclass(frozen=True)
class Behaviour:
    """What a contact did since a day."""

    clicked: bool
    answered: bool
    medical_conditions: bool

    @property
    def email_type(self) -> str:
        if self.medical_conditions:
            return "followup_4_hq_with_yes"
        if self.answered:
            return "followup_3_hq_no_yes"
        if self.clicked:
            return "followup_2_clicked_no_hq"
        return "followup_1_cold"


def _says_yes(metadata: object) -> bool:
    try:
        said = json.loads(text(metadata))
    except ValueError:
        return False
    if not isinstance(said, dict):
        return False
    return flag(said.get("has_medical_conditions")) or _above_zero(said)


def _above_zero(said: dict[str, Any]) -> bool:
    count = said.get("main_questions_yes_count")
    if isinstance(count, bool):
        return False
    try:
        return float(count) > 0 if isinstance(count, (int, float, str)) else False
    except ValueError:
        return False


def _since(row: Record, column: str, day: date) -> bool:
    found = parse_time(row.get(column))
    return found is not None and found >= day


def behaviour(clicks: list[Record], events: list[Record], day: date) -> Behaviour:
    """A contact's behaviour on or after a day."""
    answers = [
        row
        for row in events
        if row["event_type"] == "eligibility_answered" and _since(row, "created_at", day)
    ]
    return Behaviour(
        clicked=any(_since(row, "clicked_at", day) for row in clicks),
        answered=bool(answers),
        medical_conditions=any(_says_yes(row.get("metadata")) for row in answers),
    )


@dataclass(frozen=True)
class Parent:
    """A sent email that a follow-up may answer, and its campaign's instance if it has one."""

    row: Scheduled
    sent: date
    instance: Instance | None


def _parent(row: Scheduled, run: Run, instance_id: int | None) -> Parent | None:
    """The row as a parent, if it is one."""
    if row.status not in SENT or row.sent_at is None:
        return None
    lookback = run.config["timing"]["followup_lookback_days"]
    if not plus(run.as_of, -lookback) <= row.sent_at <= run.as_of:
        return None
    if row.is_campaign:
        instance = run.campaigns.instances.get(instance_id or 0)
        if instance is None or not instance.enable_followups:
            return None
        return Parent(row, row.sent_at, instance)
    return Parent(row, row.sent_at, None) if row.kind in _PARENTS else None


def followup_candidates(
    contact: Contact,
    run: Run,
    rows: list[Scheduled],
    clicks: list[Record],
    events: list[Record],
    instance_of: Callable[[Scheduled], int | None],
) -> list[Candidate]:
    """The one follow-up of a contact, if it is due any."""
    parents = [one for row in rows if (one := _parent(row, run, instance_of(row))) is not None]
    if not parents:
        return []
    latest = max(parents, key=lambda one: (one.sent, one.row.id))
    parent, sent, instance = latest.row, latest.sent, latest.instance
    if any(row.is_followup and row.send_date and row.send_date > sent for row in rows):
        return []
    timing = run.config["timing"]
    ideal = plus(sent, timing["followup_delay_days"])
    deadline = plus(sent, timing["followup_lookback_days"])
    if not run.exists(ideal, deadline):
        return []

    did = behaviour(clicks, events, sent)
    mail = did.email_type
    about = parent.event if parent.kind in _EVENT_PARENTS else None
    metadata: dict[str, Any] = {
        "initial_comm_log_id": parent.id,
        "initial_email_type": f"campaign_{instance.type.name}" if instance else parent.kind,
        "followup_behavior": {
            "clicked": did.clicked,
            "answered": did.answered,
            "medical_conditions": did.medical_conditions,
        },
    }
    if instance:
        metadata["campaign_name"] = instance.name
    if parent.target is not None:
        metadata["target"] = parent.target
    about_aep = (instance.type.name if instance else parent.kind) == "aep"
    globally = run.config["organization"]["exclude_failed_underwriting_global"]
    barred = globally and contact.failed_underwriting and not about_aep
    own_email = instance.followup_email_template if instance else None
    own_sms = instance.followup_sms_template if instance else None
    return [
        Candidate(
            contact=contact,
            email_type=mail,
            instance=instance.id if instance else None,
            event=about or sent,
            ideal=ideal,
            deadline=deadline,
            priority=instance.priority if instance else run.config["priorities"]["followup"],
            email_template=own_email or run.config["templates"][mail],
            sms_template=own_sms or run.config["sms"][mail],
            metadata=metadata,
            reason=GLOBAL_UNDERWRITING if barred else None,
        )
    ]
