"""Object names and the identifiers in them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.errors import RequestError
from almanac.names import change_run_id, daily_run_id, manual_run_id
from almanac.storage import layout
from almanac.storage.store import check_name

DAY = dt.date(2026, 11, 21)


def test_names_are_those_of_the_design() -> None:
    run = daily_run_id(DAY)
    assert run == "2026-11-21-daily"
    assert layout.config("206") == "orgs/206/config.yaml"
    assert layout.current("206") == "orgs/206/current.json"
    assert layout.lease("206") == "orgs/206/lease.json"
    assert layout.version("206", 7, run) == "orgs/206/versions/00000007-2026-11-21-daily"
    assert layout.plan("206", run) == "orgs/206/runs/2026-11-21-daily/plan.json"
    assert layout.fragment("206", run, 3) == (
        "orgs/206/runs/2026-11-21-daily/fragments/00003.parquet"
    )
    assert layout.result("206", run) == "orgs/206/runs/2026-11-21-daily/result.json"
    assert layout.rejected(DAY, "12") == "rejected/2026-11-21/12.json"
    assert manual_run_id(DAY, "12") == "2026-11-21-manual-12"
    assert change_run_id(DAY, "rates.2") == "2026-11-21-change-rates.2"


def test_a_version_folder_says_its_number_and_run() -> None:
    folder = layout.version("206", 7, "2026-11-21-daily")
    assert layout.version_and_run(folder) == (7, "2026-11-21-daily")
    assert layout.version_and_run("orgs/206/versions/notes") is None
    assert layout.version_and_run(f"{folder}/deeper") is None


@pytest.mark.parametrize(
    "org", ["", "-206", "Agency", "206/../207", "..", "a" * 64, "206\n", "2 06", "2_06", "ü"]
)
def test_an_organization_id_that_is_none_is_refused(org: str) -> None:
    with pytest.raises(RequestError, match="org_id: "):
        layout.current(org)


@pytest.mark.parametrize("run", ["", ".", "..", "a/b", "-a", ".a", "a b", "a\n", "a" * 161])
def test_a_run_id_that_is_none_is_refused(run: str) -> None:
    with pytest.raises(RequestError, match="run_id: "):
        layout.plan("206", run)
    with pytest.raises(RequestError, match="run_id: "):
        layout.version("206", 1, run)


@pytest.mark.parametrize("number", [0, -1, 100_000_000])
def test_a_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(RequestError, match="version: "):
        layout.version("206", number, "run")
    with pytest.raises(RequestError, match="shard: "):
        layout.fragment("206", "run", number or -1)


@given(st.text())
def test_a_rejected_message_has_a_name_whatever_its_id(message_id: str) -> None:
    assert check_name(layout.rejected(DAY, message_id)).startswith("rejected/2026-11-21/")


def test_only_configurations_are_edited_by_people() -> None:
    assert layout.is_edited_by_people("orgs/206/config.yaml")
    assert not layout.is_edited_by_people("orgs/206/current.json")
    assert not layout.is_edited_by_people("rejected/2026-11-21/config.yaml")
