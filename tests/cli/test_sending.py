"""`almanac due` and `almanac mark`: what a sender takes, and what it hands back."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from almanac.commands.sending import retry_while_busy
from almanac.database.sending import DELIVERIES
from almanac.delivery.hours import Moments
from almanac.delivery.outbox import FIELDS
from almanac.delivery.status_order import NEXT
from almanac.errors import DatabaseBusy
from almanac.intake import inbox
from almanac.organizations.agency_database import FileDatabase
from almanac.schedule_status import MARKS
from almanac.storage.folder import FolderStore
from almanac.storage.history import list_versions
from tests.support.cli_calls import AS_OF, ENVIRONMENT, PROGRAM, agency, almanac, check_import
from tests.support.database_agencies import OLD_SCHEDULES, beside, change, make
from tests.support.sampling import sampled
from tests.support.tiny import Agency

MOMENTS = Moments._fields
ORG = "206"
DAY = "2026-11-23"
DOC = (Path(__file__).parent.parent.parent / "docs" / "senders.md").read_text("utf-8")


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = agency(tmp_path_factory.mktemp("planned") / "agency.sqlite3", 400)
    assert almanac("run", path, "--as-of", AS_OF).code == 0
    return path


@pytest.fixture
def path(planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A planned agency in the current folder."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(planned, tmp_path / "agency.sqlite3"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Rows with the ids 11 to 16 of two contacts, as an older database has them."""
    path = make(tmp_path / "small.sqlite3", OLD_SCHEDULES)
    for row_id, (contact, kind, day, clock, status, priority) in enumerate(
        [
            (1, "birthday", "2026-11-23", "08:30:00", "pre-scheduled", 10),
            (7, "aep", "2026-11-23", "07:00:00", "pre-scheduled", 30),
            (7, "birthday", "2026-11-23 00:00:00", "08:30:00", "pre-scheduled", 5),
            (1, "aep", "2026-11-24", "08:30:00", "pre-scheduled", 30),
            (1, "post_window", "2026-11-23", "08:30:00", "skipped", 40),
            (7, "post_window", "2026-11-23", "08:30:00", "sent", 40),
        ],
        start=11,
    ):
        change(
            path,
            "INSERT INTO email_schedules (id, contact_id, email_type, scheduled_send_date, "
            "scheduled_send_time, status, priority) VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(row_id, contact, kind, day, clock, status, priority),
        )
    return path


def due(path: Path, *options: object, on: str = DAY) -> list[dict[str, Any]]:
    given = almanac("due", path, "--on", on, *options)
    assert given.code == 0, given.err
    return [json.loads(line) for line in given.out.splitlines()]


def left_out(path: Path, on: str = DAY) -> dict[str, int]:
    counts: dict[str, int] = json.loads(almanac("due", path, "--on", on, "--json").err)["left_out"]
    return counts


def marked(path: Path, *marks: dict[str, Any], options: tuple[object, ...] = ()) -> dict[str, Any]:
    """Hand the marks back as JSON lines; what came of them."""
    file = path.parent / "marks.jsonl"
    file.write_text("".join(json.dumps(mark) + "\n" for mark in marks))
    given = almanac("mark", path, file, "--json", *options)
    found: dict[str, Any] = json.loads(given.out)
    taken = sum(found["changed"].values()) + found["unchanged"]
    check_import(given, taken, len(found["refused"]))
    return found


def why(path: Path, *marks: dict[str, Any]) -> list[str]:
    """Why marks are refused."""
    return [each["why"] for each in marked(path, *marks)["refused"]]


def status(path: Path, row: int) -> str:
    ((found,),) = change(path, "SELECT status FROM email_schedules WHERE id = ?", row)
    return str(found)


# --- due ------------------------------------------------------------------------------------------


def test_the_planned_rows_of_the_day_come_in_the_order_of_sending(small: Path) -> None:
    assert [message["id"] for message in due(small)] == [12, 13, 11]
    assert [message["id"] for message in due(small, on="2026-11-24")] == [14]


