"""What SendGrid and Twilio report comes into the inbox; what they have not signed does not."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from almanac.intake import sendgrid, twilio
from almanac.intake.answers import Answer
from almanac.intake.webhooks import WebhookEndpoint
from almanac.storage import layout
from tests.support.intake_posts import NOW, ORG, Inlet, request

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
TOKEN = "12345"
URL = "https://hooks.example.com/almanac"
STAMP = str(int(NOW.timestamp()))
SENT_AT = int(NOW.timestamp()) - 60


def public(key: ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()


class Hooks(Inlet):
    """An organization with SendGrid's key, another without, and the function `webhooks`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        config = f"timezone: America/Denver\nwebhooks: {{sendgrid_public_key: {public(KEY)}}}\n"
        self.store.write(layout.config(ORG), config.encode(), None)
        self.store.write(layout.config("207"), b"", None)
        self.hooks = WebhookEndpoint(
            self.store, public_url=f"{URL}/", twilio_token=TOKEN, clock=lambda: NOW
        )

    def sendgrid(
        self,
        body: object,
        *,
        key: ec.EllipticCurvePrivateKey = KEY,
        stamp: str = STAMP,
        org: str = ORG,
        sent: object = None,
        **headers: str,
    ) -> Answer:
        """Post reports with their signature; sent: what is posted in their place."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        signature = key.sign(stamp.encode() + data, ec.ECDSA(hashes.SHA256()))
        named = {
            sendgrid.SIGNATURE: base64.b64encode(signature).decode(),
            sendgrid.TIMESTAMP: stamp,
        }
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        named = {name: value for name, value in named.items() if value != "-"}
        path = f"/orgs/{org}/webhooks/sendgrid"
        return self.hooks.answer(request(path, data if sent is None else sent, named))

    def twilio(
        self,
        parameters: dict[str, str],
        query: str = "",
        *,
        token: str = TOKEN,
        org: str = ORG,
        signed_url: str | None = None,
        sent: dict[str, str] | None = None,
        content_type: str = twilio.FORM,
    ) -> Answer:
        """Post parameters with their signature; sent: what is posted in their place."""
        path = f"/orgs/{org}/webhooks/twilio"
        url = signed_url or f"{URL}{path}{'?' * bool(query)}{query}"
        signature = twilio.signature_of(token, url, {k: [v] for k, v in parameters.items()})
        body = urlencode(parameters if sent is None else sent)
        headers = {"content-type": content_type, twilio.SIGNATURE: signature}
        return self.hooks.answer(request(path, body, headers, query))


def report(event: str, **fields: Any) -> dict[str, Any]:
    return {
        "email": "ada@example.com",
        "timestamp": SENT_AT,
        "event": event,
        "sg_event_id": f"id-{event}",
        "sg_message_id": "m-1.filter",
        "almanac_id": "4711",
        **fields,
    }


# --- signatures -----------------------------------------------------------------------------------

REPORTS = [report("delivered")]
STOP = {"MessageSid": "SM1", "SmsStatus": "received", "From": "+15550101234", "Body": "Stop."}


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


# --- what reports become --------------------------------------------------------------------------

AT = "2026-11-23T15:29:00+00:00"
MARK = {"id": 4711, "at": AT, "sendgrid_message_id": "m-1.filter"}
STOPPED = {"action": "add", "email": "ada@example.com", "source": "sendgrid", "since": "2026-11-23"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (report("delivered"), [MARK | {"status": "delivered"}]),
        (
            report("bounce", type="bounce", reason="550 no such user\0"),
            [MARK | {"status": "bounced", "detail": "550 no such user"}],
        ),
        (report("bounce", type="blocked"), [MARK | {"status": "failed"}]),
        (report("dropped", email=None), [MARK | {"status": "failed"}]),
        (
            report("spamreport"),
            [MARK | {"status": "complaint"}, STOPPED | {"reason": "complaint"}],
        ),
        (report("spamreport", almanac_id=None), [STOPPED | {"reason": "complaint"}]),
        (report("unsubscribe"), [STOPPED | {"reason": "unsubscribe"}]),
        (report("group_unsubscribe", asm_group_id=9), [STOPPED | {"reason": "unsubscribe"}]),
        (
            report("click", url="https://example.com/quote"),
            [
                {
                    "type": "click",
                    "email": "ada@example.com",
                    "at": AT,
                    "url": "https://example.com/quote",
                    "message": 4711,
                }
            ],
        ),
        (report("open"), []),
        (report("processed"), []),
        (report("deferred"), []),
        (report("delivered", almanac_id="another program's"), []),
        (report("delivered", almanac_id=True), []),
        ("no report", []),
        ({}, []),
    ],
)
def test_a_report_of_sendgrid_becomes_entries(given: Any, expected: list[Any]) -> None:
    hooks = Hooks()
    assert hooks.sendgrid([given, report("open")]).code == 204
    found = sorted(hooks.entries(), key=lambda entry: "status" not in entry)
    assert found == expected
    assert {each.source for each in hooks.events()} <= {"webhook"}


def test_the_day_of_an_unsubscribe_is_the_organizations() -> None:
    hooks = Hooks()
    hooks.sendgrid([report("unsubscribe", timestamp=SENT_AT - 10 * 3600)])
    assert [entry["since"] for entry in hooks.entries()] == ["2026-11-22"]  # 22:29 in Denver


def test_reports_that_come_again_are_the_same_events() -> None:
    hooks = Hooks()
    reports = [report("delivered"), report("click"), report("unsubscribe")]
    for stamp in (STAMP, str(int(STAMP) + 300)):
        hooks.sendgrid(reports, stamp=stamp)
    assert len(hooks.objects()) in (1, 2)  # the time stands still
    assert sorted(each.kind for each in hooks.events()) == [
        "activity",
        "deliveries",
        "suppressions",
    ]


@pytest.mark.parametrize("body", [b"{}", b"", b"[", b"\xff", b"[" * 100_000, b'"text"'])
def test_signed_nonsense_is_a_bad_request(body: bytes) -> None:
    hooks = Hooks()
    assert hooks.sendgrid(body).code == 400
    assert hooks.objects() == []


@pytest.mark.parametrize(
    ("status", "more", "expected"),
    [
        ("delivered", {}, {"status": "delivered"}),
        ("failed", {}, {"status": "failed"}),
        (
            "undelivered",
            {"ErrorCode": "30003"},
            {"status": "failed", "detail": "Twilio error 30003"},
        ),
        ("sent", {}, None),
        ("queued", {}, None),
    ],
)
def test_a_status_callback_of_twilio_becomes_a_mark(
    status: str, more: dict[str, str], expected: dict[str, Any] | None
) -> None:
    hooks = Hooks()
    answer = hooks.twilio({"MessageSid": "SM7", "MessageStatus": status, **more}, "id=4711")
    assert (answer.code, answer.content_type) == (200, "text/xml")
    found = [{"id": 4711, "twilio_sms_id": "SM7", **expected}] if expected else []
    assert hooks.entries() == found
    assert hooks.twilio({"MessageSid": "SM8", "MessageStatus": "delivered"}).code == 200
    assert len(hooks.entries()) == len(found)  # of another program's message


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        *((word, "add") for word in ("STOP", "stopall", " Unsubscribe ", "Cancel!", "END", "quit")),
        ("Start", "end"),
        ("stop it please", None),
        ("Thank you", None),
        ("", None),
    ],
)
def test_stop_ends_text_messages_to_the_number_and_start_ends_that(
    words: str, expected: str | None
) -> None:
    hooks = Hooks()
    assert hooks.twilio(STOP | {"Body": words}).code == 200
    entry = {"action": str(expected), "phone": "+15550101234", "channel": "sms"}
    if expected == "add":
        entry |= {"reason": "unsubscribe", "source": "twilio", "since": "2026-11-23"}
    assert hooks.entries() == ([entry] if expected else [])


def test_the_keyword_that_twilio_names_counts() -> None:
    hooks = Hooks()
    hooks.twilio(STOP | {"Body": "arrêt", "OptOutType": "STOP"})
    assert [entry["action"] for entry in hooks.entries()] == ["add"]


def test_other_methods_paths_and_bodies_are_refused_as_http_means_it() -> None:
    hooks = Hooks()
    path = f"/orgs/{ORG}/webhooks/twilio"
    assert hooks.hooks.answer(request(path, b"", {}, method="GET")).headers["Allow"] == "POST"
    assert hooks.hooks.answer(request(f"/orgs/{ORG}/webhooks/other", b"", {})).code == 404
    assert hooks.hooks.answer(request("/healthz", b"", {}, method="GET")).code == 200
    assert hooks.twilio(STOP, content_type="application/json").code == 415
    many = {f"p{number}": "" for number in range(300)}
    assert hooks.twilio(many).code == 400
    assert hooks.objects() == []
