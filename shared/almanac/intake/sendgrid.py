"""SendGrid's Event Webhook: its signature, and what its reports become.

The row of a message is the custom argument `almanac_id` of its sending, which every report has.
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from almanac.intake.reports import Reports, row_of
from almanac.names import FIRST_YEAR, LAST_YEAR

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
ROW = "almanac_id"  # the custom argument that names the row
MAX_AGE = dt.timedelta(minutes=10)
_LONGEST = 1000  # characters of a reason that is kept


def is_genuine(public_key: str, headers: Mapping[str, str], body: bytes, now: dt.datetime) -> bool:
    """Whether the owner of the key has signed the body less than ten minutes ago (or ahead)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    timestamp = headers.get(TIMESTAMP, "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    if abs(now.timestamp() - int(timestamp)) > MAX_AGE.total_seconds():
        return False
    try:
        signature = base64.b64decode(headers.get(SIGNATURE, ""), validate=True)
        key = serialization.load_der_public_key(base64.b64decode(public_key))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(signature, timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def read_reports(reports: Sequence[object], found: Reports, now: dt.datetime) -> int:
    """Add what the reports become; return how many become nothing.

    Those are reports of no interest (opened, processed, deferred), of messages that were not ours,
    and what is no report.
    """
    ignored = 0
    for report in reports:
        if not isinstance(report, Mapping) or not _read(report, found, now):
            ignored += 1
    return ignored


def _read(report: Mapping[str, Any], found: Reports, now: dt.datetime) -> bool:
    known = str(report.get("sg_event_id") or "") or _digest(report)
    at = _time(report.get("timestamp"))
    row, email = row_of(report.get(ROW)), str(report.get("email") or "").strip()
    event, day = report.get("event"), dt.datetime.fromisoformat(at) if at else now
    status = _status(event, report.get("type"))
    if status is not None and row is not None:
        reason = report.get("reason") or report.get("response")
        message = _text(report.get("sg_message_id"))
        more = {"sendgrid_message_id": message, "detail": _text(reason), "email": email or None}
        found.mark(known, row, status, at=at, **more)
    if not email:
        return status is not None and row is not None
    match event:
        case "spamreport":  # whatever became of the row
            found.suppress(known, "complaint", day, email=email)
        case "unsubscribe" | "group_unsubscribe":
            found.suppress(known, "unsubscribe", day, email=email)
        case "click":
            found.click(known, email, at=at, url=_text(report.get("url")), message=row)
        case _:
            return status is not None and row is not None
    return True


def _status(event: object, kind: object) -> str | None:
    """Return what `mark` calls it; None for a report that is no mark."""
    if event == "bounce":  # blocked: the address exists, the message was not taken
        return "failed" if kind == "blocked" else "bounced"
    return {"delivered": "delivered", "dropped": "failed", "spamreport": "complaint"}.get(
        str(event)
    )


def _time(value: object) -> str | None:
    """Return the time of a report, which is Unix time in seconds; None for another value."""
    try:
        found = dt.datetime.fromtimestamp(int(str(value)), dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found.isoformat() if FIRST_YEAR <= found.year <= LAST_YEAR else None


def _text(value: object) -> str | None:
    """Return a text as it is kept, without what no text of a database has; None for none."""
    if not isinstance(value, str):
        return None
    kept = value[:_LONGEST].replace("\0", "").encode("utf-8", "ignore").decode()
    return kept or None


def _digest(report: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(report, sort_keys=True).encode()).hexdigest()
