"""Campaigns come in by events: types and instances created or changed, and logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.intake_calls import absorbed, received, refused
from tests.support.tiny import Agency
from tests.support.undo_calls import copy_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    agency = Agency(tmp_path_factory.mktemp("made") / "agency.sqlite3")
    agency.campaign(1, target_states="TX")
    agency.campaign(2)
    return agency.path


@pytest.fixture
def agency(made: Path, tmp_path: Path) -> Agency:
    return copy_of(made, tmp_path / "agency.sqlite3")


def log(agency: Agency) -> list[tuple[Any, ...]]:
    return agency.query(
        "SELECT campaign_instance_id, field_changed, old_value, new_value, event_id "
        "FROM campaign_change_log ORDER BY id"
    )


def test_an_instance_is_changed_and_each_field_is_logged(agency: Agency) -> None:
    done = absorbed(
        agency,
        received(
            "campaigns",
            {"instance": {"id": "1", "target_states": ["FL", "NV"], "active_end_date": None}},
            {"instance": {"campaign_type": "promo", "instance_name": "promo 2", "metadata": {}}},
            replan=True,
        ),
    )
    assert refused(agency) == []
    assert log(agency) == [
        (1, "target_states", "TX", "FL,NV", "e1.0"),
        (2, "metadata", None, "{}", "e1.1"),
    ]
    assert agency.query("SELECT target_states FROM campaign_instances WHERE id = 1") == [("FL,NV",)]
    assert done.changed_instances.tolist() == [1, 2]


def test_types_and_instances_are_created_in_one_event(agency: Agency) -> None:
    names = {"campaign_type": "webinar", "instance_name": "spring"}
    done = absorbed(
        agency,
        received(
            "campaigns",
            {"type": {"name": "webinar", "priority": 5, "enable_followups": False}},
            {"instance": names | {"active_start_date": "2027-03-01", "metadata": {"priority": 3}}},
            {"instance": names | {"email_template": "spring_mail"}},
            replan=True,
        ),
    )
    assert refused(agency) == []
    ((number, *instance),) = agency.query(
        "SELECT id, active_start_date, email_template, metadata FROM campaign_instances "
        "WHERE instance_name = 'spring'"
    )
    assert instance == ["2027-03-01", "spring_mail", '{"priority": 3}']
    of_type = "SELECT priority, enable_followups, active FROM campaign_types WHERE name = 'webinar'"
    assert agency.query(of_type) == [(5, 0, 1)]
    assert done.changed_instances.tolist() == [number]
    logged = log(agency)
    assert (None, "campaign_types.webinar.priority", None, "5", "e1.0") in logged
    assert (number, "email_template", None, "spring_mail", "e1.2") in logged


def test_a_type_concerns_all_its_instances_and_the_same_again_is_no_change(agency: Agency) -> None:
    entry = {"type": {"name": "promo", "priority": 3, "active": True}}
    done = absorbed(agency, received("campaigns", entry, replan=True))
    assert done.changed_instances.tolist() == [1, 2]
    again = absorbed(agency, received("campaigns", entry, event_id="e2", replan=True))
    assert again.changed_instances.tolist() == []
    assert [row[1] for row in log(agency)] == ["campaign_types.promo.priority"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"instance": {"id": 9}}, "id: there is no instance 9; a new one is named by"),
    ({"instance": {"id": True}}, "id: True is not the id of an instance"),
    ({"instance": {"campaign_type": "promo"}}, "instance_name: is missing; expected it, or id"),
    ({"instance": {"id": 1, "instance_name": "other"}}, "which cannot be changed"),
    ({"instance": {"id": 1, "target_states": "Texas"}}, "'TEXAS' is no USPS state code"),
    ({"instance": {"id": 1, "active_end_date": "31.12.2027"}}, "is not a date YYYY-MM-DD"),
    ({"instance": {"id": 1, "active_end": None}}, "did you mean active_end_date?"),
    ({"instance": {"id": 1, "metadata": {"priority": "high"}}}, "metadata: priority"),
    ({"instance": {"campaign_type": "none", "instance_name": "x"}}, "there is no such type"),
    ({"type": {"name": "Promo"}}, "there is one already: promo"),
    ({"type": {"priority": 3}}, "name: is missing"),
    ({"type": {"name": "promo", "priority": "high"}}, "priority: 'high' is not a whole number"),
    ({"type": {"name": "promo", "active": {}}}, "active: {} is neither text nor a number"),
    ({"type": {"name": "promo"}, "instance": {"id": 1}}, "either type or instance"),
]


def test_a_wrong_entry_costs_that_entry(agency: Agency) -> None:
    good = {"instance": {"id": 2, "target_states": "NY"}}
    absorbed(agency, received("campaigns", *(entry for entry, _ in WRONG), good))
    found = refused(agency)
    assert [index for index, _ in found] == list(range(len(WRONG)))
    for (entry, why), (_, reason) in zip(WRONG, found, strict=True):
        assert why in reason, entry
    assert [row[:2] for row in log(agency)] == [(2, "target_states")]
