"""`almanac request`: what is published, and the id of the run that comes of it."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest

from almanac.messaging.messages import CampaignChange, RunRequest, parse
from almanac.storage import layout
from almanac.storage.folder import FolderStore
from tests.support.cli_calls import Recorder, almanac, record_requests

CHANGE = ("change", "--org", "206", "--instance", 7)


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setenv("ALMANAC_TOPIC_PREFIX", "test-")
    monkeypatch.delenv("ALMANAC_STORE", raising=False)
    return record_requests(monkeypatch)


def told(*arguments: object) -> dict[str, Any]:
    """What the command says in JSON."""
    answer = almanac("request", *arguments, "--json")
    assert (answer.code, answer.err) == (0, "")
    found: dict[str, Any] = json.loads(answer.out)
    return found


def test_a_run_is_asked_for_under_an_id_that_is_known_beforehand(bus: Recorder) -> None:
    answer = told("run", "--org", "206", "--as-of", "2026-11-21", "--force")
    ((topic, data, attributes),) = bus.published
    assert topic == "test-run-requests"
    expected = RunRequest(org_id="206", as_of=dt.date(2026, 11, 21), reason="manual", force=True)
    assert parse(RunRequest, data) == expected
    assert answer["run_id"] == f"2026-11-21-manual-{attributes['request_id']}"
    assert answer["message"]["as_of"] == "2026-11-21"
    assert dt.datetime.fromisoformat(attributes["requested_at"]).tzinfo is not None


def test_a_daily_run_has_the_id_of_its_day(bus: Recorder) -> None:
    answer = told("run", "--as-of", "2026-11-21", "--reason", "daily")
    assert parse(RunRequest, bus.published[0][1]).org_id is None
    assert answer["run_id"] == "2026-11-21-daily"


def test_the_day_of_a_run_is_that_of_the_organizations_zone_where_it_is_known(
    bus: Recorder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ("run", "--org", "206", "--reason", "daily")
    assert told(*arguments)["run_id"] is None
    monkeypatch.setenv("ALMANAC_STORE", str(tmp_path))
    zone = b"timezone: Pacific/Kiritimati"
    FolderStore(tmp_path).write(layout.config("206"), zone, if_generation=0)
    run_id = told(*arguments)["run_id"]
    there = dt.datetime.fromisoformat(bus.published[1][2]["requested_at"]) + dt.timedelta(hours=14)
    assert run_id == f"{there.date()}-daily"


def test_a_change_is_published_field_by_field(bus: Recorder) -> None:
    settings = ["active_end_date=2026-12-31", "target_states=", 'metadata={"a": "b=c"}']
    given = [word for each in settings for word in ("--set", each)]
    answer = told(*CHANGE, *given, "--event-id", "event-1", "--changed-by", "ann")
    ((topic, data, _),) = bus.published
    assert topic == "test-campaign-changes"
    assert parse(CampaignChange, data) == CampaignChange(
        event_id="event-1",
        org_id="206",
        campaign_instance_id=7,
        changes={
            "active_end_date": "2026-12-31",
            "target_states": None,
            "metadata": '{"a": "b=c"}',
        },
        changed_by="ann",
    )
    assert answer["message"]["event_id"] == "event-1"


def test_every_change_without_an_event_id_gets_one_of_its_own(bus: Recorder) -> None:
    for _ in range(2):
        assert almanac("request", *CHANGE).code == 0
    events = {parse(CampaignChange, data).event_id for _, data, _ in bus.published}
    assert len(events) == 2


def test_a_change_that_is_asked_for_again_is_another_request(bus: Recorder) -> None:
    for _ in range(2):
        assert almanac("request", *CHANGE, "--event-id", "event-1").code == 0
    requests = {attributes["request_id"] for _, _, attributes in bus.published}
    assert len(requests) == 2  # so that a change which failed is tried once more


def test_the_text_shows_the_message_and_its_run(bus: Recorder) -> None:
    arguments = ("--org", "206", "--as-of", "2026-11-21", "--reason", "daily")
    out = almanac("request", "run", *arguments).out
    assert '"org_id":"206"' in re.sub(r"\s", "", out)
    assert "2026-11-21-daily" in out


MISTAKES = [
    (["run", "--org", "No"], "org_id"),
    (["run", "--as-of", "2026-02-30"], "--as-of"),
    (["run", "--as-of", "tomorrow"], "--as-of: a day by today"),
    (["run", "--reason", "weekly"], "reason"),
    (["run", "--org", "206"], "ALMANAC_PROJECT: is not set"),
    (["change", "--org", "206"], "--instance"),
    (["change", "--org", "206", "--instance", "x"], "--instance"),
    (["change", "--org", "206", "--instance", "7", "--set", "active"], "is not FIELD=VALUE"),
    (["change", "--org", "206", "--instance", "7", "--set", "colour=red"], "not a field that can"),
    (["change", "--org", "206", "--instance", "7", "--set", "active_end_date=soon"], "soon"),
    (["change", "--org", "206", "--instance", "7", "--event-id", "../x"], "event_id"),
    (
        "change --org 206 --instance 7 --set metadata={} --set metadata={}".split(),
        "given twice",
    ),
    (["frob"], "frob"),
]


@pytest.mark.parametrize(("arguments", "named"), MISTAKES, ids=[" ".join(a) for a, _ in MISTAKES])
def test_a_mistake_is_named_in_one_line(
    arguments: list[str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALMANAC_STORE", raising=False)
    monkeypatch.delenv("ALMANAC_PROJECT", raising=False)
    answer = almanac("request", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("Error: ")
    assert answer.err.count("\n") == 1
    assert named in answer.err
