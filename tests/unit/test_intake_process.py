"""The functions `intake` and `webhooks` as functions-framework calls them, in this process."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from almanac.intake import inbox, process, twilio
from almanac.intake.answers import MAX_BODY
from almanac.storage import layout
from almanac.storage.folder import FolderStore

FUNCTIONS = Path(__file__).parents[2] / "functions"
URL = "https://hooks.example.com"
# functions-framework asks for a time that it does not need
pytestmark = pytest.mark.filterwarnings(
    r"ignore:datetime\.datetime\.utcnow:DeprecationWarning:functions_framework"
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FolderStore]:
    """The store of the functions, with one organization."""
    monkeypatch.setenv("ALMANAC_STORE", str(tmp_path))
    monkeypatch.setenv("ALMANAC_PROJECT", "almanac-test")
    monkeypatch.setenv("ALMANAC_WEBHOOK_URL", URL)
    monkeypatch.setenv("ALMANAC_TWILIO_AUTH_TOKEN", "12345")
    monkeypatch.setenv("FUNCTION_TARGET", "")  # the framework sets it
    process._intake.cache_clear()
    process._webhooks.cache_clear()
    store = FolderStore(tmp_path)
    store.write(layout.current("206"), b"{}", 0)
    yield store
    structlog.reset_defaults()


def app(function: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    from functions_framework import create_app

    monkeypatch.delitem(sys.modules, "main", raising=False)
    made = create_app(function, str(FUNCTIONS / function / "main.py"), "http")  # type: ignore[no-untyped-call]
    monkeypatch.delitem(sys.modules, "main", raising=False)
    return made


def posted(asgi: Any, path: str, chunks: list[bytes], **headers: str) -> tuple[int, Any]:
    """Post a body in chunks; the code and the document of the answer."""
    sent: list[dict[str, Any]] = []
    waiting = [
        {"type": "http.request", "body": chunk, "more_body": number + 1 < len(chunks)}
        for number, chunk in enumerate(chunks)
    ]
    names = {"content-type": "application/json"}
    names |= {name.replace("_", "-"): value for name, value in headers.items()}

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in names.items()],
    }
    asyncio.run(asgi(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(body)


def test_what_is_posted_to_intake_is_in_the_inbox(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = app("intake", monkeypatch)
    parts = [b'[{"id": 1, "sta', b'tus": "sent"}]']
    code, document = posted(intake, "/orgs/206/deliveries", parts, idempotency_key="k")
    assert (code, document["accepted"]) == (202, 1)
    (event,) = inbox.read(store, inbox.waiting(store, "206"))
    assert document["event_ids"] == [event.event_id]
    assert posted(intake, "/orgs/207/deliveries", parts)[0] == 404
    large = [b" " * (1 << 20)] * (MAX_BODY // (1 << 20) + 1)
    assert posted(intake, "/orgs/206/deliveries", large)[0] == 413
    told = {"content_length": str(MAX_BODY + 1)}
    assert posted(intake, "/orgs/206/deliveries", [], **told)[0] == 413
    assert len(inbox.waiting(store, "206")) == 1


def test_what_twilio_signs_is_in_the_inbox(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = app("webhooks", monkeypatch).test_client()
    path = "/orgs/206/webhooks/twilio?id=4711"
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+15550101234"}
    signature = twilio.signature_of("12345", f"{URL}{path}", {k: [v] for k, v in form.items()})
    answer = client.post(path, data=form, headers={"X-Twilio-Signature": signature})
    assert (answer.status_code, answer.content_type) == (200, "text/xml")
    (event,) = inbox.read(store, inbox.waiting(store, "206"))
    assert event.event["entries"] == [{"id": 4711, "status": "delivered", "twilio_sms_id": "SM1"}]
    refused = client.post(path, data=form, headers={"X-Twilio-Signature": signature[::-1]})
    assert (refused.status_code, refused.content_type) == (403, "application/problem+json")
    assert client.get("/orgs/206/webhooks/twilio").headers["Allow"] == "POST"