def test_a_message_says_all_that_a_sender_needs(path: Path) -> None:
    messages = [m for day in range(21, 30) for m in due(path, on=f"2026-11-{day}")]
    assert {tuple(message) for message in messages} == {FIELDS}
    for message in messages:
        ((row),) = change(
            path,
            "SELECT row.contact_id, trim(email), "
            "CASE WHEN row.sms_template <> '' THEN phone_number END, email_type, "
            "campaign_instance_id, instance_name, row.email_template, "
            "row.sms_template, scheduled_send_date, scheduled_send_time, row.priority, "
            "printf('%04d-%02d-%02d', event_year, event_month, event_day), ideal_send_date "
            "FROM email_schedules AS row JOIN contacts ON contacts.id = contact_id "
            "LEFT JOIN campaign_instances AS i ON i.id = campaign_instance_id WHERE row.id = ?",
            message["id"],
        )
        assert tuple(value for name, value in message.items() if name not in MOMENTS)[1:-1] == row
    campaigns = [m for m in messages if m["campaign_name"]]
    followups = [m for m in messages if m["email_type"].startswith("followup")]
    assert campaigns
    assert followups
    assert {m["metadata"]["initial_comm_log_id"] > 0 for m in followups} == {True}


def test_other_columns_of_the_contact_come_if_they_are_chosen(path: Path) -> None:
    message = due(path, "--columns", "first_name, State,status")[0]
    expected = change(
        path, "SELECT first_name, state, status FROM contacts WHERE id = ?", message["contact_id"]
    )
    assert list(message["contact"]) == ["first_name", "state", "status"]
    assert tuple(message["contact"].values()) == expected[0]
    given = almanac("due", path, "--on", DAY, "--columns", "first_name,nick_name")
    assert (given.code, given.out) == (2, "")
    assert "contacts has no column nick_name; it has agent_id, birth_date" in given.err


def test_what_a_target_carries_is_handed_out(small: Path) -> None:
    change(small, "ALTER TABLE email_schedules ADD COLUMN metadata TEXT")
    text = '{"target": {"new_premium": "112.40", "plan": {"name": "N"}}}'
    change(small, "UPDATE email_schedules SET metadata = ? WHERE id = 12", text)
    metadata = due(small)[0]["metadata"]
    assert metadata == {"target": {"new_premium": "112.40", "plan": {"name": "N"}}}
    given = almanac("due", small, "--on", DAY, "--format", "csv").out
    assert json.loads(next(csv.DictReader(io.StringIO(given)))["metadata"]) == metadata


def test_a_number_that_json_does_not_have_is_null(small: Path) -> None:
    change(small, "ALTER TABLE contacts ADD COLUMN score REAL")
    change(small, "UPDATE contacts SET score = 9e999")
    text = '{"a": NaN, "b": "\\ud800"}'
    change(small, "ALTER TABLE email_schedules ADD COLUMN metadata TEXT")
    change(small, "UPDATE email_schedules SET metadata = ? WHERE id = 11", text)
    text = almanac("due", small, "--on", DAY, "--columns", "score").out
    assert "Infinity" not in text
    assert "NaN" not in text
    messages = [json.loads(line) for line in text.splitlines()]
    assert [message["contact"] for message in messages] == [{"score": None}] * 3
    assert messages[-1]["metadata"] == {"a": None, "b": "\ud800"}


def test_csv_has_the_same_as_json_lines(path: Path) -> None:
    lines = due(path, "--columns", "first_name")
    text = almanac("due", path, "--on", DAY, "--format", "csv", "--columns", "first_name").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [*FIELDS, "contact.first_name"]
    for row, message in zip(rows, lines, strict=True):
        flat = message | {"contact.first_name": message.pop("contact")["first_name"]}
        flat["metadata"] = flat["metadata"] and json.dumps(flat["metadata"])
        assert row == {key: "" if v is None else str(v) for key, v in flat.items() if key in row}


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("INSERT INTO suppressions VALUES (' BOB@example.com', NULL, 'bounce', '', '')", "bounce"),
        (
            "INSERT INTO suppressions VALUES (NULL, 7, '', '2026-11-23', '2026-11-23')",
            "unspecified",
        ),
    ],
)
def test_who_is_suppressed_on_the_day_is_left_out(small: Path, sql: str, reason: str) -> None:
    change(small, "CREATE TABLE suppressions (email, contact_id, reason, since, until)")
    change(small, sql)
    assert [message["id"] for message in due(small)] == [11]
    assert left_out(small) == {f"Suppressed: {reason}": 2}


