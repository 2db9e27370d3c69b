"""Who gets anything at all: status, address, state, suppression, and the issues of contacts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sampling import sampled
from tests.support.tiny import Agency

TODAY = "2027-03-01"
BIRTHDAY = "birthday 2027-06-15: 2027-06-01"


def issues(agency: Agency) -> list[tuple[Any, ...]]:
    return agency.query("SELECT contact_id, issue FROM contact_issues ORDER BY 1, 2")


def test_only_active_contacts_get_anything(agency: Agency) -> None:
    cases: list[tuple[str | None, bool]] = [
        ("active", True),
        (" ACTIVE ", True),
        ("", True),
        (None, True),
        ("  ", True),
        ("bounced", False),
        ("inactive", False),
        ("0", False),
    ]
    for number in range(1, len(cases) + 1):
        agency.contact(number, birth_date="1950-06-15", status="active")
    agency.plan(TODAY)
    for number, (status, _) in enumerate(cases, start=1):
        agency.query("UPDATE contacts SET status = ?, zip_code = 'x' WHERE id = ?", status, number)
    agency.plan(TODAY)
    for number, (status, active) in enumerate(cases, start=1):
        assert agency.lines(number) == ([BIRTHDAY] if active else []), status
    there = [number for number, (_, active) in enumerate(cases, start=1) if active]
    assert issues(agency) == [(number, "invalid_zip") for number in there]


def test_without_an_address_nothing_is_planned(agency: Agency) -> None:
    cases: list[tuple[str | None, bool]] = [
        ("ann@example.com", True),
        (" Ann.B+c_d%1-2@Mail.Example.co ", True),
        ("o'brien@example.com", True),
        ("a/b=c@x-1.xn--p1ai", True),
        ("a@example..com", False),
        (".a@example.com", False),
        ("a.@example.com", False),
        ("a..b@example.com", False),
        ("a@-example.com", False),
        ("a@example-.com", False),
        ("a@exa_mple.com", False),
        ("a@" + "b" * 248 + ".com", True),
        ("a@" + "b" * 249 + ".com", False),
        ("a@b.cd", True),
        ("a@b.c", False),
        ("a@b", False),
        ("nobody", False),
        ("two@at@x.com", False),
        ("spa ce@x.com", False),
        ("ann@example.com,bob@example.com", False),
        ("änn@example.com", False),
        ("ann@example.c0m", False),
        ("", False),
        (None, False),
    ]
    for number, (email, _) in enumerate(cases, start=1):
        agency.contact(number, birth_date="1950-06-15", email=email)
    agency.plan(TODAY)
    for number, (email, valid) in enumerate(cases, start=1):
        assert agency.lines(number) == ([BIRTHDAY] if valid else []), email
    invalid = [number for number, (_, valid) in enumerate(cases, start=1) if not valid]
    assert issues(agency) == [(number, "invalid_email") for number in invalid]


def test_the_state_is_that_of_the_column_or_of_the_zip_code(agency: Agency) -> None:
    cases: list[tuple[str | None, str | None, str | None, list[str]]] = [
        ("NY", "10001", "NY", []),
        (" ny ", None, "NY", []),
        ("NY", "90210", "NY", ["state_zip_mismatch"]),  # the column wins
        ("", "10001", "NY", []),
        ("", "10001-0001", "NY", []),
        ("ZZ", "10001", "NY", ["invalid_state"]),
        ("NY", "100000", "NY", ["invalid_zip"]),
        ("", "2138", "MA", []),  # a spreadsheet took its zero
        ("", "10001.0", "NY", []),
        ("", "2138-1234", "MA", []),
        ("", "21381234", "MA", []),
        ("", "100010001", "NY", []),
        ("New York", "", "NY", []),
        (" massachusetts ", "77001", "MA", ["state_zip_mismatch"]),
        ("New Yorkshire", "10001", "NY", ["invalid_state"]),
        ("", "00000", None, ["invalid_zip", "state_unknown"]),
        ("Calif", "", None, ["invalid_state", "state_unknown"]),
        (None, None, None, ["state_unknown"]),
        ("PR", "00901", None, []),
        ("AE", "09012", None, []),
    ]
    for number, (state, zip_code, _, _) in enumerate(cases, start=1):
        agency.contact(number, str(state or ""), zip_code=zip_code, birth_date="1950-06-15")
        if state is None:
            agency.query("UPDATE contacts SET state = NULL WHERE id = ?", number)
    agency.plan(TODAY)
    for number, (state, zip_code, rule, _) in enumerate(cases, start=1):
        note = "" if rule is None else f" skipped, Year-round exclusion for {rule}"
        assert agency.lines(number) == [f"{BIRTHDAY}{note}"], (state, zip_code)
    assert issues(agency) == [
        (number, issue) for number, case in enumerate(cases, start=1) for issue in case[3]
    ]


def test_contacts_of_unknown_state_can_be_left_out(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-15", state="")
    agency.contact(2, birth_date="1950-06-15", state="", zip_code="77001")
    agency.plan(TODAY)
    assert len(agency.lines()) == 2
    organization = {"send_without_zipcode_for_universal": False}
    assert agency.planned(TODAY, organization=organization) == [f"2 {BIRTHDAY}"]
    assert issues(agency) == [(1, "state_unknown")]


def test_what_is_no_date_is_an_issue(agency: Agency) -> None:
    cases: list[tuple[str, str, str | None]] = [
        ("birth_date", "06/15/1990", "invalid_birth_date"),
        ("birth_date", "1990-02-30", "invalid_birth_date"),
        ("birth_date", "1904-02-30", "invalid_birth_date"),
        ("birth_date", "1900-01-01", "invalid_birth_date"),  # a placeholder
        ("birth_date", "1900-12-31", "invalid_birth_date"),
        ("birth_date", "1901-01-01", None),
        ("birth_date", "2027-03-02", "invalid_birth_date"),  # tomorrow
        ("birth_date", "2027-03-01", None),
        ("effective_date", "1900-12-31", "invalid_effective_date"),
        ("birth_date", "0000-00-00", "invalid_birth_date"),
        ("birth_date", "1990-6-5", "invalid_birth_date"),
        ("birth_date", "1990-06-05x", "invalid_birth_date"),
        ("birth_date", " 1990-06-05", "invalid_birth_date"),
        ("effective_date", "soon", "invalid_effective_date"),
        ("birth_date", "", None),
        ("birth_date", "   ", None),
        ("birth_date", "1990-06-05", None),
        ("birth_date", "1990-06-05T12:00:00Z", None),
        ("effective_date", "2020-01-01 00:00:00", None),
    ]
    for number, (column, text, _) in enumerate(cases, start=1):
        dates: dict[str, Any] = {column: text}
        agency.contact(number, **dates)
    agency.plan(TODAY)
    assert issues(agency) == [
        (number, issue) for number, (_, _, issue) in enumerate(cases, start=1) if issue
    ]
    for number, (_, text, issue) in enumerate(cases, start=1):
        has_date = issue is None and text.strip() != ""
        assert bool(agency.lines(number)) is has_date, text


def test_of_two_columns_the_first_that_is_not_empty_counts(agency: Agency) -> None:
    agency.contact(1, birth_date="1950-06-15", birthday="1950-09-15")
    agency.contact(2, birth_date=" ", birthday="1950-09-15")
    agency.contact(3, birth_date="never", birthday="1950-09-15")
    assert agency.planned(TODAY) == [
        "1 birthday 2027-06-15: 2027-06-01",
        "2 birthday 2027-09-15: 2027-09-01",
    ]
    assert issues(agency) == [(3, "invalid_birth_date")]


# Suppression


@pytest.mark.parametrize(
    ("row", "reason"),
    sampled(
        [
            ({"contact_id": 1, "reason": "complaint"}, "complaint"),
            ({"email": " USER1@Example.COM ", "reason": " asked us "}, "asked us"),
            ({"contact_id": 1}, "unspecified"),
            ({"contact_id": 1, "reason": " "}, "unspecified"),
            ({"contact_id": 2}, None),
            ({"email": "", "contact_id": 2}, None),
            ({"contact_id": 1, "reason": "r", "since": TODAY, "until": TODAY}, "r"),
            ({"contact_id": 1, "since": "2027-03-02"}, None),
            ({"contact_id": 1, "until": "2027-02-28"}, None),
            ({"contact_id": 1, "reason": "r", "since": "once", "until": "never"}, "r"),
        ],
        3,
    ),
)
def test_a_suppression_in_force_skips_everything(
    agency: Agency, row: dict[str, Any], reason: str | None
) -> None:
    agency.contact(birth_date="1950-06-15", state="NY")
    agency.insert("suppressions", **row)
    words = "Year-round exclusion for NY" if reason is None else f"Suppressed: {reason}"
    assert agency.planned(TODAY) == [f"{BIRTHDAY} skipped, {words}"]


def test_of_several_suppressions_the_first_in_force_gives_the_reason(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-15")
    agency.insert("suppressions", contact_id=1, reason="over", until="2027-01-01")
    agency.insert("suppressions", email="user1@example.com", reason="by address")
    agency.insert("suppressions", contact_id=1, reason="by id")
    assert agency.planned(TODAY) == [f"{BIRTHDAY} skipped, Suppressed: by address"]


def test_suppression_comes_before_any_other_reason(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-15", failed_underwriting=1)
    agency.insert("suppressions", contact_id=1, reason="asked")
    agency.campaign(3, target_states="CA")
    agency.target(3, "2027-06-20")
    organization = {"exclude_failed_underwriting_global": True}
    assert agency.planned(TODAY, organization=organization) == [
        f"{BIRTHDAY} skipped, Suppressed: asked",
        "campaign_promo#3 2027-06-20: 2027-06-20 skipped, Suppressed: asked",
    ]
    assert agency.query("SELECT status FROM contact_campaigns") == [("skipped",)]


def test_after_a_suppression_ends_the_contact_is_planned_again(agency: Agency) -> None:
    agency.contact(birth_date="1950-06-15")
    agency.insert("suppressions", contact_id=1, reason="asked", until=TODAY)
    agency.plan(TODAY)
    assert agency.planned("2027-03-02") == [BIRTHDAY]


# Issues


def test_an_issue_that_stays_keeps_the_day_it_was_first_seen(agency: Agency) -> None:
    agency.contact(birth_date="never", zip_code="x")
    agency.contact(2, email="")
    agency.plan(TODAY)
    agency.query("UPDATE contact_issues SET first_seen = '2026-01-01'")
    agency.query("UPDATE contacts SET zip_code = '77001', effective_date = '?' WHERE id = 1")
    summary = agency.plan("2027-03-02")
    sql = "SELECT contact_id, issue, first_seen = '2026-01-01' FROM contact_issues ORDER BY 1, 2"
    assert agency.query(sql) == [
        (1, "invalid_birth_date", 1),
        (1, "invalid_effective_date", 0),
        (2, "invalid_email", 1),
    ]
    assert summary.issues == {
        "invalid_birth_date": 1,
        "invalid_effective_date": 1,
        "invalid_email": 1,
    }


def test_issues_outside_the_scope_stay(agency: Agency) -> None:
    for contact in (1, 2, 3):
        agency.contact(contact, email="")
    agency.plan(TODAY)
    agency.query("UPDATE contacts SET email = 'a@example.com'")
    agency.plan(TODAY, scope=[(2, 2)])
    assert issues(agency) == [(1, "invalid_email"), (3, "invalid_email")]


def test_an_issue_says_what_was_found(agency: Agency) -> None:
    agency.contact(birth_date="06/15/1990")
    agency.plan(TODAY)
    ((detail,),) = agency.query("SELECT detail FROM contact_issues")
    assert "06/15/1990" in detail
