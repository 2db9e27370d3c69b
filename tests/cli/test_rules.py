"""`almanac rules`: what is in force, a state's year, and what a configuration lacks."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from almanac.schedule_status import Status
from tests.support.cli_calls import AS_OF, agency, almanac

TODAY = "2026-11-28"


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A planned agency, whose first contacts live in Virginia, Vermont and Ohio."""
    path = agency(tmp_path_factory.mktemp("rules") / "agency.sqlite3", 300)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE contacts SET state = 'OH'")
    connection.execute("UPDATE contacts SET state = 'VA', birth_date = '1955-06-15' WHERE id <= 40")
    connection.execute("UPDATE contacts SET state = 'VT' WHERE id BETWEEN 41 AND 60")
    connection.close()
    assert almanac("run", path, "--as-of", AS_OF).code == 0
    return path


def result(*arguments: object) -> Any:
    answer = almanac("rules", *arguments, "--json")
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out)


def problem(*arguments: object) -> str:
    answer = almanac("rules", *arguments)
    assert (answer.code, answer.out) == (2, "")
    return answer.err.removeprefix("Error: ").strip()


# --- list -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "there"), [("2026-12-31", False), ("2027-01-01", True)])
def test_new_mexicos_rule_is_listed_from_the_day_on_which_it_is_law(day: str, there: bool) -> None:
    found = result("list", "--rule-set", "statutory", "--on", day)
    assert ("NM" in [rule["state"] for rule in found["rules"]]) == there
    assert ("NM" in found["without"]) == (not there)


def test_a_rule_is_listed_with_its_source() -> None:
    rules = result("list", "--rule-set", "statutory", "--on", TODAY)["rules"]
    (virginia,) = [rule for rule in rules if rule["state"] == "VA"]
    assert virginia["id"] == "va-birthday-2025"
    assert virginia["words"] == "birthday to 60 days after it (from 2025-07-01 on)"
    assert virginia["cite"] == "Va. Code § 38.2-3611 (HB 2100 and SB 1199 of 2025)"
    assert (virginia["verified"], virginia["confidence"]) == (TODAY, "primary")


def test_the_list_says_that_it_is_no_legal_advice() -> None:
    answer = almanac("rules", "list", "--on", TODAY)
    assert "rule set standard (the defaults)" in answer.out
    assert "not legal advice" in answer.out


def test_the_csv_has_a_line_a_rule() -> None:
    answer = almanac("rules", "list", "--rule-set", "statutory", "--on", TODAY, "--csv")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    (illinois,) = [row for row in rows if row["state"] == "IL"]
    assert (illinois["age_min"], illinois["age_max"]) == ("65", "75")
    assert len(rows) == 23


def test_the_rules_are_those_of_a_file_or_of_a_database(tmp_path: Path, planned: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("state_rules: {TX: {kind: year_round}}\n")
    states = [rule["state"] for rule in result("list", "--config", file)["rules"]]
    assert "TX" in states
    found = result("list", "--database", planned)
    assert found["configuration"] == f"the configuration of {planned}"


# --- show -----------------------------------------------------------------------------------------


def test_a_year_is_drawn_from_the_windows() -> None:
    found = result("show", "virginia", "--on", TODAY)
    (june,) = [each for each in found["contacts"] if each["words"] == "15 Jun"]
    assert june["days"] == [["2027-04-16", "2027-07-15"]]
    assert [rule["id"] for rule in found["statutory"]] == ["va-birthday-2025"]
    answer = almanac("rules", "show", "VA", "--on", TODAY)
    (line,) = [line for line in answer.out.splitlines() if line.startswith("  15 Jun")]
    assert len(line.split()[-1]) == 53
    assert line.count("#") == 12


def test_changes_are_past_or_coming() -> None:
    answer = almanac("rules", "show", "NM", "--rule-set", "statutory", "--on", TODAY)
    assert "2027-01-01  coming  begins: first of the birth month to 60 days" in answer.out
    answer = almanac("rules", "show", "VA", "--rule-set", "statutory", "--on", TODAY)
    assert "2025-07-01  past  begins: birthday to 60 days after it" in answer.out


def test_a_state_without_a_rule_has_none() -> None:
    answer = almanac("rules", "show", "OH", "--on", TODAY)
    assert answer.out.startswith("Ohio (OH), rule set standard")
    assert "\nRules\n  none\n" in answer.out


# --- check ----------------------------------------------------------------------------------------


def test_what_the_standard_set_lacks_concerns_contacts_and_messages(planned: Path) -> None:
    found = result("check", planned)
    lacks = {each["state"]: each for each in found["lacks"]}
    virginia, vermont = lacks["VA"], lacks["VT"]
    assert virginia["days"] == 30
    assert virginia["configured"] == ["birthday to 30 days after it"]
    assert 0 < virginia["contacts"] <= 40
    assert virginia["messages"] == messages_of(planned, "VA", "2027-07-16", "2027-08-14")
    assert vermont["messages"] == messages_of(planned, "VT", AS_OF, "2027-11-21")
    assert lacks["ME"]["contacts"] == 0


def messages_of(path: Path, state: str, first: str, last: str) -> int:
    """The planned messages to a state's contacts on some days."""
    connection = apsw.Connection(str(path))
    count = connection.execute(
        "SELECT count(*) FROM email_schedules e JOIN contacts c ON c.id = e.contact_id "
        "WHERE e.status = ? AND c.state = ? "
        "AND e.email_type <> 'campaign_initial_blast' "  # which goes out in windows too
        "AND e.scheduled_send_date BETWEEN ? AND ?",
        (Status.PRE_SCHEDULED, state, first, last),
    ).get
    connection.close()
    return int(str(count))


def test_without_a_database_only_the_rules_are_compared() -> None:
    found = result("check", "--as-of", TODAY)
    assert {each["contacts"] for each in found["lacks"]} == {None}
    assert [(each["state"], each["day"]) for each in found["changes"]] == [("NM", "2027-01-01")]
    assert found["old_sources"] == []


def test_the_statutory_set_lacks_nothing_until_its_sources_are_old() -> None:
    answer = almanac("rules", "check", "--rule-set", "statutory", "--as-of", "2027-06-01")
    assert answer.code == 0
    assert "Va. Code § 38.2-3611" in answer.out
    assert result("check", "--rule-set", "statutory", "--as-of", TODAY)["lacks"] == []


def test_check_and_run_have_a_line_of_it(planned: Path) -> None:
    checked = " ".join(almanac("check", planned).out.split())
    ran = " ".join(almanac("run", planned, "--as-of", AS_OF, "--dry-run").out.split())
    line = "State rules: fewer protected days than by the statutory rules in VA, VT (almanac"
    assert line in checked
    assert line in ran


# --- mistakes -------------------------------------------------------------------------------------


def test_an_unknown_state_is_named() -> None:
    assert problem("show", "Virgina") == (
        "STATE: 'Virgina' is not a state; expected a USPS code or a name, such as VA or Virginia"
        "; did you mean Virginia?"
    )


def test_an_unknown_rule_set_is_named() -> None:
    assert problem("list", "--rule-set", "law") == (
        "--rule-set: 'law' is not one of standard, statutory"
    )


def test_two_configurations_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("{}\n")
    assert problem("list", "--rule-set", "standard", "--config", file) == (
        "--config or --rule-set: expected one of them, found 2"
    )
    assert problem("list", "--json", "--csv").startswith("--json or --csv")


def test_a_day_that_is_none_is_named() -> None:
    assert problem("show", "VA", "--on", "2027-02-30").startswith("--on: '2027-02-30' is not")