@pytest.mark.parametrize(
    ("row", "gone", "without_text"),
    sampled(
        [
            ("'bob@example.com', NULL, 'no', 'SMS', NULL, NULL", [], [12, 13]),
            ("'bob@example.com', NULL, 'no', NULL, ' Birthday ,post_window', NULL", [13], []),
            ("NULL, 7, 'no', 'sms', 'aep', NULL", [], [12]),
            ("NULL, NULL, 'no', NULL, NULL, '+1 (555) 010-1234'", [], [11]),
            ("'bob@example.com', 7, 'no', NULL, NULL, '15550101234'", [], [11]),
            ("NULL, NULL, 'no', NULL, 'birthday', '5550101234'", [], [11]),
            ("NULL, NULL, 'no', NULL, 'aep', '5550101234'", [], []),
            ("NULL, 1, 'no', NULL, 'campaign_*', NULL", [], []),
            ("NULL, NULL, 'no', NULL, NULL, 'N/A'", [], []),
        ],
        3,
    ),
)
def test_due_leaves_out_what_a_suppression_is_about_and_nothing_else(
    small: Path, row: str, gone: list[int], without_text: list[int]
) -> None:
    change(
        small, "CREATE TABLE suppressions (email, contact_id, reason, channel, email_types, phone)"
    )
    change(small, f"INSERT INTO suppressions VALUES ({row})")
    change(small, "ALTER TABLE email_schedules ADD COLUMN sms_template TEXT")
    change(small, "UPDATE email_schedules SET sms_template = 'short'")
    change(small, "UPDATE contacts SET phone_number = '555.010.1234' WHERE id = 1")
    change(small, "UPDATE contacts SET phone_number = '555.010.9999' WHERE id = 7")
    messages = due(small)
    assert sorted({11, 12, 13} - {message["id"] for message in messages}) == gone
    texts = {message["id"]: (message["sms_template"], message["phone"]) for message in messages}
    assert sorted(row for row, text in texts.items() if text == (None, None)) == without_text
    assert all(text == (None, None) or all(text) for text in texts.values())
    counts = json.loads(almanac("due", small, "--on", DAY, "--json").err)
    assert counts["without_text"] == len(without_text)
    assert counts["left_out"] == ({"Suppressed: no": len(gone)} if gone else {})


@pytest.mark.parametrize("phone", ["", "N/A", "555-1234"])
def test_due_hands_out_no_text_message_to_what_is_no_phone_number_any_more(
    small: Path, phone: str
) -> None:
    change(small, "ALTER TABLE email_schedules ADD COLUMN sms_template TEXT")
    change(small, "UPDATE email_schedules SET sms_template = 'short'")
    change(small, "UPDATE contacts SET phone_number = '555.010.9999'")
    change(small, "UPDATE contacts SET phone_number = ? WHERE id = 1", phone)
    texts = {message["id"]: (message["sms_template"], message["phone"]) for message in due(small)}
    assert texts.pop(11) == (None, None)
    assert set(texts.values()) == {("short", "555.010.9999")}


def test_due_reads_contacts_as_the_configuration_says(tmp_path: Path) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.query("ALTER TABLE contacts ADD COLUMN mail TEXT")
    agency.query("ALTER TABLE contacts ADD COLUMN no_mail TEXT")
    agency.query("ALTER TABLE contacts ADD COLUMN texts_ok TEXT")
    for contact, status, no_mail, texts in (
        (1, "Active", "", "yes"),
        (2, "lead", "0", "1"),
        (3, "lapsed", "", "1"),
        (4, "lead", "", "no"),
        (5, "lead", "TRUE", "1"),
    ):
        agency.contact(
            contact,
            email="old",
            mail=f"c{contact}@example.com",
            status=status,
            no_mail=no_mail,
            texts_ok=texts,
            phone_number="555-010-1234",
        )
    config = tmp_path / "agency.yaml"
    config.write_text(
        "contacts:\n  active_statuses: [active, Lead]\n  columns: {email: mail}\n"
        "  opt_out_columns: [no_mail]\n  sms_consent_columns: [texts_ok]\n"
    )
    assert almanac("run", agency.path, "--as-of", DAY, "--config", config).code == 0
    for contact in range(1, 6):
        agency.sent("aep", DAY, contact, status="pre-scheduled", sms_template="short")
    found = {message["contact_id"]: message for message in due(agency.path)}
    assert {contact: m["email"] for contact, m in found.items()} == {
        contact: f"c{contact}@example.com" for contact in (1, 2, 4)
    }
    assert {contact: m["phone"] for contact, m in found.items()} == {
        1: "555-010-1234",
        2: "555-010-1234",
        4: None,
    }
    assert left_out(agency.path) == {"Contact is not active": 1, "Suppressed: no_mail": 1}
    bounced = marked(agency.path, {"id": found[1]["id"], "status": "bounced"})
    assert bounced["suppressed"] == 1
    assert agency.query("SELECT email FROM suppressions") == [("c1@example.com",)]


