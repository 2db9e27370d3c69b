"""The section `webhooks`: how reports of mail providers are recognized."""

from __future__ import annotations

import base64
from typing import Annotated

from pydantic import AfterValidator

from almanac.config_problems import Takes
from almanac.config_values import Section

PUBLIC_KEY = "the verification key that SendGrid shows, such as MFkwEwYHKoZI..."
# A public key on the curve P-256 as DER has it (RFC 5480): this, then two numbers of 32 bytes.
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def _valid_public_key(text: str) -> str:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if not key.startswith(_P256) or len(key) != len(_P256) + 64:
        raise ValueError(f"is not {PUBLIC_KEY}")
    return text


class Webhooks(Section):
    """Reports of providers that come to the function `webhooks`."""

    sendgrid_public_key: (
        Annotated[str, AfterValidator(_valid_public_key), Takes(PUBLIC_KEY)] | None
    ) = None
