"""What `almanac run` refuses or asks about, since it probably is not meant."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from almanac.statistics.file_report import overview
from almanac.status.organization import organization_status
from tests.support.cli_calls import AS_OF, Answer, almanac
from tests.support.clouds import NOW, Cloud
from tests.support.database_agencies import change
from tests.support.tiny import Agency

ROWS = """SELECT contact_id, email_type, event_year, event_month, event_day, status, skip_reason
    FROM email_schedules WHERE status = 'pre-scheduled' ORDER BY 1, 2, 3"""


def crm(path: Path) -> Agency:
    """Twenty contacts of New York, from a CRM that has other names for everything."""
    tiny = Agency(path)
    for contact in range(1, 21):
        tiny.contact(contact, zip_code="10001", state="", birth_date=f"195{contact % 10}-05-04")
    for ours, theirs in (("zip_code", "zip"), ("birth_date", "DOB"), ("phone_number", "Phone")):
        tiny.query(f'ALTER TABLE contacts RENAME COLUMN {ours} TO "{theirs}"')
    tiny.query("ALTER TABLE contacts DROP COLUMN state; ALTER TABLE contacts DROP COLUMN birthday")
    return tiny


@pytest.fixture
def tiny(tmp_path: Path) -> Agency:
    """Two contacts whose birthdays are close by."""
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact(1, birth_date="1960-12-10")
    tiny.contact(2, birth_date="1960-12-24")
    return tiny


def run(tiny: Agency, *arguments: object, day: str = AS_OF) -> Answer:
    return almanac("run", tiny.path, "--as-of", day, *arguments)


def test_contacts_of_new_york_under_other_column_names_are_not_planned(tmp_path: Path) -> None:
    tiny = crm(tmp_path / "crm.sqlite3")
    before = tiny.path.read_bytes()
    for more in ((), ("--dry-run",)):
        answer = run(tiny, *more)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == (
            f"Error: {tiny.path}: neither state nor ZIP code of any of the 20 contacts can be read "
            "(the table has neither column; there is `zip`), so no state's rule would protect any "
            f"of them; map zip: almanac config set {tiny.path} contacts.columns.zip_code=zip; "
            "if the agency has no states, add --without-states\n"
        )
    assert tiny.path.read_bytes() == before
    config = tmp_path / "config.yaml"
    config.write_text("contacts: {columns: {zip_code: zip, birth_date: dob, phone_number: phone}}")
    summary = json.loads(run(tiny, "--config", config, "--json").out)
    assert (summary["planned"], summary["likely_columns"], summary["alerts"]) == ({}, {}, [])


def test_columns_by_another_name_are_named_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny = crm(Path("crm.sqlite3"))
    checked, ran = almanac("check", tiny.path), run(tiny, "--without-states")
    assert (checked.code, ran.code) == (2, 0)
    assert _flat(checked).startswith(f"{tiny.path} needs --without-states to be planned. ")
    assert "Warning: neither state nor ZIP code of any of the 20 contacts" in _flat(checked)
    assert "Warning: the state of no contact can be read" in _flat(ran)
    for answer in (checked, ran):
        for name, column in (("zip_code", "zip"), ("birth_date", "dob"), ("phone_number", "phone")):
            text = (
                f"no contact has a value of {name}; there is `{column}`: map it to {name}: almanac "
            )
            text += f"config set crm.sqlite3 contacts.columns.{name}={column}"
            assert text in _flat(answer)
        first = answer.out.index("Warning: ")
        assert first < answer.out.index("contact_issues" if answer is ran else "Contacts\n")


def _flat(answer: Answer) -> str:
    return " ".join(answer.out.split())


def test_states_and_zip_codes_that_cannot_be_read_are_quoted(tmp_path: Path) -> None:
    tiny = Agency(tmp_path / "agency.sqlite3")
    for contact in range(1, 4):
        tiny.contact(contact, state="Bavaria", zip_code="D-80331")
    answer = run(tiny)
    assert answer.code == 2
    assert "of the 3 contacts can be read (found 'Bavaria', 'D-80331'), so no" in answer.err
    tiny.contact(4, state="NY")
    assert run(tiny).code == 0


def test_nothing_depends_on_states_without_rules_or_contacts(tmp_path: Path) -> None:
    tiny = Agency(tmp_path / "agency.sqlite3")
    assert run(tiny).code == 0
    tiny.contact(1, state="")
    assert run(tiny).code == 2
    config = tmp_path / "config.yaml"
    config.write_text("organization: {send_without_zipcode_for_universal: false}")
    assert run(tiny, "--config", config).code == 0


def test_a_column_without_any_value_is_no_column(tmp_path: Path) -> None:
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact(1, zip_code="75201", birth_date=" ", birthday="")
    tiny.query("ALTER TABLE contacts ADD COLUMN dob TEXT")
    assert "there is `dob`" not in almanac("check", tiny.path).out
    tiny.query("UPDATE contacts SET dob = '1951-03-14'")
    assert "no contact has a value of birth_date; there is `dob`" in _flat(
        almanac("check", tiny.path)
    )
    tiny.query("UPDATE contacts SET birthday = '1951-03-14'")
    assert "there is `dob`" not in almanac("check", tiny.path).out


def test_a_file_without_id_and_email_is_answered_by_the_command_that_names_them(
    tmp_path: Path,
) -> None:
    path = tmp_path / "crm.sqlite3"
    path.touch()
    change(path, "CREATE TABLE contacts (customer_no INTEGER PRIMARY KEY, contact_mail TEXT)")
    answer = almanac("check", path)
    assert answer.code == 2
    assert answer.err.endswith(
        "has no column id and no email; it has customer_no, contact_mail; name the one that is "
        f"meant: almanac config set {path} contacts.columns.id=customer_no "
        "contacts.columns.email=COLUMN\n"
    )


def test_most_birth_dates_that_cannot_be_read_are_said_first(tiny: Agency) -> None:
    for contact in (3, 4, 5):
        tiny.contact(contact, birth_date="06/15/1960")
    words = "Warning: 3 of 5 birth dates cannot be read: expected YYYY-MM-DD, from 1901 on"
    assert words in _flat(almanac("check", tiny.path))
    assert words in _flat(run(tiny))
    tiny.contact(6, birth_date="1961-01-01")
    assert "birth dates cannot be read" not in run(tiny).out


def test_in_a_store_the_run_reports_that_no_state_is_read(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)
    cloud.push("7", crm(tmp_path / "crm.sqlite3").path)
    cloud.ask("7")
    cloud.run()
    data = organization_status(cloud.store, "7", NOW).data
    cloud.close()
    assert data is not None
    assert data.alerts[0].startswith("the state of no contact can be read")
    assert data.likely_columns["birth_date"] == "dob"


def test_a_mistyped_year_is_asked_about_before_it_expires_the_plan(tiny: Agency) -> None:
    run(tiny)
    planned = tiny.query(ROWS)
    answer = run(tiny, day="2027-11-22")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        f"Error: {tiny.path}: the file's last run was for 2026-11-21, and this one is for "
        "2027-11-22, 366 days after it: it would drop or move 4 planned messages dated before "
        "2027-11-22; a run for 2026-11-21 would bring back what is lost; if that is meant, add "
        "--yes\n"
    )
    assert tiny.query(ROWS) == planned
    assert run(tiny, "--dry-run", day="2027-11-22").code == 0
    assert run(tiny, "--yes", day="2027-11-22").code == 0
    assert tiny.query(ROWS) != planned
    assert run(tiny, "--yes").code == 0
    assert tiny.query(ROWS) == planned


def test_a_day_before_the_last_run_is_asked_about_and_a_month_ahead_is_not(tiny: Agency) -> None:
    run(tiny)
    answer = run(tiny, day="2026-09-30")
    assert (answer.code, "for 2026-09-30, 52 days before it" in answer.err) == (2, True)
    assert run(tiny, day="2026-12-22").code == 0
    assert run(tiny, day="2027-01-23").code == 2
    assert overview(tiny.path).as_of.isoformat() == "2026-12-22"


class Terminal(io.StringIO):
    """A terminal on which an answer is typed."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_answer_decides(tiny: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tiny)
    for typed, code in (("n\n", 1), ("y\n", 0)):
        monkeypatch.setattr("sys.stdin", Terminal(typed))
        answer = run(tiny, day="2026-11-20")
        assert answer.code == code
        assert "Run all the same? [y/N]: " in answer.err
        assert ("stopped; nothing was changed" in answer.err) == bool(code)


def test_ids_that_no_contact_has_are_named_and_fail_where_nothing_is_left(tiny: Agency) -> None:
    answer = run(tiny, "--contacts", "1,7,90-99", "--json")
    assert (answer.code, json.loads(answer.out)["contacts_in_scope"]) == (0, 1)
    assert answer.err == f"Warning: --contacts: {tiny.path} has no contact 7, 90-99\n"
    answer = run(tiny, "--contacts", "7,90-99", "--dry-run")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.endswith("has no contact 7, 90-99; nothing is left to plan\n")
    assert run(tiny, "--contacts", "1-99").err == ""
