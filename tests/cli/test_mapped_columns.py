"""Where `contacts` has its id and its addresses under other names, everything reads those."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_calls import AS_OF, almanac
from tests.support.clouds import Cloud
from tests.support.database_agencies import change
from tests.support.tiny import Agency

CONFIG = "contacts: {columns: {id: Customer_No, email: mail}}"
PLAN = """
    SELECT contact_id, email_type, scheduled_send_date, ideal_send_date, status, skip_reason,
        campaign_instance_id FROM email_schedules
    WHERE status IN ('pre-scheduled', 'skipped') ORDER BY 1, 2, 4, 7
"""


def made(path: Path) -> Agency:
    tiny = Agency(path)
    for contact in range(11, 23):
        state = ("TX", "CA", "MO")[contact % 3]
        tiny.contact(contact, state, birth_date=f"195{contact % 10}-03-{contact}")
    tiny.contact(23, email="shared@example.com", phone_number="5125550123")
    tiny.contact(24, email="shared@example.com")
    tiny.campaign(3, active_start_date="2026-01-01")
    for contact in (12, 15, 42):
        tiny.target(3, "2026-12-20", contact_id=contact)
    tiny.insert("suppressions", contact_id=16, reason="bounce", since="2026-01-01")
    tiny.insert("suppressions", email="user17@example.com", reason="bounce", since="2026-01-01")
    return tiny


@pytest.fixture
def plain(tmp_path: Path) -> Agency:
    return made(tmp_path / "plain.sqlite3")


@pytest.fixture
def mapped(tmp_path: Path) -> Agency:
    """The same under other names; the columns `id` and `email` hold something else."""
    tiny = made(tmp_path / "mapped.sqlite3")
    tiny.query("CREATE TABLE people AS SELECT * FROM contacts; DROP TABLE contacts")
    tiny.query(
        "ALTER TABLE people RENAME COLUMN id TO customer_no;"
        "ALTER TABLE people RENAME COLUMN email TO mail;"
        "ALTER TABLE people ADD COLUMN id INTEGER; ALTER TABLE people ADD COLUMN email TEXT;"
        "UPDATE people SET id = 40 - customer_no, email = 'user' || id || '@example.com';"
        "ALTER TABLE people RENAME TO contacts"
    )
    return tiny


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def said(*arguments: object) -> dict[str, Any]:
    answer = almanac(*arguments, "--json")
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


def run_both(plain: Agency, mapped: Agency, config: Path) -> None:
    said("run", plain.path, "--as-of", AS_OF)
    said("run", mapped.path, "--as-of", AS_OF, "--config", config)


def alike(found: object) -> str:
    """Return a result without what two files never have in common."""
    text = re.sub(r"plain|mapped|manual-\w+", "", json.dumps(found))
    return re.sub(r"(mail|email): [^\"]*", "", text)


def test_check_and_the_plan_are_the_same(plain: Agency, mapped: Agency, config: Path) -> None:
    one, other = said("check", plain.path), said("check", mapped.path, "--config", config)
    for found in (one, other):
        found.pop("missing_columns")
        found.pop("configuration")
    assert alike(other) == alike(one)
    assert other["shared_addresses"]["examples"] == [[23, 24]]
    run_both(plain, mapped, config)
    assert mapped.query(PLAN) == plain.query(PLAN)
    assert len(mapped.query(PLAN)) > 20
    said("run", plain.path, "--as-of", "2026-11-22")
    said("run", mapped.path, "--as-of", "2026-11-22", "--config", config)
    assert mapped.query(PLAN) == plain.query(PLAN)


def test_explain_finds_them(plain: Agency, mapped: Agency, config: Path) -> None:
    run_both(plain, mapped, config)
    for who in (("--contact", 17), ("--contact", 12), ("--email", "user13@example.com")):
        one, other = (said("explain", each.path, *who) for each in (plain, mapped))
        configuration = other.pop("configuration"), one.pop("configuration")
        assert configuration == (f"the one recorded by the run of {AS_OF}",) * 2
        assert alike(other) == alike(one)
    answer = almanac("explain", mapped.path, "--contact", 99)
    assert "the nearest ids are 21, 22, 23, 24" in answer.err
    answer = almanac("explain", mapped.path, "--email", "shared@example.com")
    assert "2 contacts have the e-mail address 'shared@example.com': 23, 24" in answer.err


def test_senders_get_and_mark_them(plain: Agency, mapped: Agency, config: Path) -> None:
    run_both(plain, mapped, config)
    query = "SELECT id, scheduled_send_date FROM email_schedules WHERE status = 'pre-scheduled'"
    row, day = mapped.query(f"{query} AND contact_id = 13 ORDER BY 2")[0]
    marks = mapped.path.with_name("marks.csv")
    marks.write_text(f"id,status\n{row},sent\n{row},bounced\n")
    results = []
    for each in (plain, mapped):
        due = almanac("due", each.path, "--on", day)
        assert '"email":"user13@example.com"' in due.out.replace('": "', '":"')
        marked = said("mark", each.path, marks)
        added = each.query("SELECT email, contact_id, reason FROM suppressions WHERE rowid > 2")
        assert added == [("user13@example.com", None, "bounce")]
        results.append((due.out, marked))
    assert results[0] == results[1]


def test_suppressions_know_them(plain: Agency, mapped: Agency, config: Path) -> None:
    run_both(plain, mapped, config)
    file = mapped.path.with_name("unsubscribed.csv")
    file.write_text("contact_id,email\n23,\n7,\n,user18@example.com\n")
    results = [
        [
            said("suppression", "import", each.path, file, "--on", AS_OF),
            said("suppression", "add", each.path, "--contact", 14, "--on", AS_OF),
            said("suppression", "list", each.path, "--contact", 18, "--on", AS_OF),
            said("suppression", "list", each.path, "--email", "user16@example.com"),
            said("suppression", "list", each.path, "--on", AS_OF),
        ]
        for each in (plain, mapped)
    ]
    assert alike(results[1]) == alike(results[0])
    imported, _, by_address, by_id, counted = results[1]
    assert (imported["unknown_contacts"], imported["same_address"]) == (1, 1)
    assert (by_address["suppressed"], by_id["suppressed"]) == (True, True)
    assert counted["effect"]["contacts"] > 2


def test_targets_are_imported_for_them(plain: Agency, mapped: Agency, config: Path) -> None:
    run_both(plain, mapped, config)
    by_address, by_id = (mapped.path.with_name(f"{name}.csv") for name in ("addresses", "ids"))
    by_address.write_text("email,trigger_date\nuser19@example.com,2026-12-24\n")
    by_id.write_text("contact_id,trigger_date\n20,2026-12-24\n8,2026-12-24\n")
    for each in (plain, mapped):
        for file, rejected in ((by_address, 0), (by_id, 1)):
            found = said("campaign", "import", each.path, "3", file)
            assert (found["added"], sum(found["rejected"].values())) == (1, rejected)
        shown = said("campaign", "show", each.path, "3")
        assert shown["reach"]["contacts"] == 4
        page = each.path.with_suffix(".html")
        assert almanac("report", each.path, "--out", page).code == 0
    sql = "SELECT contact_id, trigger_date FROM contact_campaigns"
    assert mapped.query(sql) == plain.query(sql)


def test_without_the_configuration_the_missing_columns_are_named(
    mapped: Agency, config: Path
) -> None:
    for name in ("id", "email"):
        mapped.query(f"ALTER TABLE contacts DROP COLUMN {name}")
        for command in ("check", "run"):
            answer = almanac(command, mapped.path)
            assert answer.code == 2
            assert f"table contacts has no column {name}; it has customer_no, mail" in answer.err
            assert f"contacts.columns.{name}" in answer.err
        mapped.query("ALTER TABLE contacts ADD COLUMN id") if name == "id" else None
    config.write_text("contacts: {columns: {id: customer, email: mail}}")
    answer = almanac("run", mapped.path, "--config", config)
    assert answer.code == 2
    assert "contacts.columns.id: the table contacts has no column 'customer'; did you mean" in (
        answer.err
    )
    config.write_text(CONFIG)
    assert said("run", mapped.path, "--as-of", AS_OF, "--config", config)["contacts_eligible"] == 14


def test_a_store_counts_ids_again_where_the_configuration_names_another_column(
    mapped: Agency, tmp_path: Path
) -> None:
    cloud = Cloud(tmp_path)
    cloud.push("7", mapped.path)
    planned = []
    for text in ("contacts: {columns: {email: mail}}", CONFIG):
        cloud.configure("7", text)
        cloud.ask("7", force=True)
        cloud.run()
        rows = change(cloud.pull("7"), "SELECT DISTINCT contact_id FROM email_schedules")
        planned.append({contact for (contact,) in rows})
    cloud.close()
    assert planned[0] == set(range(16, 30))
    assert set(range(11, 16)) <= planned[1]
