"""A campaign of type aep that says neither when nor to whom, as a later scheduler put into every
database, is not called active: it lends its templates and its priority to the built-in message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_calls import AS_OF, almanac
from tests.support.tiny import Agency

WHY = "it says neither when nor to whom"
LENDS = f"{WHY}: it lends its templates and its priority to the built-in AEP message"
SILENT = f"{WHY}: it is no campaign"


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    """A file with two such campaigns."""
    made = Agency(tmp_path / "agency.sqlite3")
    made.contact()
    for instance in (5, 6):
        made.campaign(instance, "aep", target_all_contacts=1)
    return made


def listed(agency: Agency) -> dict[int, tuple[str, str]]:
    found = json.loads(almanac("campaign", "list", agency.path, "--as-of", AS_OF, "--json").out)
    return {each["instance_id"]: (each["state"], each["problem"]) for each in found["instances"]}


def text_of(*words: Any) -> str:
    answer = almanac("campaign", *words, "--as-of", AS_OF)
    assert answer.code == 0, answer.err
    return " ".join(answer.out.split())


def test_the_list_says_which_one_lends_and_that_the_others_are_no_campaigns(
    agency: Agency,
) -> None:
    assert listed(agency) == {5: ("lends", LENDS), 6: ("silent", SILENT)}
    text = text_of("list", agency.path)
    assert "aep 5 aep - - lends to the built-in AEP" in text
    assert "aep 6 aep - - no campaign" in text
    assert "Taking no part, and why" in text


def test_one_campaign_says_so_and_reaches_no_contact_of_its_own(agency: Agency) -> None:
    text = text_of("show", agency.path, 5)
    assert f"It takes no part: {LENDS}." in text
    assert "no contact of its own" in text
    shown = json.loads(almanac("campaign", "show", agency.path, 6, "--json").out)
    assert (shown["instance"]["state"], shown["reach"]) == ("silent", None)


def test_beside_one_that_replaces_the_built_in_message_none_lends(agency: Agency) -> None:
    agency.campaign(7, "aep", active_start_date="2026-01-01")
    found = listed(agency)
    assert {number: state for number, (state, _) in found.items()} == {
        5: "silent",
        6: "silent",
        7: "active",
    }


def test_explain_says_why_it_has_no_message_of_its_own(agency: Agency) -> None:
    answer = almanac("explain", agency.path, "--contact", 1, "--as-of", AS_OF)
    text = " ".join(answer.out.split())
    assert LENDS in text
    assert SILENT in text
