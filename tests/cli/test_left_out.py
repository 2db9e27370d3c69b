"""What is left out of a plan: a run, the page and `almanac check` say why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from almanac.config import Config, load_config
from almanac.errors import ConfigError, DatabaseError
from almanac.organizations.check import check_file
from almanac.report.summary import Unreadable
from almanac.statistics.file_report import overview
from tests.support.cli_calls import AS_OF, almanac
from tests.support.explanations import explain_contact
from tests.support.tiny import Agency


@pytest.fixture
def tiny(tmp_path: Path) -> Agency:
    return Agency(tmp_path / "agency.sqlite3")


def text_ids(tiny: Agency, *ids: Any) -> None:
    """Replace the contacts by some with these ids."""
    tiny.query("DROP TABLE contacts")
    tiny.query("CREATE TABLE contacts (id, email TEXT, birth_date TEXT, state TEXT DEFAULT 'TX')")
    for number, each in enumerate(ids):
        email = f"user{number}@example.com"
        tiny.insert("contacts", id=each, email=email, birth_date="1950-06-01")


# --- contacts -------------------------------------------------------------------------------------


def test_contacts_left_out_are_counted_by_why(tiny: Agency) -> None:
    for contact, status in enumerate((None, "inactive", " Inactive ", "lead", "Active"), 1):
        tiny.contact(contact, status=status)
    tiny.contact(6, email="nobody")
    tiny.contact(7, state="", zip_code="")
    expected = {"status inactive": 2, "no valid e-mail address": 1, "status lead": 1}
    summary = tiny.plan(AS_OF)
    assert (summary.contacts_eligible, summary.contacts_left_out) == (3, expected)
    assert check_file(tiny.path, Config()).contacts_left_out == expected
    words = " ".join(almanac("check", tiny.path).out.split())
    assert "left out: status inactive 2" in words
    words = " ".join(almanac("run", tiny.path, "--as-of", AS_OF).out.split())
    assert "3 can get messages 2 left out: status inactive 1 left out: no valid" in words
    facts = dict(overview(tiny.path, Config()).facts)
    assert (facts["Can get messages"], facts["Left out: status inactive"]) == ("3", "2")
    summary = tiny.plan(AS_OF, organization={"send_without_zipcode_for_universal": False})
    assert summary.contacts_left_out == expected | {"unknown state": 1}


def test_other_statuses_can_take_part(tiny: Agency) -> None:
    tiny.contact(1, status="customer")
    tiny.contact(2, status="active")
    summary = tiny.plan(AS_OF, contacts={"active_statuses": ["Customer"]})
    assert (summary.contacts_eligible, summary.contacts_left_out) == (1, {"status active": 1})
    assert "only Customer contacts take part" in explain_contact(tiny.path, 2).verdict


def test_many_statuses_are_not_all_named(tiny: Agency) -> None:
    for contact in range(1, 31):
        tiny.contact(contact, status=f"s{contact:02}")
    left_out = tiny.plan(AS_OF).contacts_left_out
    assert (len(left_out), left_out["another status"]) == (21, 10)


def test_contacts_whose_id_is_no_number_are_named(tiny: Agency) -> None:
    text_ids(tiny, "42", 7.0, "003Hs00004AbC", "7f3c-1", None, "42")
    summary = tiny.plan(AS_OF)
    assert summary.invalid_ids == Unreadable(
        count=3, examples=["'003Hs00004AbC'", "'7f3c-1'", "NULL"]
    )
    assert summary.contacts_eligible == 2
    found = check_file(tiny.path, Config())
    assert found.invalid_ids == summary.invalid_ids
    assert (found.non_integer_ids, found.duplicate_ids, found.eligible) == (3, 1, 2)
    assert found.usable
    for command in (["check", tiny.path], ["run", tiny.path, "--as-of", AS_OF]):
        words = " ".join(almanac(*command).out.split())
        assert "left out: the id is no whole number (invalid_id)" in words
        assert "(invalid_id): '003Hs00004AbC', '7f3c-1', NULL." in words
        assert "left out: another contact has the same id" in words


def test_a_file_without_a_usable_id_is_refused_with_the_reason(tiny: Agency) -> None:
    text_ids(tiny, "003Hs00004AbC", "7f3c-1")
    why = "none of the 2 ids is a whole number"
    with pytest.raises(DatabaseError, match=why):
        tiny.plan(AS_OF)
    answer = almanac("run", tiny.path, "--as-of", AS_OF)
    assert (answer.code, "'003Hs00004AbC'" in answer.err) == (2, True)
    answer = almanac("check", tiny.path)
    assert answer.code != 0
    assert why in " ".join(answer.out.split())
    assert not json.loads(almanac("check", tiny.path, "--json").out)["usable"]


def test_a_file_without_contacts_is_no_such_file(tiny: Agency) -> None:
    assert tiny.plan(AS_OF).contacts_total == 0
    assert check_file(tiny.path, Config()).usable


# --- columns --------------------------------------------------------------------------------------


def test_a_mapped_column_is_read(tiny: Agency) -> None:
    tiny.query("ALTER TABLE contacts ADD COLUMN DOB TEXT")
    tiny.contact(DOB="1950-06-01")
    for name in ("dob", "DOB"):
        tiny.plan(AS_OF, contacts={"columns": {"birth_date": name}})
        assert tiny.lines()[0].startswith("birthday")


def test_a_mapped_column_that_is_missing_is_named(tiny: Agency) -> None:
    tiny.contact()
    config = load_config("contacts: {columns: {birth_date: dateofbirth, carrier: firm}}")
    with pytest.raises(ConfigError) as error:
        check_file(tiny.path, config)
    first, second = str(error.value).splitlines()
    assert first.startswith(
        "contacts.columns.birth_date: the table contacts has no column 'dateofbirth'"
    )
    assert "it has id, email" in first
    assert second.startswith("contacts.columns.carrier: ")
    path = tiny.path.with_name("config.yaml")
    path.write_text("contacts: {columns: {birth_date: dateofbirth}}")
    answer = almanac("run", tiny.path, "--as-of", AS_OF, "--config", path)
    assert (answer.code, first.split(";")[0] in answer.err) == (2, True)


def test_opt_out_columns_that_do_not_exist_are_named(tiny: Agency, tmp_path: Path) -> None:
    tiny.query("ALTER TABLE contacts ADD COLUMN unsubscribed INTEGER")
    tiny.contact(unsubscribed=1)
    path = tmp_path / "config.yaml"
    path.write_text("contacts: {opt_out_columns: [unsubscribd], sms_consent_columns: [texts_ok]}")
    expected = [
        "contacts.opt_out_columns: the table contacts has no column 'unsubscribd'; did you mean "
        "unsubscribed? no contact is left out by it",
        "contacts.sms_consent_columns: the table contacts has no column 'texts_ok'; text messages "
        "go out without it",
    ]
    for command in (("check", tiny.path), ("run", tiny.path, "--as-of", AS_OF)):
        answer = almanac(*command, "--config", path, "--json")
        assert (answer.code, json.loads(answer.out)["unknown_flags"]) == (0, expected)
        words = " ".join(almanac(*command, "--config", path).out.split())
        assert f"Opt-out or consent columns that do not exist {expected[0]}." in words
        assert "no problem was found" not in words
    assert check_file(tiny.path, Config()).unknown_flags == []
    path.write_text("contacts: {opt_out_columns: [Unsubscribed]}")
    found = json.loads(almanac("check", tiny.path, "--config", path, "--json").out)
    assert (found["unknown_flags"], tiny.plan(AS_OF).unknown_flags) == ([], [])


# --- campaigns ------------------------------------------------------------------------------------


def test_targets_that_cannot_be_read_are_counted_and_named(tiny: Agency) -> None:
    tiny.contact()
    tiny.campaign(3)
    date = tiny.target(3, "6/1/2027")
    tiny.target(3, "7/1/2027", status="sent")
    metadata = tiny.target(3, "2027-06-01", metadata="[1]")
    tiny.target(3, "2027-07-01", metadata='{"premium": 1}')
    summary = tiny.plan(AS_OF)
    assert summary.unreadable_targets == Unreadable(count=1, examples=[str(date)])
    assert summary.odd_target_metadata == Unreadable(count=1, examples=[str(metadata)])
    found = check_file(tiny.path, Config())
    assert found.unreadable_targets == summary.unreadable_targets
    assert found.odd_target_metadata == summary.odd_target_metadata
    for command in (["check", tiny.path], ["run", tiny.path, "--as-of", AS_OF]):
        words = " ".join(almanac(*command).out.split())
        assert f"1 row of contact_campaigns (id {date}) has no date" in words
        assert f"1 row of contact_campaigns (id {metadata}) has metadata that is no JSON" in words


def test_splits_that_overlap_are_named(tiny: Agency) -> None:
    tiny.contact()
    splits = (("spring", 0, 50), ("spring", 40, 100), ("fall", 0, 100), ("spring", 0, 0))
    for instance, (group, first, end) in enumerate(splits, 3):
        metadata = {"split": {"group": group, "from": first, "to": end}}
        tiny.campaign(instance, metadata=json.dumps(metadata))
    expected = [
        "campaign 3 'promo 3' (0 to 50) and campaign 4 'promo 4' (40 to 100) share contacts of "
        "the split group 'spring'"
    ]
    summary = tiny.plan(AS_OF)
    assert summary.split_overlaps == expected
    assert check_file(tiny.path, Config()).split_overlaps == expected
    (left_out,) = summary.left_out
    assert left_out.problem.startswith("its metadata is not valid: split: expected {")
    for command in (["check", tiny.path], ["run", tiny.path, "--as-of", AS_OF]):
        assert expected[0] in " ".join(almanac(*command).out.split())


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ('{"trigger": "birthday"}', "trigger: expected \"contact_created\", found 'birthday'"),
        ('{"split": 50}', "found 50"),
        ('{"split": {"group": 1, "from": 0, "to": 50}}', "'group': 1"),
        ('{"split": {"group": "g", "from": 0, "to": 101}}', "'to': 101"),
        ('{"trigger": "contact_created"}', "is for types that target all contacts"),
    ],
)
def test_metadata_that_is_not_valid_is_named(tiny: Agency, metadata: str, problem: str) -> None:
    tiny.contact()
    tiny.campaign(3, metadata=metadata)
    for found in (tiny.plan(AS_OF).left_out, check_file(tiny.path, Config()).left_out):
        (left_out,) = found
        assert left_out.problem.startswith("its metadata is not valid: ")
        assert problem in left_out.problem


def test_the_annual_message_that_holds_is_named(tiny: Agency) -> None:
    tiny.contact()
    assert check_file(tiny.path, Config()).aep == "built-in"
    tiny.campaign(5, name="aep", target_all_contacts=1)
    lent = "built-in, with templates and priority of campaign 5 'aep 5'"
    assert check_file(tiny.path, Config()).aep == lent
    tiny.campaign(6, name="aep", active_start_date="2026-11-01")
    assert check_file(tiny.path, Config()).aep == "replaced by campaign 6 'aep 6'"
    words = " ".join(almanac("check", tiny.path).out.split())
    assert "AEP message: replaced by campaign 6 'aep 6'." in words
