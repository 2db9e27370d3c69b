"""How long a change waited is logged once, when it is planned or has failed for good."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import pytest

from almanac.logs import configure
from almanac.runs.results import CHANGE_ENDED, RunResult, record_result
from almanac.storage.memory import MemoryStore

ASKED = dt.datetime(2027, 3, 2, 12, 0, tzinfo=dt.UTC)


def logged(*results: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of a store in which these ends are recorded, nine minutes after the request."""
    stream, store = io.StringIO(), MemoryStore()
    configure("INFO", stream)
    given = {"org_id": "1", "run_id": "2027-03-02-change-e1", "requested_at": ASKED}
    given["finished_at"] = ASKED + dt.timedelta(minutes=9)
    try:
        for each in results:
            record_result(store, RunResult.model_validate(given | each))
    finally:
        configure(None)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("state", ["committed", "failed"])
def test_a_change_that_has_ended_says_how_long_it_waited(state: str) -> None:
    later = {"state": state, "finished_at": ASKED + dt.timedelta(minutes=11)}
    (line,) = logged({"state": state}, later)
    assert line["message"] == CHANGE_ENDED
    assert (line["state"], line["waited_seconds"], line["org_id"]) == (state, 540.0, "1")


@pytest.mark.parametrize(
    "result",
    [
        {"state": "superseded"},
        {"state": "failed", "again": True},
        {"state": "rejected"},
        {"state": "committed", "run_id": "2027-03-02-daily"},
        {"state": "committed", "requested_at": None},  # by an older release
    ],
)
def test_what_goes_on_or_is_no_change_is_not_counted(result: dict[str, Any]) -> None:
    assert logged(result) == []
