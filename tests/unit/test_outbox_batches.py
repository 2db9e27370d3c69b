"""The messages of a day are written in batches of columns, as each would be by itself."""

from __future__ import annotations

import datetime as dt
import io
import json

import apsw
import pytest

from almanac.config import Config
from almanac.database import sending
from almanac.delivery.exclusions import DueExclusions
from almanac.delivery.outbox import DueMessages, Format, hand_out
from tests.support.tiny import Agency

DAY = dt.date(2026, 11, 23)
CONFIG = Config()
CELL = {"phone_number": "(212) 555-0187"}
CONTACTS: dict[int, dict[str, str]] = {
    1: CELL,
    2: {"email": " Grün@example.com", "status": "inactive"},
    3: {"email": "not an address"},
    4: CELL | {"email": " USER4@Example.com "},  # suppressed by address
    5: CELL,  # suppressed by id, for birthdays only
    6: {"phone_number": "1-305-555-0142"},  # its number is suppressed
    7: {"phone_number": "312 555 0119"},  # text messages are suppressed
    8: {"phone_number": "0000000000"},
    9: CELL | {"state": "", "zip_code": "99999"},
}
MORE: tuple[dict[str, object], ...] = (
    {},
    {"metadata": '{"a":  1.0, "%s": "%", "half": "\\ud83d"}'},
    {"metadata": "[NaN, 1e999]", "email_template": 'a "quoted"\ttemplate %d'},
    {"metadata": "no JSON", "event_year": 2026, "event_month": 2, "event_day": 30},
    {"priority": 2.5, "event_year": 2026, "event_month": 2, "event_day": 28, "sms_template": ""},
)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> apsw.Connection:
    """Each contact has messages of two types and with all kinds of content, contact 10 is gone."""
    made = Agency(tmp_path_factory.mktemp("outbox") / "agency.sqlite3")
    connection = apsw.Connection(str(made.path))
    for contact, columns in CONTACTS.items():
        made.contact(contact, sms_consent=1, **columns)
    for contact in (*CONTACTS, 10):
        for number, more in enumerate(MORE):
            email_type = "birthday" if number % 2 else "effective_date"
            row = {
                "status": "pre-scheduled",
                "sms_template": "text",
                "scheduled_send_time": "18:30",
            }
            made.sent(email_type, str(DAY), contact, **row | more)
    connection.execute(
        "UPDATE email_schedules SET email_type = CAST(x'ff41' AS TEXT) WHERE id % 7 = 0"
    )
    connection.execute("DROP TABLE suppressions")
    connection.execute(
        "CREATE TABLE suppressions (email, contact_id, reason, channel, email_types, phone)"
    )
    made.insert("suppressions", email="user4@example.com", reason="bounce")
    made.insert("suppressions", contact_id=5, email_types="birthday")
    made.insert("suppressions", phone="(305) 555-0142", reason="stop")
    made.insert("suppressions", contact_id=7, channel="sms")
    return connection


def handed_out(connection: apsw.Connection, format_: Format) -> tuple[str, DueMessages]:
    out = io.StringIO()
    found = hand_out(connection, DAY, DAY, False, ["state", "email"], CONFIG, format_, out)
    return out.getvalue(), found


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_a_message_is_written_the_same_alone_and_among_others(
    connection: apsw.Connection, format_: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = handed_out(connection, format_)
    for size in (1, 3):
        monkeypatch.setattr(sending, "_BATCH", size)
        assert handed_out(connection, format_) == together


def test_who_is_left_out_of_a_batch_is_who_is_left_out_row_by_row(
    connection: apsw.Connection,
) -> None:
    exclusions = DueExclusions(connection, DAY, CONFIG.contacts)
    found = sending.rows_to_send(connection, str(DAY), [], CONFIG.contacts, claimed=False)
    (rows,) = found
    records = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
    reasons = exclusions.reasons(rows)
    assert [reasons.get(at) for at in range(50)] == [exclusions.reason(each) for each in records]
    texts = exclusions.without_texts(rows)
    assert [at in texts for at in range(50)] == [exclusions.without_text(row) for row in records]


def test_what_a_batch_has_of_each_message(connection: apsw.Connection) -> None:
    text, found = handed_out(connection, "jsonl")
    lines = [json.loads(line) for line in text.splitlines()]
    assert found.left_out == {
        "Contact no longer exists": 5,
        "Contact is not active": 5,
        "Not an e-mail address": 5,
        "Suppressed: bounce": 5,
        "Suppressed: unspecified": 2,
    }
    assert (found.messages, found.without_text) == (len(lines), 12)
    assert [line["metadata"] for line in lines if line["contact_id"] == 1] == [
        None,  # first by priority
        None,
        {"a": 1.0, "%s": "%", "half": "\ud83d"},
        [None, None],
        "no JSON",
    ]
    assert {line["event_date"] for line in lines} == {None, "2026-02-28"}