def test_due_takes_ids_that_are_texts(tmp_path: Path) -> None:
    path = make(tmp_path / "text.sqlite3", OLD_SCHEDULES)
    change(path, "CREATE TABLE texts (id TEXT, email TEXT)")
    change(path, "INSERT INTO texts SELECT id, email FROM contacts")
    change(path, "DROP TABLE contacts")
    change(path, "ALTER TABLE texts RENAME TO contacts")
    change(path, "CREATE TABLE suppressions (contact_id TEXT)")
    change(path, "INSERT INTO suppressions VALUES ('7')")
    sql = "INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status)"
    for contact in (1, 7):
        change(path, f"{sql} VALUES (?, 'aep', ?, 'pre-scheduled')", contact, DAY)
    assert [message["contact_id"] for message in due(path)] == [1]
    assert left_out(path) == {"Suppressed: unspecified": 1}


def test_due_tells_campaigns_from_other_types(small: Path) -> None:
    change(small, "CREATE TABLE suppressions (contact_id, email_types)")
    change(small, "INSERT INTO suppressions VALUES (1, 'campaign_*')")
    change(small, "UPDATE email_schedules SET email_type = 'campaign_promo' WHERE id = 11")
    assert [message["id"] for message in due(small)] == [12, 13]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("DELETE FROM contacts WHERE id = 7", "Contact no longer exists"),
        ("UPDATE contacts SET status = 'Lapsed' WHERE id = 7", "Contact is not active"),
        ("UPDATE contacts SET email = 'bob at home' WHERE id = 7", "Not an e-mail address"),
    ],
)
def test_who_has_gone_since_the_last_run_is_left_out(small: Path, sql: str, reason: str) -> None:
    change(small, sql)
    assert [message["id"] for message in due(small)] == [11]
    assert left_out(small) == {reason: 2}


def test_of_contacts_with_one_id_the_first_gets_the_message_once(small: Path) -> None:
    change(small, "ALTER TABLE contacts RENAME TO before")
    change(small, "CREATE TABLE contacts AS SELECT * FROM before")
    change(small, "INSERT INTO contacts SELECT * FROM before WHERE id = 7")
    change(small, "UPDATE contacts SET email = 'other@example.com' WHERE rowid = 3")
    assert [(m["id"], m["email"]) for m in due(small)][:2] == [
        (12, "bob@example.com"),
        (13, "bob@example.com"),
    ]


def test_what_is_late_waits_for_the_next_run_and_is_told(small: Path) -> None:
    change(small, "UPDATE email_schedules SET scheduled_send_date = '2020-01-01' WHERE id = 14")
    given = almanac("due", small, "--on", "2020-01-02")
    assert (given.code, given.out) == (0, "")
    assert "0 messages due on 2020-01-02" in given.err
    assert "1 planned for earlier days: the next run finds them another day" in given.err


def test_a_file_is_there_whole_or_not_at_all(path: Path) -> None:
    given = almanac("due", path, "--on", DAY, "--out", "due.jsonl", "--json")
    assert json.loads(given.out)["messages"] == len(Path("due.jsonl").read_text().splitlines())
    there = beside(path)
    given = almanac("due", path, "--on", DAY, "--out", "other.jsonl", "--columns", "no_such")
    assert given.code == 2
    assert beside(path) == there


def test_a_file_that_cannot_be_is_refused_and_a_dash_is_standard_output(path: Path) -> None:
    refused = almanac("due", path, "--on", DAY, "--out", path.parent / "no" / "due.jsonl")
    assert refused.code == 2
    assert "there is no folder to put it in" in refused.err
    assert almanac("due", path, "--on", DAY, "--out", "-").out
    assert not (path.parent / "-").exists()


