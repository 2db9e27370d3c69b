"""Senders that know nothing but `almanac due` and `almanac mark`, and die at any moment."""

from __future__ import annotations

import datetime as dt
import json
import random
import shlex
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.cli_calls import AS_OF, ENVIRONMENT, PROGRAM, agency, almanac, check_import
from tests.support.database_agencies import change
from tests.support.send_example import EXAMPLE, send_example
from tests.support.tiny import Agency

FIRST = dt.date.fromisoformat(AS_OF)

NIGHT_BEFORE = dt.datetime.fromisoformat(f"{AS_OF}T00:00:00+00:00")

BATCH = 4

Message = dict[str, Any]


class Died(Exception):
    """The sender's process is gone."""


# --- some days in the life of a sender ------------------------------------------------------------


class Provider:
    """A mail provider that knows idempotency keys."""

    def __init__(self) -> None:
        self.sent: dict[int, Message] = {}

    def send(self, message: Message) -> str:
        self.sent.setdefault(message["id"], message)
        return f"message-{message['id']}"


class Sender:
    """Follows docs/senders.md; `perhaps` is asked at each moment whether it dies."""

    def __init__(self, path: Path, provider: Provider, perhaps: Callable[[], None]) -> None:
        self.path, self.provider, self.perhaps = path, provider, perhaps

    def work(self, day: str) -> None:
        for how in ((), ("--claimed",))[::-1]:
            messages = self.due(day, *how)
            self.perhaps()
            for start in range(0, len(messages), BATCH):
                batch = messages[start : start + BATCH]
                if not how:
                    found = self.mark(batch, status="processing")
                    refused = {each["id"] for each in found["refused"]}
                    batch = [message for message in batch if message["id"] not in refused]
                self.perhaps()
                for message in batch:
                    message["message_id"] = self.provider.send(message)
                    self.perhaps()
                self.mark(batch, status="sent", at=f"{day}T09:00:00")
                self.perhaps()

    def due(self, day: str, *how: str) -> list[Message]:
        given = almanac("due", self.path, "--on", day, *how)
        assert given.code == 0
        return [json.loads(line) for line in given.out.splitlines()]

    def mark(self, batch: list[Message], **words: str) -> dict[str, Any]:
        file = self.path.parent / "marks.jsonl"
        file.write_text("".join(json.dumps(message | words) + "\n" for message in batch))
        given = almanac("mark", self.path, file, "--json")
        found: dict[str, Any] = json.loads(given.out)
        taken = sum(found["changed"].values()) + found["unchanged"]
        check_import(given, taken, len(found["refused"]))
        return found


def identity(message: Message) -> tuple[Any, ...]:
    """What is never to be sent twice; of a parent there is one follow-up, whatever its type."""
    kind = message["email_type"]
    parent = (message["metadata"] or {}).get("initial_comm_log_id")
    followup = kind.startswith("followup")
    return (
        message["contact_id"],
        parent if followup else kind,
        message["campaign_instance_id"],
        message["event_date"],
    )


