"""Reports of SendGrid and Twilio, signed, to the endpoint of the function `webhooks`."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

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

STOP = {"MessageSid": "SM1", "SmsStatus": "received", "From": "+15550101234", "Body": "Stop."}


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