def test_who_reads_slowly_keeps_nobody_from_marking(path: Path) -> None:
    change(path, "PRAGMA journal_mode = DELETE")
    change(path, "UPDATE email_schedules SET scheduled_send_date = ? WHERE id <> 1", DAY)
    with subprocess.Popen(
        [*PROGRAM, "due", str(path), "--on", DAY], stdout=subprocess.PIPE, env=ENVIRONMENT
    ) as reading:
        assert reading.stdout is not None
        first = json.loads(reading.stdout.readline())  # far more than a pipe holds comes behind it
        claim = {"id": first["id"], "status": "processing"}
        assert marked(path, claim, options=("--wait", 0))["changed"] == {"processing": 1}
        assert len(reading.stdout.read()) > 1 << 17


def test_a_database_without_a_plan_has_nothing_due(tmp_path: Path) -> None:
    assert due(make(tmp_path / "bare.sqlite3")) == []
    assert due(make(tmp_path / "bare2.sqlite3"), "--claimed") == []


# --- mark -----------------------------------------------------------------------------------------


def test_a_message_goes_from_claimed_to_its_end(small: Path) -> None:
    change(small, "CREATE TABLE before AS SELECT * FROM email_schedules WHERE id <> 11")
    for word, at in (("processing", None), ("sent", "08:31"), ("delivered", "09:00")):
        mark = {"id": 11, "status": word, "message_id": f"m-{word}", "detail": "fine"}
        mark |= {"at": f"2026-11-23T{at}:00-06:00"} if at else {}
        assert marked(small, mark)["changed"] == {word: 1}
        assert status(small, 11) == word
    ((sent,),) = change(small, "SELECT actual_send_datetime FROM email_schedules WHERE id = 11")
    assert sent == "2026-11-23 08:31:00"
    found = change(
        small, "SELECT schedule_id, status, at, message_id, detail FROM message_deliveries"
    )
    assert [row[:2] for row in found] == [(11, w) for w in ("processing", "sent", "delivered")]
    assert found[1][2:] == ("2026-11-23 14:31:00", "m-sent", "fine")
    assert change(small, "SELECT count(*) FROM before") == [(5,)]
    columns = ", ".join(
        name for (name,) in change(small, "SELECT name FROM pragma_table_info('before')")
    )
    assert (
        change(
            small,
            f"SELECT {columns} FROM email_schedules WHERE id <> 11 EXCEPT SELECT * FROM before",
        )
        == []
    )


@pytest.mark.parametrize("now", [*NEXT, "skipped", "queued"])
def test_a_row_goes_one_way_only(small: Path, now: str) -> None:
    sql = "INSERT INTO email_schedules (id, contact_id, email_type, scheduled_send_date, status) "
    rows = dict(enumerate(MARKS, start=100))
    for row in rows:
        change(small, sql + "VALUES (?, 1, 'birthday', ?, ?)", row, f"2027-01-{row - 99}", now)
    found = marked(small, *({"id": row, "status": word} for row, word in rows.items()))
    allowed = {word for word in NEXT.get(now, ()) if word != "complaint"}
    about_it = {"complaint"} & ({"complaint"} if now in ("sent", "delivered", "bounced") else set())
    overtaken = {"sent"} if now in ("delivered", "bounced") else set()
    same = ({now} & set(MARKS)) | overtaken
    assert found["changed"] == dict.fromkeys(sorted(allowed | about_it), 1)
    assert found["unchanged"] == len(same)
    assert {rows[each["id"]] for each in found["refused"]} == (
        set(MARKS) - allowed - about_it - same
    )
    expected = [word if word in allowed else now for word in MARKS]
    assert [status(small, row) for row in rows] == expected


def test_a_line_of_due_with_a_status_is_a_mark(path: Path) -> None:
    messages = due(path)
    claims = [message | {"status": "processing"} for message in messages]
    assert marked(path, *claims)["changed"] == {"processing": len(messages)}
    assert due(path) == []
    assert due(path, "--claimed", on="2026-12-24") == messages
    assert due(path, "--claimed", on="2026-11-22") == []


