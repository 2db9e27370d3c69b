"""`almanac day`, `week` and `contacts find`: who gets what, by name."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from pathlib import Path

import pytest

from almanac.config import Config
from tests.support.cli_calls import almanac
from tests.support.tiny import Agency
from tests.support.workbooks import sheets_of

TODAY = dt.datetime.now(Config().zone).date()

WINDOW_ISSUES = {"no_window_date", "state_unknown"}


def days(number: int) -> str:
    return str(TODAY + dt.timedelta(days=number))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of today, of tomorrow and of earlier days, for three contacts with names."""
    agency = Agency(tmp_path_factory.mktemp("days") / "agency.sqlite3")
    for column in ("first_name", "surname"):
        agency.query(f"ALTER TABLE contacts ADD COLUMN {column} TEXT")
    for number, (first, last) in enumerate([("Ada", "Lovelace"), ("Bo", "Li"), ("Cy", "Lee")], 1):
        phone = "(512) 555-0170" if number == 1 else ""
        agency.contact(number, first_name=first, surname=last, phone_number=phone, sms_consent=1)
    agency.campaign(5, name="promo", email_template="x")
    agency.insert("suppressions", contact_id=2, reason="bounce")
    row = {"status": "pre-scheduled", "ideal_send_date": days(1), "sms_template": "sms"}
    for contact in (1, 2):
        agency.sent("birthday", days(1), contact, **row)
    agency.sent("campaign_promo", days(1), 3, status="sent", campaign_instance_id=5)
    agency.sent("aep", f"{days(0)} 00:00:00", 3, status="processing")
    agency.sent("aep", days(-2), 1, **row)
    agency.sent("birthday", days(1), 3, status="skipped", skip_reason="Daily volume cap")
    return agency.path


def test_a_day_says_who_gets_what_and_what_holds_a_message_back(database: Path) -> None:
    answer = almanac("day", database, "tomorrow")
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[0].endswith(
        f"{days(1)} (tomorrow): 3 messages (2 planned, 1 sent)"
    )
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]
    at = "user{}@example.com"
    assert f"08:30 1 Ada Lovelace {at.format(1)} birthday email+sms planned" in lines
    held_back = "planned, but: Suppressed: bounce"
    assert f"08:30 2 Bo Li {at.format(2)} birthday email {held_back}" in lines
    assert f"08:30 3 Cy Lee {at.format(3)} campaign_promo 'promo 5' email sent" in lines
    assert "skipped" not in answer.out


def test_a_table_shows_the_first_rows_and_says_how_many_more_there_are(database: Path) -> None:
    assert "and 2 more" in almanac("day", database, "tomorrow", "--limit", 1).out


@pytest.mark.parametrize("words", [["+1"], ["tomorrow"], [days(1)]])
def test_a_day_has_several_names_before_or_behind_the_database(
    database: Path, words: list[str]
) -> None:
    assert almanac("day", *words, database).out == almanac("day", database, "tomorrow").out


def test_csv_has_a_row_for_each_message(database: Path, tmp_path: Path) -> None:
    out = tmp_path / "tomorrow.csv"
    said = almanac("day", database, "tomorrow", "--out", out).out
    assert said.split() == ["3", "rows:", str(out)]
    text = out.read_bytes().decode()
    assert almanac("day", database, "tomorrow", "--csv").out == text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["contact_id"], row["last_name"], row["status"]) for row in rows] == [
        ("1", "Lovelace", "pre-scheduled"),
        ("2", "Li", "pre-scheduled"),
        ("3", "Lee", "sent"),
    ]
    assert rows[2]["campaign_instance_id"] == "5"


def test_rows_can_be_a_workbook(database: Path, tmp_path: Path) -> None:
    out = tmp_path / "tomorrow.xlsx"
    said = almanac("day", database, "tomorrow", "--out", out).out
    assert said.split() == ["3", "rows:", str(out)]
    (cells,) = sheets_of(out).values()
    assert [cells[row, "C"] for row in range(1, 5)] == ["contact_id", 1, 2, 3]


def test_a_planned_message_of_a_past_day_is_said_to_be_unsent(database: Path) -> None:
    assert "planned, but: Not sent" in almanac("day", database, "-2").out


