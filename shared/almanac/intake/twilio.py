"""Twilio's webhooks: their signature, and what status callbacks and incoming messages become.

The row of a text message is the parameter `id` of its StatusCallback.
https://www.twilio.com/docs/usage/security
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from almanac.intake.reports import Reports, row_of

SIGNATURE = "x-twilio-signature"
FORM = "application/x-www-form-urlencoded"
ROW = "id"  # the parameter of the StatusCallback that names the row
STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"})
START = frozenset({"START"})
_AROUND = " \t\r\n.,;:!?\"'"  # what is no part of a word
_STATUS = {"delivered": "delivered", "failed": "failed", "undelivered": "failed"}

Parameters = Mapping[str, Sequence[str]]


def signature_of(token: str, url: str, parameters: Parameters) -> str:
    """Return Twilio's signature of a request: of its URL, and its parameters by their names."""
    signed = url + "".join(
        f"{name}{value}" for name in sorted(parameters) for value in sorted(set(parameters[name]))
    )
    digest = hmac.new(token.encode(), signed.encode("utf-8", "surrogatepass"), hashlib.sha1)
    return base64.b64encode(digest.digest()).decode()


def is_genuine(token: str, headers: Mapping[str, str], url: str, parameters: Parameters) -> bool:
    """Whether the request was signed with the token."""
    given = headers.get(SIGNATURE, "").encode("latin-1", "replace")
    return hmac.compare_digest(signature_of(token, url, parameters).encode(), given)


def read_report(query: Parameters, parameters: Parameters, found: Reports, now: dt.datetime) -> int:
    """Add what the request becomes; return 1 if it becomes nothing.

    now: when it came, since Twilio says no time.
    """
    first = {name: values[0] for name, values in parameters.items()}
    sid = first.get("MessageSid") or first.get("SmsSid", "")
    status = (first.get("MessageStatus") or first.get("SmsStatus", "")).lower()
    if status == "received":
        return int(not _read_message(first, f"{sid}-received", found, now))
    row = row_of(query.get(ROW, [""])[0])
    if row is None or status not in _STATUS:
        return 1
    code = first.get("ErrorCode", "")
    detail = f"Twilio error {code[:20]}" if code else None
    found.mark(f"{sid}-{status}", row, _STATUS[status], twilio_sms_id=sid, detail=detail)
    return 0


def _read_message(
    message: Mapping[str, str], report: str, found: Reports, now: dt.datetime
) -> bool:
    """Add what a message from a contact means for text messages to its number."""
    # Twilio names the keyword where it knows more of them than we do
    word = (message.get("OptOutType") or message.get("Body", "")).strip(_AROUND).upper()
    number = message.get("From", "")
    if not number:
        return False
    if word in STOP:
        found.suppress(report, "unsubscribe", now, phone=number, channel="sms")
    elif word in START:
        found.end(report, phone=number, channel="sms")
    else:
        return False
    return True