def test_what_a_run_has_moved_or_taken_away_cannot_be_claimed(small: Path) -> None:
    claims = [message | {"status": "processing"} for message in due(small)]
    change(small, "UPDATE email_schedules SET scheduled_send_date = '2026-12-01' WHERE id = 12")
    change(small, "UPDATE email_schedules SET contact_id = 1 WHERE id = 13")
    change(small, "DELETE FROM email_schedules WHERE id = 11")
    assert why(small, *claims) == [
        "a run has moved it to 2026-12-01, not 2026-11-23",
        "is of contact 1, not 7",
        "no such row: a run has removed it, or it never existed",
    ]
    assert why(small, {"id": 15, "status": "processing"}) == [
        "is skipped and cannot become processing"
    ]


def test_two_senders_never_hold_the_same_claim(small: Path) -> None:
    mine, other = ({"id": 11, "status": "processing", "message_id": who} for who in "ab")
    assert marked(small, mine)["changed"] == {"processing": 1}
    assert marked(small, mine)["unchanged"] == 1
    nameless = {"id": 11, "status": "processing"}
    assert why(small, other, nameless) == ["claimed already, with the message id a"] * 2
    anyone = {"id": 12, "status": "processing"}
    assert marked(small, anyone)["changed"] == {"processing": 1}
    assert why(small, anyone | {"message_id": "b"}) == ["claimed already, with the message id none"]


def test_the_same_marks_again_change_nothing(small: Path) -> None:
    marks = [{"id": 11, "status": "sent"}, {"id": 16, "status": "bounced"}]
    marks.append({"id": 16, "status": "complaint"})
    assert marked(small, *marks)["suppressed"] == 2
    before = small.read_bytes()
    again = marked(small, *marks)
    assert (again["changed"], again["unchanged"], again["suppressed"]) == ({}, 3, 0)
    assert small.read_bytes() == before


def test_lines_are_taken_in_their_order(small: Path) -> None:
    marks = [{"id": 11, "status": word} for word in ("processing", "sent", "processing")]
    found = marked(small, *marks)
    assert found["changed"] == {"processing": 1, "sent": 1}
    assert [each["line"] for each in found["refused"]] == [3]
    assert status(small, 11) == "sent"


def test_unusable_lines_are_refused_with_why_and_the_others_taken(small: Path) -> None:
    file = small.parent / "marks.csv"
    file.write_text(
        "ID;Status;at;reason\n11;SENT;2026-11-23 08:31;\nx;sent;;\n12;gone;;\n12;sent;8:31;\n"
        "99;failed;;no\n13;failed;;template missing\n13;sent;0001-01-01;\n"
    )
    given = almanac("mark", small, file)
    assert (given.code, given.err) == (0, "")
    assert re.search(r"failed +1\nsent +1\nunchanged +0\nrefused +5\n", given.out)
    rejected = (small.parent / "marks.csv.rejects.csv").read_text().splitlines()
    assert rejected == [
        "line,rejected_because,id,status,at,reason",
        "3,id: 'x' is not the id of a row,x,sent,,",
        f"4,\"status: 'gone' is not one of {', '.join(MARKS)}\",12,gone,,",
        "5,at: '8:31' is not a time; expected such as 2026-11-21T08:30:00-06:00,12,sent,8:31,",
        '6,"no such row: a run has removed it, or it never existed",99,failed,,no',
        "8,at: 0001-01-01 is out of range,13,sent,0001-01-01,",
    ]
    assert [status(small, row) for row in (11, 12, 13)] == ["sent", "pre-scheduled", "failed"]
    details = change(small, "SELECT detail FROM message_deliveries WHERE schedule_id = 13")
    assert details == [("template missing",)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"id": 11, "status"', "not JSON"),
        ('{"id": 11}\n[1]', "not a JSON object"),
        ('{"id": true, "status": "sent"}', "id: 'True' is not the id of a row"),
        ('{"id": 12, "status": "sent", "contact_id": "seven"}', "contact_id: 'seven' is not an id"),
        ('{"id": 12, "status": "sent", "detail": ' + "[" * 100_000, "not JSON"),
    ],
)
def test_json_lines_that_are_none_are_refused(small: Path, text: str, words: str) -> None:
    file = small.parent / "marks.jsonl"
    file.write_text(text + "\n")
    refused = json.loads(almanac("mark", small, file, "--json").out)["refused"]
    assert words in refused[-1]["why"]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_json_array_is_taken_as_webhooks_send_it(
    small: Path, indent: int | None, encoding: str
) -> None:
    events = [
        {"ref": 11, "event": "delivered", "timestamp": 1795447860},
        {"ref": "12", "event": "bounced", "timestamp": "1795447860123", "detail": "Zoë"},
        [1],
        {"ref": 13, "event": "opened", "timestamp": 1795447860.5},
    ]
    file = small.parent / "events.json"
    file.write_bytes(json.dumps(events, indent=indent, ensure_ascii=False).encode(encoding))
    maps = [f"--map={their}={our}" for their, our in {"ref": "id", "event": "status"}.items()]
    given = almanac("mark", small, file, *maps, "--map", "timestamp=at", "--json")
    assert given.code == 0
    found = json.loads(given.out)
    assert found["changed"] == {"bounced": 1, "delivered": 1}
    assert [each["line"] for each in found["refused"]] == ([1, 1] if indent is None else [13, 16])
    assert [each["why"].split(":")[0] for each in found["refused"]] == [
        "not a JSON object",
        "status",
    ]
    rows = change(small, "SELECT schedule_id, at, detail FROM message_deliveries ORDER BY 1")
    assert rows == [(11, "2026-11-23 15:31:00", None), (12, "2026-11-23 15:31:00", "Zoë")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"id": 11, "status": "sent"}', "line 1: not a JSON array: expected , or ] and nothing"),
        ('[{"id": 11, "status": "sent"},\n]', "line 2: not a JSON array: Expecting value"),
        ('[{"id": 11, "status": "sent"}] []', "line 1: not a JSON array: expected , or ]"),
        ('[{"id": 11, "status": "sent"}\n{"id": 12}]', "line 2: not a JSON array: expected ,"),
        ("[" * 100_000, "not a JSON array"),
    ],
)
def test_half_an_array_is_refused_as_a_whole(small: Path, text: str, words: str) -> None:
    file = small.parent / "events.json"
    file.write_text(text)
    given = almanac("mark", small, file)
    assert (given.code, given.out) == (2, "")
    assert words in given.err
    assert status(small, 11) == "pre-scheduled"