def test_a_week_counts_each_of_its_days(database: Path) -> None:
    found = json.loads(almanac("week", database, "--json").out)
    counts = {day["date"]: (day["planned"], day["of_sender"]) for day in found["days"]}
    assert list(counts) == [days(number) for number in range(7)]
    assert counts[days(0)] == (0, {"processing": 1})
    assert counts[days(1)] == (2, {"sent": 1})
    assert [row["contact_id"] for row in found["rows"]] == [3, 1, 2, 3]
    text = almanac("week", database, "--limit", 1).out
    assert "and 2 more" in text
    assert "no messages" in text


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["soon"], "DATE: 'soon' is not a date; expected YYYY-MM-DD, today"),
        (["today", "+1"], "expected DATABASE and DATE, found"),
        (["--jso"], "No such option: --jso"),
        (["--csv", "--json"], "--json or --csv: expected one of them, found both"),
        (
            ["--out", "day.txt"],
            "--out: day.txt: expected a name that ends in .csv or .json or .xlsx",
        ),
        (["--org", "206"], "expected"),
    ],
)
def test_a_mistake_in_the_arguments_of_a_day(
    database: Path, words: list[str], error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = almanac("day", database, *words)
    assert (answer.code, answer.out) == (2, "")
    assert error in answer.err


def test_contacts_are_found_and_a_search_without_result_fails(database: Path) -> None:
    answer = almanac("contacts", "find", database, "ada", "love")
    assert answer.code == 0
    assert "1 contact for 'ada love' (all were scanned)" in answer.out
    assert "Ada Lovelace" in answer.out
    found = json.loads(almanac("contacts", "find", database, "l", "--limit", 2, "--json").out)
    assert [row["id"] for row in found["rows"]] == [1, 2]
    assert not found["complete"]
    answer = almanac("contacts", "find", database, "xyzzy")
    assert (answer.code, answer.out) == (1, "0 contacts for 'xyzzy' (all were scanned)\n")


def listed(database: Path, *arguments: object) -> list[dict[str, str]]:
    answer = almanac("contacts", "list", database, *arguments, "--csv")
    assert answer.code == 0, answer.err
    return list(csv.DictReader(io.StringIO(answer.out)))


def test_a_list_has_all_contacts_that_check_counts(tmp_path: Path) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.contact(1, email="nowhere", phone_number="123")
    agency.contact(2, email="nowhere", state="", zip_code="94105")
    agency.contact(3, email="nowhere", status="inactive")
    agency.contact(4, state="California", phone_number="5")
    agency.contact(5, state="", birth_date="soon")
    found = json.loads(almanac("check", agency.path, "--json").out)["issues"]
    assert set(found) == {"invalid_birth_date", "invalid_email", "invalid_phone", *WINDOW_ISSUES}
    for issue, count in found.items():
        assert len({row["id"] for row in listed(agency.path, "--issue", issue)}) == count
    (_, row) = listed(agency.path, "--issue", "invalid_phone")
    assert (row["id"], row["detail"]) == ("4", "5")
    assert [row["id"] for row in listed(agency.path, "--state", "california")] == ["2", "4"]
    assert [row["id"] for row in listed(agency.path, "--state", "unknown")] == ["5"]


def test_messages_of_a_campaign_and_those_skipped_for_a_reason(database: Path) -> None:
    (row,) = listed(database, "--campaign", "promo 5")
    values = (row["last_name"], row["message"], row["message_status"])
    assert values == ("Lee", "campaign_promo", "sent")
    (row,) = listed(database, "--skip-reason", "daily")
    assert (row["id"], row["date"], row["detail"]) == ("3", days(1), "Daily volume cap")
    text = almanac("contacts", "list", database, "--state", "TX", "--limit", 1).out
    assert text.startswith("3 rows\n")
    assert text.endswith("and 2 more\n")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "--issue, --skip-reason, --state, --campaign: expected one of them, found none"),
        (["--issue", "bald"], "--issue: 'bald' is not an issue; expected one of invalid_email"),
        (["--state", "ZZ"], "--state: 'ZZ' is no state"),
        (["--campaign", "9"], "no instance has this id or name; there are 5 promo 5"),
        (["--skip-reason", "x"], "there are: Daily volume cap (1)"),
    ],
)
def test_a_mistake_in_what_is_listed(database: Path, words: list[str], error: str) -> None:
    answer = almanac("contacts", "list", database, *words)
    assert (answer.code, answer.out) == (2, "")
    assert error in answer.err


def test_an_organization_of_a_store_is_read_alike(database: Path, tmp_path: Path) -> None:
    at = ("--org", "206", "--store", tmp_path / "store")
    assert almanac("store", "push", "206", database, "--store", tmp_path / "store").code == 0
    for words in (["day", "tomorrow", "--csv"], ["contacts", "find", "ada"]):
        answer = almanac(*words, *at)
        assert answer.code == 0, answer.err
        assert "Lovelace" in answer.out
    found = json.loads(almanac("contacts", "list", "--state", "TX", *at, "--json").out)
    assert len(found["rows"]) == 3


@pytest.mark.parametrize(
    "words",
    [
        ["due", "DATABASE", "--json", "--out", "due.jsonl", "--on"],
        ["explain", "DATABASE", "--contact", "1", "--json", "--on"],
        ["run", "DATABASE", "--dry-run", "--yes", "--as-of"],
        ["campaign", "list", "DATABASE", "--as-of"],
        ["suppression", "list", "DATABASE", "--on"],
        ["rules", "check", "DATABASE", "--as-of"],
    ],
    ids=lambda words: words[0],
)
def test_every_command_takes_a_date_by_today(
    database: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [str(database) if word == "DATABASE" else word for word in words]
    by_name, in_full = (almanac(*words, day) for day in ("+1", days(1)))
    # further down a run says how long it took
    assert by_name.out.splitlines()[:9] == in_full.out.splitlines()[:9]
    assert by_name.code == 0, by_name.err
    assert "sunday" in almanac(*words, "someday").err
