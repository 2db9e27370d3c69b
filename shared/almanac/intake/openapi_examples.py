"""An example or two of each kind of body, for the description of the function `intake`."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, Mapping[str, object]] = {
    "deliveries": {
        "marks": [
            {"id": 4711, "status": "sent", "at": "2026-11-23T08:31:00Z", "message_id": "m-1"},
            {"id": 4712, "status": "bounced", "detail": "550 no such user"},
        ],
        "claim": {
            "id": 4713,
            "status": "processing",
            "contact_id": 42,
            "email_type": "birthday",
            "event_date": "2026-12-07",
            "ideal_send_date": "2026-11-23",
            "scheduled_send_date": "2026-11-23",
        },
    },
    "activity": {
        "click": {"type": "click", "email": "ada@example.com", "message": 4711},
        "answer": {
            "type": "eligibility_answered",
            "contact_id": 42,
            "at": "2026-11-24T16:05:00-06:00",
            "metadata": {"eligible": True},
        },
    },
    "suppressions": {
        "unsubscribe": {"email": "ada@example.com", "reason": "unsubscribe"},
        "end": {"action": "end", "contact_id": 42},
        "at once": {
            "event_id": "crm-2026-11-24-17",
            "entries": [{"phone": "+1 555 010 1234", "channel": "sms", "reason": "manual"}],
            "replan": True,
        },
    },
    "contacts": {
        "new": {"email": "grace@example.com", "zip_code": "60601", "birth_date": "1957-12-09"},
        "changed": [{"id": 42, "state": "NV"}, {"action": "deactivate", "id": 43}],
    },
    "targets": {
        "targets": [
            {
                "campaign_instance_id": 1,
                "contact_id": 42,
                "trigger_date": "2027-01-01",
                "metadata": {"new_premium": 131.5},
            },
            {"action": "remove", "campaign_instance_id": 1, "email": "ada@example.com"},
        ],
    },
    "campaigns": {
        "type": {"type": {"name": "rate_increase"}},
        "instance": {
            "instance": {
                "campaign_type": "rate_increase",
                "instance_name": "carrier A 2027",
                "email_template": "rate_increase_2027",
            }
        },
    },
}