def test_an_empty_array_is_no_failure(small: Path) -> None:
    file = small.parent / "events.json"
    file.write_text(" [ ] \n")
    assert almanac("mark", small, file).code == 0


@pytest.mark.parametrize("at", ["1795447860", "1795447860000", "1795447860.7"])
def test_unix_times_are_times_in_csv_too(small: Path, at: str) -> None:
    file = small.parent / "marks.csv"
    file.write_text(f"id,status,at\n11,sent,{at}\n12,sent,17954478601\n")
    given = almanac("mark", small, file, "--json")
    (refused,) = json.loads(given.out)["refused"]
    assert "at: '17954478601' is not a time" in refused["why"]
    sql = "SELECT actual_send_datetime FROM email_schedules WHERE id = 11"
    assert change(small, sql) == [("2026-11-23 09:31:00",)]


def test_half_a_character_keeps_no_mark_back(small: Path) -> None:
    assert marked(small, {"id": 11, "status": "failed", "detail": "no \ud83d"})["refused"] == []
    assert change(small, "SELECT detail FROM message_deliveries") == [("no ?",)]


def test_what_was_changed_is_told_where_the_refused_lines_cannot_be_written(small: Path) -> None:
    file = small.parent / "marks.csv"
    file.write_text("id,status\n11,sent\n12,opened\n")
    refused = almanac("mark", small, file, "--rejects", small.parent / "no" / "such.csv")
    assert refused.code == 2
    assert change(small, "SELECT status FROM email_schedules WHERE id = 11") == [("pre-scheduled",)]
    (small.parent / "marks.csv.rejects.csv").mkdir()
    given = almanac("mark", small, file, "--json")
    assert given.code == 1
    assert json.loads(given.out)["changed"] == {"sent": 1}
    assert "marks.csv.rejects.csv: cannot be written" in given.err


def test_a_header_without_a_status_is_refused_as_a_whole(small: Path) -> None:
    file = small.parent / "marks.csv"
    file.write_text("id,state\n11,sent\n")
    given = almanac("mark", small, file)
    assert given.code == 2
    assert "the header has no column status" in given.err


