"""examples/send.py with providers that know no idempotency keys, and marks over HTTP."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from almanac_emulation.mail import MailServer
from tests.support.cli_calls import almanac
from tests.support.send_example import recorder, send_example
from tests.support.tiny import Agency

DAY = "2026-11-23"
FROM = ("--from", "news@agency.example")


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer(refuses=frozenset({"user2@example.com"})) as server:
        yield server


@pytest.fixture
def agency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agency:
    """Three messages of the day, with a text message each, of whom one was claimed before."""
    monkeypatch.chdir(tmp_path)
    made = Agency(tmp_path / "agency.sqlite3")
    made.query("ALTER TABLE contacts ADD COLUMN first_name TEXT")
    for number in (1, 2, 3):
        made.contact(number, first_name="Ada", phone_number=f"602555010{number}", sms_consent=1)
        templates = {"email_template": "birthday", "sms_template": "text"}
        made.sent("birthday", DAY, number, id=number, status="pre-scheduled", **templates)
    Path("claims.jsonl").write_text('{"id": 3, "status": "processing"}\n')
    assert almanac("mark", made.path, "claims.jsonl").code == 0
    return made


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = send_example(monkeypatch)
    night_before = dt.datetime.fromisoformat(f"{DAY}T00:00:00+00:00")
    monkeypatch.setattr(module, "now", lambda: night_before)
    return module


def send(monkeypatch: pytest.MonkeyPatch, example: ModuleType, *arguments: object) -> int:
    words = ["send.py", *map(str, arguments), "--on", DAY, "--attempts", "2", "--slowest", "0"]
    monkeypatch.setattr("sys.argv", words)
    return int(example.main())


STATUSES = "SELECT id, status FROM email_schedules ORDER BY id"


def test_by_smtp_what_was_claimed_before_is_not_sent_again_unasked(
    agency: Agency,
    mail: MailServer,
    example: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("birthday.txt").write_text("Happy birthday, $first_name\n\nDear $first_name,\n")
    given = (agency.path, "--smtp", mail.address, *FROM, "--at-once", "--templates", ".")
    assert send(monkeypatch, example, *given) == 0
    assert (
        "1 claimed before, perhaps sent: mark them, or give --again: 3" in capsys.readouterr().err
    )
    assert [each.to for each in mail.mails] == ["user1@example.com"]
    assert mail.mails[0].header("Subject") == "Happy birthday, Ada"
    assert mail.mails[0].header("X-Almanac-Id") == "1"
    assert agency.query(STATUSES) == [(1, "sent"), (2, "failed"), (3, "processing")]
    assert send(monkeypatch, example, *given, "--again") == 0
    assert [each.to for each in mail.mails] == ["user1@example.com", "user3@example.com"]
    details = agency.query("SELECT schedule_id, detail FROM message_deliveries WHERE detail > ''")
    assert details == [
        (1, "without the text message: SMTP sends no text messages"),
        (2, "SMTP 550: no such user"),
        (3, "without the text message: SMTP sends no text messages"),
    ]
    assert send(monkeypatch, example, agency.path, "--smtp", "127.0.0.1:1", *FROM) == 0


def test_by_sendgrid_a_message_carries_the_id_of_its_row(
    agency: Agency, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "secret")
    with recorder(202, {}, X_Message_Id="m-1") as sendgrid:
        given = ("--sendgrid", "--sendgrid-url", sendgrid.url, *FROM)
        assert send(monkeypatch, example, agency.path, *given) == 0
        first, _ = sendgrid.bodies()
        assert sendgrid.posted[0][1]["Authorization"] == "Bearer secret"
    assert first["template_id"] == "birthday"
    assert first["personalizations"][0]["custom_args"] == {"almanac_id": "1"}
    assert first["personalizations"][0]["dynamic_template_data"]["first_name"] == "Ada"
    assert agency.query(STATUSES) == [(1, "sent"), (2, "sent"), (3, "processing")]
    marks = "SELECT DISTINCT message_id FROM message_deliveries WHERE status = 'sent'"
    assert agency.query(marks) == [("m-1",)]


def test_marks_for_a_store_go_to_the_function_and_what_it_refuses_is_not_sent(
    agency: Agency,
    mail: MailServer,
    example: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("ALMANAC_STORE", str(tmp_path / "store"))
    assert almanac("store", "push", "206", agency.path).code == 0
    with recorder(202, {"refused": [{"index": 0, "why": "no"}]}) as intake:
        given = ("--org", "206", "--smtp", mail.address, *FROM, "--at-once", "--intake", intake.url)
        assert send(monkeypatch, example, *given) == 0
        (path, headers, claims), (_, _, marks) = intake.posted
    assert (path, headers["Content-Type"]) == ("/orgs/206/deliveries", "application/x-ndjson")
    claimed = [json.loads(line) for line in claims.splitlines()]
    assert [(each["id"], each["status"]) for each in claimed] == [
        (1, "processing"),
        (2, "processing"),
    ]
    assert claimed[0]["scheduled_send_date"] == DAY
    assert json.loads(marks)["status"] == "failed"  # of 2, the one that was not refused
    assert mail.mails == []