@pytest.mark.parametrize(
    ("seed", "days"), [(1, 6), *(pytest.param(n, 40, marks=pytest.mark.slow) for n in range(2, 6))]
)
def test_in_some_days_with_crashes_all_is_sent_once_and_nothing_to_the_suppressed(
    tmp_path: Path, seed: int, days: int
) -> None:
    rng = random.Random(seed)
    path = agency(tmp_path / "agency.sqlite3", 150, seed)
    provider = Provider()
    suppressed: dict[int, dt.date] = {}
    promised: set[tuple[Any, ...]] = set()
    crashes = 0

    def perhaps() -> None:
        if rng.random() < 0.12:
            raise Died

    for offset in range(days):
        day = FIRST + dt.timedelta(days=offset)
        if offset == 0 or rng.random() < 0.8:  # on some days there is no run
            assert almanac("run", path, "--as-of", day).code == 0
        sender = Sender(path, provider, perhaps)
        here = sender.due(str(day))
        if here and rng.random() < 0.5:
            contact = rng.choice(here)["contact_id"]
            assert (
                almanac("suppression", "add", path, "--contact", contact, "--since", day).code == 0
            )
            suppressed.setdefault(contact, day)
        promised |= {identity(m) for m in here if m["contact_id"] not in suppressed}
        before = set(provider.sent)
        for _ in range(rng.choice([0, 1, 2, 3])):  # it is started again, or is not
            try:
                sender.work(str(day))
                break
            except Died:
                crashes += 1
        for row in set(provider.sent) - before:
            assert provider.sent[row]["contact_id"] not in suppressed
    last = FIRST + dt.timedelta(days=days)
    assert almanac("run", path, "--as-of", last).code == 0
    Sender(path, provider, lambda: None).work(str(last))

    sent = Counter(map(identity, provider.sent.values()))
    assert crashes > 1
    assert len(sent) > days
    assert set(sent.values()) == {1}
    check_taken(path, provider, set(suppressed))
    late = "SELECT count(*) FROM email_schedules WHERE status = 'pre-scheduled' AND {} <= ?"
    assert change(path, late.format("scheduled_send_date"), str(last)) == [(0,)]
    # what was promised and not sent is still planned, or skipped with a reason
    open_ = still_open(path)
    lost = [
        each
        for each in promised
        if each not in sent and each not in open_ and each[0] not in suppressed
        if isinstance(each[1], str)  # a follow-up's type depends on what the contact does
    ]
    assert lost == []


def check_taken(path: Path, provider: Provider, suppressed: set[int]) -> None:
    """Check that contacts who were suppressed between claim and sending got nothing."""
    taken = (
        "SELECT id, contact_id, status FROM email_schedules WHERE id IN (SELECT schedule_id FROM "
    )
    for row, contact, status in change(path, taken + "message_deliveries)"):
        assert (status == "sent") == (row in provider.sent)
        assert status == "sent" or contact in suppressed


def still_open(path: Path) -> set[tuple[Any, ...]]:
    """Return the identities of messages that are planned, or skipped with a reason."""
    return {
        (contact, kind, instance, f"{year:04}-{month:02}-{date:02}")
        for contact, kind, instance, year, month, date, status, reason in change(
            path,
            "SELECT contact_id, email_type, campaign_instance_id, event_year, event_month, "
            "event_day, status, skip_reason FROM email_schedules "
            "WHERE status IN ('pre-scheduled', 'skipped') AND ideal_send_date IS NOT NULL",
        )
        if status == "pre-scheduled" or reason
    }


# --- the example of docs/senders.md ---------------------------------------------------------------


