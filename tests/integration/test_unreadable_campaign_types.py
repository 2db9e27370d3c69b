"""What a campaign type says and cannot be read is never taken for missing, or for no."""

from __future__ import annotations

from pathlib import Path

import pytest

from almanac.config import Config
from almanac.organizations.check import check_file
from tests.support.tiny import Agency

TODAY = "2027-03-01"


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency.sqlite3")
    made.contact(state="CA", birth_date="1960-06-15")
    return made


def with_type(agency: Agency, column: str, value: object) -> None:
    """Make a campaign whose type has this value in a column, and its target."""
    agency.campaign(3)
    agency.query("ALTER TABLE campaign_types RENAME TO strict_types")
    # as `.import` of the sqlite3 shell makes it: no type, and no column with a default
    names = ", ".join(
        c for (c,) in agency.query("SELECT name FROM pragma_table_info('strict_types')")
    )
    agency.query(f"CREATE TABLE campaign_types ({names})")
    agency.query("INSERT INTO campaign_types SELECT * FROM strict_types")
    agency.query(f"UPDATE campaign_types SET {column} = ?", value)
    agency.target(3, "2027-04-20")


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("priority", "high", "priority: expected a whole number, found 'high'"),
        ("priority", 9.5, "priority: expected a whole number, found 9.5"),
        ("days_before_event", "x", "days_before_event: expected a whole number, found 'x'"),
        ("days_before_event", "2 weeks", "expected a whole number, found '2 weeks'"),
        ("active", "maybe", "active: expected 1 or 0, found 'maybe'"),
        ("respect_exclusion_windows", "?", "respect_exclusion_windows: expected 1 or 0"),
        ("enable_followups", "sometimes", "enable_followups: expected 1 or 0, found 'sometimes'"),
        ("target_all_contacts", "N/A", "target_all_contacts: expected 1 or 0, found 'N/A'"),
    ],
)
def test_a_value_that_cannot_be_read_leaves_the_campaign_out_and_is_named(
    agency: Agency, column: str, value: object, found: str
) -> None:
    with_type(agency, column, value)
    summary = agency.plan(TODAY)
    assert not any("campaign" in line for line in agency.lines())
    for (left_out,) in (summary.left_out, check_file(agency.path, Config()).left_out):
        assert left_out.problem.startswith("its type 'promo' is not valid: ")
        assert found in left_out.problem


@pytest.mark.parametrize(
    ("column", "value", "line"),
    [
        ("days_before_event", "14.0", "campaign_promo#3 2027-04-20: 2027-04-06 skipped"),
        ("days_before_event", " 7 ", "campaign_promo#3 2027-04-20: 2027-04-13 skipped"),
        # in California's window, which an empty cell does not switch off
        ("respect_exclusion_windows", "", "campaign_promo#3 2027-04-20: 2027-04-20 skipped"),
        ("respect_exclusion_windows", " Yes", "campaign_promo#3 2027-04-20: 2027-04-20 skipped"),
        ("respect_exclusion_windows", "No", "campaign_promo#3 2027-04-20: 2027-04-20"),
        ("respect_exclusion_windows", "0.0", "campaign_promo#3 2027-04-20: 2027-04-20"),
        ("active", "", "campaign_promo#3 2027-04-20: 2027-04-20 skipped"),
        ("active", 2, "campaign_promo#3 2027-04-20: 2027-04-20 skipped"),
    ],
)
def test_texts_of_other_programs_and_empty_cells_are_read(
    agency: Agency, column: str, value: object, line: str
) -> None:
    with_type(agency, column, value)
    summary = agency.plan(TODAY)
    assert summary.left_out == []
    (found,) = [each for each in agency.lines() if "campaign" in each]
    assert found.split(",")[0] == line


def test_a_type_that_is_switched_off_in_words_takes_no_part(agency: Agency) -> None:
    with_type(agency, "active", "FALSE")
    summary = agency.plan(TODAY)
    assert summary.left_out == []
    assert not any("campaign" in line for line in agency.lines())
