"""`almanac evidence`: an archive of a contact or a campaign, the same for the same database."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from almanac.errors import Corrupt
from almanac.evidence.archive import check_archive
from tests.support.cli_calls import almanac
from tests.support.tiny import Agency

BEFORE = "2026-11-10"
PERIOD = ("--from", "2026-11-01", "--to", "2026-11-30")


@pytest.fixture(scope="module")
def agency(tmp_path_factory: pytest.TempPathFactory) -> Agency:
    """Birthdays of one day: one message is sent, one is protected, one suppressed; a campaign."""
    agency = Agency(tmp_path_factory.mktemp("evidence") / "agency.sqlite3")
    born = "1950-11-24"  # its message is due on 10 November
    agency.contact(1, birth_date=born)
    agency.contact(2, "CA", birth_date=born)
    agency.contact(3, birth_date=born)
    agency.insert("suppressions", contact_id=3, reason="unsubscribe", since="2026-01-01")
    agency.insert("suppressions", contact_id=3, reason="bounce", until="2026-02-01")
    agency.insert("suppressions", phone="5125550171", reason="complaint")  # of no contact here
    agency.campaign(1)
    agency.target(1, "2026-11-20", 1)
    agency.plan(BEFORE, rule_set="statutory")
    ((row,),) = agency.query(
        "SELECT id FROM email_schedules WHERE contact_id = 1 AND email_type = 'birthday'"
    )
    marks = agency.path.with_name("marks.csv")
    marks.write_text(f"id,status,at\n{row},sent,2026-11-10T15:00:00Z\n{row},delivered,2026-11-11\n")
    assert almanac("mark", agency.path, marks).code == 0
    agency.insert("tracking_clicks", contact_id=1, clicked_at="2026-11-12", url="x")
    agency.insert("tracking_clicks", contact_id=1, clicked_at="2025-11-12", url="too early")
    agency.insert("tracking_clicks", contact_id=2, clicked_at="2026-11-12", url="of another")
    return agency


def write(agency: Agency, out: Path, *who: object) -> Path:
    answer = almanac("evidence", agency.path, *who, "--out", out)
    assert (answer.code, answer.err) == (0, "")
    return out


def of_contact(agency: Agency, folder: Path, contact: int) -> dict[str, Any]:
    archive = write(agency, folder / "evidence.zip", "--contact", contact, *PERIOD)
    with zipfile.ZipFile(archive) as opened:
        found: dict[str, Any] = json.loads(opened.read("evidence.json"))
    return found


def test_what_was_sent_has_its_marks_its_run_and_its_configuration(
    agency: Agency, tmp_path: Path
) -> None:
    found = of_contact(agency, tmp_path, 1)
    message = found["messages"][0]
    assert (message["email_type"], message["outcome"], message["day"]) == (
        "birthday",
        "sent",
        BEFORE,
    )
    assert [mark["status"] for mark in message["marks"]] == ["sent", "delivered"]
    (run,), (configuration,) = found["runs"], found["configurations"]
    assert message["run"] == run["run_id"]
    assert message["configuration"] == run["configuration"] == configuration["digest"]
    assert json.loads(configuration["text"])["rule_set"] == "statutory"
    assert [click["url"] for click in found["clicks"]] == ["x"]
    assert [target["trigger_date"] for target in found["targets"]] == ["2026-11-20"]


def test_what_was_withheld_has_the_rule_in_force_with_its_source(
    agency: Agency, tmp_path: Path
) -> None:
    found = of_contact(agency, tmp_path, 2)
    message = found["messages"][0]
    assert message["outcome"] == "withheld"
    assert "skipped: Birthday exclusion window for CA, by the run 2026-11-10" in message["what"]
    assert "of CA" in message["protected"]
    assert message["decisions"][-1]["step"] == "Exclusion"
    (rule,) = message["rules"]
    assert (rule["state"], rule["kind"]) == ("CA", "birthday_window")
    assert rule["cite"]
    assert rule["verified"]


def test_the_rule_of_a_message_is_that_of_its_run_and_not_of_a_later_one(tmp_path: Path) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.contact(1, "VA", birth_date="1950-06-01", effective_date="2015-12-20")
    agency.plan(BEFORE, rule_set="statutory")
    agency.query("UPDATE email_schedules SET status = 'sent' WHERE email_type = 'effective_date'")
    agency.query("UPDATE scheduler_checkpoints SET run_timestamp = '2026-11-10 12:00:00'")
    agency.query("UPDATE config_versions SET valid_from = '2026-11-10 12:00:00'")
    agency.plan("2026-11-25")  # by the standard rules, which name no source
    found = of_contact(agency, tmp_path, 1)
    (message,) = (each for each in found["messages"] if each["email_type"] == "effective_date")
    assert (message["outcome"], message["protected"]) == ("sent", None)
    (rule,) = message["rules"]
    assert "38.2-3611" in rule["cite"]
    by_configuration = {each["configuration"]: each["rules"] for each in found["rules"]}
    assert by_configuration[message["configuration"]] == [rule]
    assert by_configuration[None][0]["cite"] is None
    assert len(found["configurations"]) == 2


def test_a_suppressed_contact_has_its_suppressions_and_those_of_no_other(
    agency: Agency, tmp_path: Path
) -> None:
    found = of_contact(agency, tmp_path, 3)
    assert [(each["in_force"], each["row"]["reason"]) for each in found["suppressions"]] == [
        (True, "unsubscribe"),
        (False, "bounce"),
    ]
    assert {each["outcome"] for each in found["messages"]} == {"withheld"}
    assert found["messages"][0]["decisions"][-1]["step"] == "Suppression"
    assert found["text_consent"] == {"agreed": False, "columns": ["sms_consent"]}
    assert "complaint" not in json.dumps(found)
    assert "user1@" not in json.dumps(found)


def test_the_same_database_gives_the_same_bytes(agency: Agency, tmp_path: Path) -> None:
    who = ("--contact", 1, *PERIOD)
    first = write(agency, tmp_path / "first.zip", *who).read_bytes()
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    copy = shutil.copy(agency.path, folder)
    answer = almanac("evidence", copy, *who, "--out", tmp_path / "second.zip", "--json")
    assert (tmp_path / "second.zip").read_bytes() == first
    made = json.loads(answer.out)
    assert made["manifest"]["made_at"] is None
    assert made["manifest"]["database"]["last_run"].startswith(BEFORE)
    checked = json.loads(almanac("evidence", "--check", tmp_path / "first.zip", "--json").out)
    assert checked["sha256"] == made["sha256"]


def test_a_changed_byte_is_found(agency: Agency, tmp_path: Path) -> None:
    archive = write(agency, tmp_path / "evidence.zip", "--contact", 1, *PERIOD)
    whole = archive.read_bytes()
    content = [whole.index(text) for text in (b'"outcome": "sent"', b"<h1>", b'"sha256"')]
    around = [12, len(whole) - 1]  # the time of the first member, the end
    for at in content + around:
        archive.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(Corrupt):
            check_archive(archive)
    archive.write_bytes(whole + b"x")
    answer = almanac("evidence", "--check", archive)
    assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
    archive.write_bytes(whole)
    assert almanac("evidence", "--check", archive).code == 0


def test_a_member_that_was_exchanged_is_found(agency: Agency, tmp_path: Path) -> None:
    archive = write(agency, tmp_path / "evidence.zip", "--contact", 1, *PERIOD)
    with zipfile.ZipFile(archive) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    members["evidence.json"] = members["evidence.json"].replace(b"sent", b"held")
    with zipfile.ZipFile(archive, "w") as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    answer = almanac("evidence", "--check", archive)
    assert answer.code == 1
    assert "evidence.json has the SHA-256" in answer.err


def test_a_campaign_has_a_line_for_each_of_its_contacts(agency: Agency, tmp_path: Path) -> None:
    archive = write(agency, tmp_path / "evidence.zip", "--campaign", "promo 1")
    with zipfile.ZipFile(archive) as opened:
        assert opened.namelist() == [
            "contacts.jsonl",
            "evidence.json",
            "page.html",
            "manifest.json",
        ]
        (line,) = map(json.loads, opened.read("contacts.jsonl").splitlines())
        found = json.loads(opened.read("evidence.json"))
    assert (line["contact_id"], line["targets"][0]["trigger_date"]) == (1, "2026-11-20")
    (message,) = line["messages"]
    assert (message["status"], message["scheduled_send_date"]) == ("pre-scheduled", "2026-11-20")
    assert message["marks"] == []
    assert (found["contacts"], found["counts"][0]["outcome"]) == (1, "planned")
    assert found["runs"][0]["configuration"] == found["rules"][0]["configuration"]
    assert almanac("evidence", "--check", archive).code == 0


@pytest.mark.slow
def test_of_a_store_the_manifest_names_the_version(agency: Agency, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    assert almanac("store", "push", "206", agency.path, *store).code == 0
    of_store = ("--org", "206", *store)
    for who in (("--contact", 2, *PERIOD), ("--campaign", 1)):
        out = tmp_path / f"{who[0]}.zip"
        answer = almanac("evidence", *of_store, *who, "--out", out, "--json")
        state = json.loads(answer.out)["manifest"]["database"]
        assert (state["name"], state["version"]) == ("organization 206", 1)
        assert state["crc32c"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--contact", 9, *PERIOD), "contact 9: "),
        (("--campaign", "spring"), "campaign 'spring': no instance has this id or name"),
        (("--contact", 1, "--from", "2026-11-02", "--to", "2026-11-01"), "--from: 2026-11-02 is"),
        (("--contact", 1), "--from DATE and --to DATE: expected both with --contact"),
        (("--contact", 1, "--from", "2026-11-02"), "expected both, found only --from"),
        (PERIOD, "--contact WHO or --campaign NAME: expected one of them, found none"),
    ],
)
def test_what_cannot_be_is_one_line(
    agency: Agency, tmp_path: Path, arguments: tuple[object, ...], message: str
) -> None:
    answer = almanac("evidence", agency.path, *arguments, "--out", tmp_path / "evidence.zip")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert message in answer.err
    assert list(tmp_path.iterdir()) == []


def test_an_archive_is_never_replaced(agency: Agency, tmp_path: Path) -> None:
    out = tmp_path / "evidence.zip"
    out.write_text("kept")
    answer = almanac("evidence", agency.path, "--contact", 1, *PERIOD, "--out", out)
    assert (answer.code, out.read_text()) == (2, "kept")
    assert "exists already" in answer.err
    answer = almanac("evidence", "--check", out)
    assert (answer.code, answer.err.count("\n")) == (1, 1)
