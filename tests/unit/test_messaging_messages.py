"""What messages may say, and how they are refused."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.errors import RequestError
from almanac.messaging.messages import (
    CampaignChange,
    Message,
    RunRequest,
    ShardDone,
    ShardTask,
    parse,
    to_json,
)
from almanac.messaging.topics import Topics

TASK = {"org_id": "206", "run_id": "2026-11-21-daily", "shard": 3, "first_id": 1, "last_id": 9}
DONE = {"org_id": "206", "run_id": "2026-11-21-daily", "shard": 3}
CHANGE = {
    "event_id": "e-1",
    "org_id": "206",
    "campaign_instance_id": 7,
    "changes": {"active_end_date": "2026-12-31"},
    "changed_by": "ann",
}


def parsed(model: type[Message], **keys: Any) -> Any:
    return parse(model, json.dumps(keys).encode())


@pytest.mark.parametrize("data", [b"{}", b"", b" { } "])
def test_an_empty_message_is_the_daily_request_for_all(data: bytes) -> None:
    request = parse(RunRequest, data)
    assert request == RunRequest()
    assert (request.org_id, request.as_of, request.reason) == (None, None, "daily")
    assert request.force is False


def test_a_full_request() -> None:
    request = parsed(
        RunRequest,
        org_id="206",
        as_of="2026-11-21",
        requested_at="2026-11-21T10:00:00Z",
        reason="manual",
        force=True,
    )
    assert request.as_of == dt.date(2026, 11, 21)
    assert request.requested_at == dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)
    assert (request.org_id, request.reason, request.force) == ("206", "manual", True)


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        (RunRequest, {}),
        (RunRequest, {"org_id": "206", "as_of": "2026-11-21", "reason": "manual"}),
        (RunRequest, {"requested_at": "2026-11-21T10:00:00+01:00"}),
        (ShardTask, TASK),
        (ShardTask, TASK | {"first_id": -(2**63), "last_id": 2**63 - 1}),
        (ShardDone, DONE),
        (CampaignChange, CHANGE),
        (CampaignChange, CHANGE | {"changes": {}}),
        (CampaignChange, CHANGE | {"changes": {"sms_template": None, "target_states": "CA,NY"}}),
    ],
)
def test_a_message_comes_back_as_it_was_sent(model: type[Message], keys: dict[str, Any]) -> None:
    message = parsed(model, **keys)
    assert parse(model, to_json(message)) == message
    assert to_json(parse(model, to_json(message))) == to_json(message)


@pytest.mark.parametrize(
    ("model", "keys", "reason"),
    [
        (RunRequest, {"org": "206"}, r"RunRequest\.org: unknown key"),
        (RunRequest, {"org_id": 206}, r"RunRequest\.org_id: 206 is not text"),
        (RunRequest, {"org_id": "../206"}, r"RunRequest\.org_id: '../206' does not match"),
        (RunRequest, {"as_of": "2026-02-30"}, r"as_of: '2026-02-30' is not a date YYYY-MM-DD"),
        (RunRequest, {"as_of": "20261121"}, r"as_of: '20261121' is not a date"),
        (RunRequest, {"as_of": "2026-11-21T00:00:00"}, r"as_of: .* is not a date"),
        (RunRequest, {"as_of": 20260}, r"RunRequest\.as_of: 20260"),
        (
            RunRequest,
            {"requested_at": "2026-11-21T10:00:00"},
            r"requested_at: .*a time with a zone",
        ),
        (
            RunRequest,
            {"reason": "weekly"},
            r"reason: 'weekly' is not 'daily', 'manual', 'replan', 'check' or 'deadline'",
        ),
        (RunRequest, {"force": "yes"}, r"force: 'yes' is not true or false"),
        (RunRequest, {"force": 1}, r"force: 1 is not true or false"),
        (ShardTask, DONE, r"ShardTask\.first_id: is missing"),
        (ShardTask, TASK | {"shard": -1}, r"shard: -1 is not 0 or more"),
        (ShardTask, TASK | {"first_id": 10}, r"first_id: 10 is after last_id: 9"),
        (ShardTask, TASK | {"last_id": 2**63}, r"last_id: 9223372036854775808"),
        (ShardTask, TASK | {"last_id": 9.0}, r"last_id: 9\.0 is not a whole number"),
        (ShardDone, DONE | {"run_id": "a/b"}, r"run_id: 'a/b' does not match"),
        (CampaignChange, CHANGE | {"event_id": "../x"}, r"event_id: '../x' does not match"),
        (CampaignChange, CHANGE | {"event_id": ""}, r"event_id: '' does not match"),
        (CampaignChange, CHANGE | {"org_id": None}, r"CampaignChange\.org_id: None"),
        (CampaignChange, CHANGE | {"campaign_instance_id": "7"}, r"campaign_instance_id: '7'"),
        (CampaignChange, CHANGE | {"changed_by": "a\0"}, r"changed_by: text with a NUL"),
    ],
)
def test_a_refusal_names_the_key(model: type[Message], keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        parsed(model, **keys)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"instance_name": "x"}, "'instance_name' is not a field that can be changed"),
        ({"id": "1"}, "'id' is not a field"),
        ({"active_end_date": "2026-02-30"}, "active_end_date: '2026-02-30' is not a date"),
        ({"spread_start_date": "06/15/2026"}, "spread_start_date: '06/15/2026' is not a date"),
        ({"active_start_date": ""}, "active_start_date: '' is not a date"),
        ({"active_start_date": 20261231}, "active_start_date: 20261231 is neither text nor null"),
        ({"target_states": ["CA"]}, "target_states: ['CA'] is neither text nor null"),
        ({"email_template": "a\0b"}, "email_template: text with a NUL character"),
        ({"metadata": "{"}, "metadata: '{' is not a JSON object"),
        ({"metadata": "[]"}, "metadata: '[]' is not a JSON object"),
        ({"metadata": 5}, "metadata: 5 is neither text nor null"),
        ([], "[] is not an object of fields"),
        (None, "None is not an object of fields"),
    ],
)
def test_a_change_names_the_field_that_it_cannot_set(changes: object, reason: str) -> None:
    with pytest.raises(RequestError, match=re.escape(reason)):
        parsed(CampaignChange, **CHANGE | {"changes": changes})


def test_a_change_may_clear_fields_and_set_metadata_as_text_or_object() -> None:
    change = parsed(
        CampaignChange,
        **CHANGE | {"changes": {"active_end_date": None, "metadata": {"priority": 1, "ä": [None]}}},
    )
    assert change.changes == {"active_end_date": None, "metadata": '{"priority": 1, "ä": [null]}'}
    for metadata in (None, "", ' {"priority": 1}'):
        changed = parsed(CampaignChange, **CHANGE | {"changes": {"metadata": metadata}})
        assert changed.changes == {"metadata": metadata}
    assert parsed(CampaignChange, **CHANGE | {"changes": {}}).changes == {}


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff",
        b'{"org_id": "\\ud800"}',
        b'{"org_id": "206"} {}',
        b"[" * 100_000,
        b'{"changes": {"metadata": ' + b'{"a":' * 100_000,
        b'{"event_id": "' + b"x" * 1_000_000 + b'"}',
        json.dumps(CHANGE | {"changes": {"metadata": '{"a":' * 100_000}}).encode(),
        json.dumps(CHANGE | {"x\n" * 100_000: 1}).encode(),
        json.dumps(CHANGE | {"changes": {"metadata": {"a": float("nan")}}}).encode(),
    ],
)
@pytest.mark.parametrize("model", [RunRequest, ShardTask, ShardDone, CampaignChange])
def test_whatever_is_no_message_is_refused_in_one_short_line(
    model: type[Message], data: bytes
) -> None:
    with pytest.raises(RequestError) as refusal:
        parse(model, data)
    assert str(refusal.value).startswith(model.__name__)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 500


@given(st.binary())
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for model in (ShardTask, ShardDone, CampaignChange):
        with pytest.raises(RequestError):
            parse(model, data)


def test_topics_carry_the_prefix() -> None:
    topics = Topics("test-")
    assert topics.run_requests == "test-run-requests"
    assert topics.shard_tasks == "test-shard-tasks"
    assert topics.shard_results == "test-shard-results"
    assert topics.campaign_changes == "test-campaign-changes"
    assert topics.dead_letters == "test-dead-letters"
    assert Topics().run_requests == "run-requests"