class FakeProvider(ThreadingHTTPServer):
    """A provider's HTTP API that throttles, fails, loses answers, and refuses one address."""

    daemon_threads = True

    def __init__(self, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rng = random.Random(seed)
        self.lock = threading.Lock()
        self.down_after: int | None = None
        self.refuses = ""
        self.messages: dict[str, Message] = {}  # by idempotency key
        self.answers: Counter[int] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/messages"

    def take(self, key: str, message: Message) -> int:
        """The status code of the answer."""
        with self.lock:
            if self.down_after is not None and len(self.messages) >= self.down_after:
                return 503
            if message["to"] == self.refuses:
                return 422
            luck = self.rng.random()
            if luck < 0.2:
                return 429
            if luck < 0.25:
                return 500
            self.messages.setdefault(key, message)
            return 502 if luck < 0.35 else 202  # taken, but the answer is lost


class _Handler(BaseHTTPRequestHandler):
    server: FakeProvider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"]
        code = self.server.take(key, body)
        self.server.answers[code] += 1
        answer = json.dumps({"id": f"m-{key}"} if code < 300 else {"error": "no"}).encode()
        self.send_response(code)
        if code in (429, 500, 502, 503):
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    server = FakeProvider(seed=1)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, at night and with small batches."""
    module = send_example(monkeypatch)
    monkeypatch.setattr(module, "BATCH", 10)
    monkeypatch.setattr(module, "now", lambda: NIGHT_BEFORE)
    return module


def test_the_example_sends_every_message_once_through_a_provider_that_fails(
    tmp_path: Path,
    provider: FakeProvider,
    example: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = agency(tmp_path / "agency.sqlite3", 400)
    assert almanac("run", path, "--as-of", AS_OF).code == 0
    messages = [json.loads(line) for line in almanac("due", path, "--on", AS_OF).out.splitlines()]
    assert len(messages) > 12
    provider.refuses = messages[2]["email"]
    arguments = ["send.py", str(path), "--on", AS_OF, "--url", provider.url]
    monkeypatch.setattr("sys.argv", [*arguments, "--attempts", "30"])

    provider.down_after = 7
    assert example.main() == 1
    assert "The provider does not answer: HTTP 503; start again later" in capsys.readouterr().err
    provider.down_after = None
    assert example.main() == 0

    expected = {str(m["id"]): m["email"] for m in messages if m["email"] != provider.refuses}
    texts = {f"{m['id']}-sms": m["phone"] for m in messages if m["sms_template"]}
    assert texts
    assert {key: message["to"] for key, message in provider.messages.items()} == expected | texts
    assert {message["values"]["first_name"] for message in provider.messages.values()} - {None}
    assert {429, 500, 502, 503, 422, 202} <= set(provider.answers)
    found = change(
        path,
        "SELECT status, count(*), count(actual_send_datetime) FROM email_schedules "
        "WHERE id IN (SELECT schedule_id FROM message_deliveries) GROUP BY 1 ORDER BY 1",
    )
    refused = len(messages) - len(expected)
    assert found == [("failed", refused, 0), ("sent", len(expected), len(expected))]
    details = change(path, "SELECT detail FROM message_deliveries WHERE status = 'failed'")
    assert details == [('HTTP 422: {"error": "no"}',)] * refused


@pytest.mark.slow
def test_the_example_runs_as_the_page_calls_it(tmp_path: Path, provider: FakeProvider) -> None:
    path = agency(tmp_path / "agency.sqlite3", 20)
    assert almanac("run", path, "--as-of", AS_OF).code == 0
    ((day,),) = change(
        path, "SELECT min(scheduled_send_date) FROM email_schedules WHERE status = 'pre-scheduled'"
    )
    environment = ENVIRONMENT | {"ALMANAC": shlex.join(PROGRAM)}
    command = [sys.executable, EXAMPLE, path, "--on", day, "--url", provider.url]
    subprocess.run(list(map(str, command)), check=True, env=environment, stderr=subprocess.DEVNULL)
    assert provider.messages
    sql = "SELECT DISTINCT status FROM email_schedules WHERE id = ?"
    rows = {int(key.removesuffix("-sms")) for key in provider.messages}
    assert {change(path, sql, row)[0] for row in rows} == {("sent",)}


def test_the_example_sends_a_text_message_within_its_hours_or_not_at_all(
    tmp_path: Path,
    provider: FakeProvider,
    example: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = Agency(tmp_path / "agency.sqlite3")
    people.query("ALTER TABLE contacts ADD COLUMN first_name TEXT")
    for contact, (state, zip_code) in enumerate([("CA", "94105"), ("FL", "33101")], start=1):
        people.contact(contact, state, zip_code=zip_code, birth_date="1950-12-05", sms_consent=1)
        phone = f"602555010{contact}"
        people.query("UPDATE contacts SET phone_number = ? WHERE id = ?", phone, contact)
    people.plan(AS_OF, sms={"birthday": "text"}, state_rules={"CA": None})
    monkeypatch.setattr(
        "sys.argv", ["send.py", str(people.path), "--on", AS_OF, "--url", provider.url]
    )
    # 19:30 in San Francisco, 22:30 in Miami
    evening = dt.datetime.fromisoformat(f"{AS_OF}T19:30:00-08:00")
    monkeypatch.setattr(example, "now", lambda: evening)
    assert example.main() == 0

    assert sorted(
        (message["to"], message["send_at"]) for message in provider.messages.values()
    ) == [
        ("6025550101", f"{AS_OF}T09:00:00-08:00"),
        ("user1@example.com", f"{AS_OF}T08:30:00-06:00"),
        ("user2@example.com", f"{AS_OF}T08:30:00-06:00"),
    ]
    marks = "SELECT status, detail FROM message_deliveries WHERE detail IS NOT NULL"
    late = f"without the text message: not sent until {AS_OF}T20:00:00-05:00"
    assert people.query(marks) == [("sent", late)]
