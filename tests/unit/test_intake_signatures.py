"""What SendGrid and Twilio have not signed is refused, and not written."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from almanac.intake import sendgrid, twilio
from almanac.intake.webhooks import WebhookEndpoint
from tests.support.intake_posts import ORG, request
from tests.support.webhook_posts import OTHER_KEY, STAMP, STOP, TOKEN, URL, Hooks, report

REPORTS = [report("delivered")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": OTHER_KEY},
        {"sent": [report("bounce")]},
        {"sent": b""},
        {"stamp": str(int(STAMP) - 601)},
        {"stamp": str(int(STAMP) + 601)},
        {"stamp": ""},
        {"stamp": "now"},
        {"stamp": "-1"},
        {"stamp": f" {STAMP}"},
        {"stamp": "9" * 400},
        {"x_twilio_email_event_webhook_timestamp": str(int(STAMP) - 1)},
        {"x_twilio_email_event_webhook_timestamp": "-"},
        {"x_twilio_email_event_webhook_signature": "-"},
        {"x_twilio_email_event_webhook_signature": ""},
        {"x_twilio_email_event_webhook_signature": "no base64"},
        {"x_twilio_email_event_webhook_signature": "AAAA"},
        {"org": "207"},  # has no key
        {"org": "208"},  # does not exist
        {"org": "..%2F206"},
    ],
)
def test_what_sendgrid_has_not_signed_is_refused_and_not_written(wrong: dict[str, Any]) -> None:
    hooks = Hooks()
    assert hooks.sendgrid(REPORTS, **wrong).code == 403
    assert hooks.objects() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "12346"},
        {"sent": STOP | {"From": "+15550109999"}},
        {"sent": STOP | {"More": ""}},
        {"signed_url": f"{URL}/orgs/207/webhooks/twilio"},
        {"signed_url": f"http://hooks.example.com/almanac/orgs/{ORG}/webhooks/twilio"},
        {"query": "id=1", "signed_url": f"{URL}/orgs/{ORG}/webhooks/twilio?id=2"},
        {"query": "id=1", "signed_url": f"{URL}/orgs/{ORG}/webhooks/twilio"},
        {"org": "208"},
    ],
)
def test_what_twilio_has_not_signed_is_refused_and_not_written(wrong: dict[str, Any]) -> None:
    hooks = Hooks()
    assert hooks.twilio(STOP, **wrong).code == 403
    assert hooks.objects() == []


def test_without_a_signature_or_a_token_nothing_of_twilio_is_taken() -> None:
    hooks = Hooks()
    path = f"/orgs/{ORG}/webhooks/twilio"
    unsigned = request(path, urlencode(STOP), {"content-type": twilio.FORM})
    assert hooks.hooks.answer(unsigned).code == 403
    for url, token in ((None, TOKEN), (URL, None), (URL, "")):
        hooks.hooks = WebhookEndpoint(hooks.store, public_url=url, twilio_token=token)
        assert hooks.twilio(STOP, token=token or "").code == 403
    assert hooks.objects() == []


def test_signatures_are_those_that_the_providers_publish() -> None:
    """The examples of their documentation and libraries."""
    parameters = {
        "CallSid": ["CA1234567890ABCDE"],
        "Caller": ["+12349013030"],
        "Digits": ["1234"],
        "From": ["+12349013030"],
        "To": ["+18005551212"],
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert twilio.signature_of("12345", url, parameters) == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    dropped = {
        "email": "hello@world.com",
        "event": "dropped",
        "reason": "Bounced Address",
        "sg_event_id": "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",
        "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-"
        "5F5FC76C-9.0",
        "smtp-id": "<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",
        "timestamp": 1600112492,
    }
    key = (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe6"
        "2gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
    )
    headers = {
        sendgrid.SIGNATURE: "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0J"
        "uG+luQAbPIqHh89M15TluLtEZtM=",
        sendgrid.TIMESTAMP: "1600112502",
    }
    body = json.dumps([dropped], sort_keys=True, separators=(",", ":")).encode() + b"\r\n"
    then = dt.datetime.fromtimestamp(1600112502, dt.UTC)
    assert sendgrid.is_genuine(key, headers, body, then)
    assert not sendgrid.is_genuine(key, headers, body.strip(), then)