def test_who_bounced_or_complained_is_suppressed_by_address(small: Path) -> None:
    at = {"at": "2026-11-23T23:30:00-06:00"}
    marked(small, {"id": 11, "status": "bounced"} | at, {"id": 12, "status": "bounced"} | at)
    marked(small, {"id": 13, "status": "bounced"} | at, {"id": 16, "status": "complaint"} | at)
    columns = "email, contact_id, reason, source, since, until"
    assert change(small, f"SELECT {columns} FROM suppressions") == [
        ("ann@example.com", None, "bounce", "mark", "2026-11-23", None),
        ("bob@example.com", None, "bounce", "mark", "2026-11-23", None),
        ("bob@example.com", None, "complaint", "mark", "2026-11-23", None),
    ]
    assert status(small, 16) == "sent"
    assert left_out(small, "2026-11-24") == {"Suppressed: bounce": 1}


def test_nobody_is_suppressed_if_that_is_not_wanted(small: Path) -> None:
    marks = [{"id": 11, "status": "bounced"}, {"id": 16, "status": "complaint"}]
    assert marked(small, *marks, options=("--no-suppress",))["suppressed"] == 0
    assert change(small, "SELECT name FROM sqlite_schema WHERE name = 'suppressions'") == []


def test_what_a_run_holds_is_waited_for_and_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    place, tries = FileDatabase(Path("agency.sqlite3")), iter([True, True, False])

    def work() -> str:
        if next(tries):
            raise DatabaseBusy("agency.sqlite3: locked by another program")
        return "done"

    assert retry_while_busy(place, 60, work) == "done"
    expected = "Waiting for another program that holds agency.sqlite3 (60 seconds at most)\n"
    assert capsys.readouterr().err == expected
    tries = iter([True])
    with pytest.raises(DatabaseBusy):
        retry_while_busy(place, 0, work)


def test_in_a_store_marks_wait_for_the_next_run_and_no_database_moves(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALMANAC_STORE", str(path.parent / "store"))
    for arguments in (("init", ORG), ("push", ORG, path)):
        assert almanac("store", *arguments).code == 0
    given = almanac("due", "--org", ORG, "--on", DAY)
    assert [json.loads(line) for line in given.out.splitlines()] == due(path)
    claims = [json.loads(line) | {"status": "sent"} for line in given.out.splitlines()]
    claims += [{"id": "x", "status": "sent"}, claims[0] | {"event_date": "soon"}]
    Path("sent.jsonl").write_text("".join(json.dumps(claim) + "\n" for claim in claims))
    store = FolderStore(path.parent / "store")
    answer = almanac("mark", "sent.jsonl", "--org", ORG, "--json")
    found = json.loads(answer.out)
    assert (answer.code, found["waiting"]) == (0, len(claims) - 2)
    assert [(each["line"], each["why"][:3]) for each in found["refused"]] == [
        (len(claims) - 1, "id:"),
        (len(claims), "eve"),
    ]
    assert Path("sent.jsonl.rejects.csv").read_text("utf-8").count("\n") == 3
    assert len(list(list_versions(store, ORG))) == 1
    entry = inbox.read(store, inbox.waiting(store, ORG))[0].event["entries"][0]
    identity = ("email_type", "event_date", "ideal_send_date", "priority", "email")
    assert {name: entry[name] for name in identity} == {name: claims[0][name] for name in identity}
    assert almanac("due", "--org", ORG, "--on", DAY).out == ""
    told = almanac("mark", "sent.jsonl", "--org", ORG).out
    assert "marks wait in the inbox of organization 206: the next run applies them" in told
    assert almanac("mark", "sent.jsonl", "--org", ORG, "--strict").code == 1
    refused = almanac("mark", "sent.jsonl", "--org", ORG, "--no-suppress")
    assert (refused.code, "--no-suppress: only with DATABASE" in refused.err) == (2, True)


# --- docs/senders.md ------------------------------------------------------------------------------


def test_the_page_lists_every_field_status_and_column() -> None:
    given, taken = (
        re.findall(r"^\| *`([^`]*)`", part, re.MULTILINE)
        for part in re.split(r"^## What `(?:due|mark)` \w+$", DOC, flags=re.MULTILINE)[1:]
    )
    assert given == list(FIELDS)
    assert set(MARKS) <= set(taken)
    for column in DELIVERIES.columns:
        assert f"`{column.name}`" in DOC
