"""What reports of SendGrid and Twilio become in the inbox."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.intake_posts import ORG, request
from tests.support.webhook_posts import SENT_AT, STAMP, STOP, Hooks, report

AT = "2026-11-23T15:29:00+00:00"
MARK = {"id": 4711, "at": AT, "sendgrid_message_id": "m-1.filter", "email": "ada@example.com"}
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
        (
            report("dropped", email=None),
            [{key: MARK[key] for key in MARK if key != "email"} | {"status": "failed"}],
        ),
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
    assert hooks.hooks.answer(request("/health", b"", {}, method="GET")).code == 200
    assert hooks.twilio(STOP, content_type="application/json").code == 415
    many = {f"p{number}": "" for number in range(300)}
    assert hooks.twilio(many).code == 400
    assert hooks.objects() == []
