"""Hostile bodies, headers and paths: each is refused as HTTP means it, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from almanac.intake.answers import MAX_BODY
from almanac.intake.events import EVENTS
from tests.support.intake_posts import JSON, LINES, Inlet, request, said

MARK = {"id": 1, "status": "sent"}
CLICK = {"type": "click", "contact_id": 1}
DEEP = "[" * 700 + "]" * 700


def each_of(kind: str, code: int, bodies: Sequence[object]) -> list[tuple[str, object, int]]:
    return [(kind, body, code) for body in bodies]


def each_with(
    kind: str, base: dict[str, Any], changes: Sequence[dict[str, Any]]
) -> list[tuple[str, object, int]]:
    return [(kind, base | change, 422) for change in changes]


# kind, body, code
BODIES: list[tuple[str, object, int]] = [
    # no JSON
    *each_of(
        "deliveries",
        400,
        [
            b"",
            b" \r\n",
            b"\xff\xfe{\x00}\x00",
            b'{"id": 1, "status": "sent"',
            b"{'id': 1}",
            b'{"id": 1,}',
            b"[1, 2",
            b"id=1&status=sent",
            b"<mark/>",
            b"\x00",
            b"\x1f\x8b\x08\x00",
            b'{"id": NaN, "status": "sent"}',
            b'{"id": Infinity, "status": "sent"}',
            b'{"id": -Infinity, "status": "sent"}',
            b'{"id": 1e400, "status": "sent"}',
            b'{"id": 01, "status": "sent"}',
            b'{"id": 1} {"id": 2}',
            b'{"id": ' + b"9" * 5000 + b', "status": "sent"}',
            b"[" * 100_000,
            b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
            b'"\xed\xa0\x80"',
            b'{"id": 1, "status": "\xc3\x28"}',
        ],
    ),
    # no entries
    *each_of(
        "deliveries",
        422,
        [
            [],
            {"entries": []},
            {"entries": {}},
            {"entries": None},
            {"entries": "mark"},
            {"entries": 7},
            {"entries": [[]]},
            "7",
            "null",
            "true",
            '"text"',
            [[], [[]]],
            [None],
            {},
            [{"entries": [MARK]}],
            {"entries": [{"entries": [MARK]}]},
        ],
    ),
    # events of other organizations, or that are none
    *each_with(
        "deliveries",
        {"entries": [MARK]},
        [
            {"org_id": "207"},
            {"org_id": ""},
            {"org_id": None},
            {"org_id": 206},
            {"org_id": ["206"]},
            {"org_id": "206\n"},
            {"event_id": ""},
            {"event_id": 7},
            {"event_id": "../../207/inbox/x"},
            {"event_id": "a b"},
            {"event_id": "x" * 129},
            {"event_id": "\ud800"},
            {"event_id": {"$ne": None}},
            {"replan": "yes"},
            {"replan": 1},
            {"replan": True},
            {"kind": "contacts"},
            {"__proto__": {}},
            {"received": "2020-01-01T00:00:00Z"},
        ],
    ),
    # entries that cannot be true
    *each_with(
        "deliveries",
        MARK,
        [
            {"id": "1; DROP TABLE contacts"},
            {"id": 2**63},
            {"id": -(2**63) - 1},
            {"id": 1.5},
            {"id": True},
            {"id": None},
            {"id": [1]},
            {"id": "\u0663"},
            {"status": "dispatched"},
            {"status": ""},
            {"status": None},
            {"status": ["sent"]},
            {"at": "yesterday"},
            {"at": "0000-00-00T00:00:00Z"},
            {"at": "9999-12-31T23:59:59Z"},
            {"at": {"seconds": 1}},
            {"at": 10**30},
            {"at": True},
            {"detail": "x\0y"},
            {"detail": "half \ud800"},
            {"detail": "x" * 10_001},
            {"message_id": ["m"]},
            {"contact_id": "Ada"},
            {"scheduled_send_date": "2026-02-30"},
            {"priority": "first"},
            {"metadata": {"deep": json.loads(DEEP)}},
        ],
    ),
    *each_with(
        "activity",
        CLICK,
        [
            {"type": ""},
            {"type": " "},
            {"type": None},
            {"type": "x" * 101},
            {"contact_id": None},
            {"metadata": []},
            {"metadata": json.loads(f'{{"a": {DEEP}}}')},
            {"url": {"href": "x"}},
            {"extra": 1},
        ],
    ),
    ("suppressions", {"reason": "unsubscribe"}, 422),
    ("suppressions", {"action": "delete", "email": "ada@example.com"}, 422),
    ("suppressions", {"email": ["ada@example.com"]}, 422),
    ("contacts", {"state": "NV"}, 422),
    ("contacts", {"id": 1, "state": {"$gt": ""}}, 422),
    ("contacts", {"id": 1, "state": "N\0V"}, 422),
    ("contacts", {"action": "delete", "id": 1}, 422),
    ("targets", {"contact_id": 1}, 422),
    ("targets", {"campaign_instance_id": 1}, 422),
    ("campaigns", {"type": {}, "instance": {}}, 422),
    ("campaigns", {"type": "rate_increase"}, 422),
]


def test_there_are_a_hundred_of_them() -> None:
    assert len(BODIES) >= 100
    assert {kind for kind, _, _ in BODIES} == EVENTS.keys()


def test_a_hostile_body_is_refused_and_nothing_is_written() -> None:
    inlet = Inlet()
    for kind, body, code in BODIES:
        answer = inlet.post(kind, body)
        shown = f"{kind} {body!r:.100}: {answer.body!r:.300}"
        assert answer.code == code, shown
        assert answer.content_type == "application/problem+json", shown
        document = said(answer)
        assert (document["status"], document["type"]) == (code, "about:blank"), shown
        assert 0 < len(document["detail"]) < 500, shown
        assert "Traceback" not in answer.body.decode(), shown
        for refused in document.get("refused", []):
            assert len(refused["why"]) < 500, shown
            assert "\n" not in refused["why"], shown
    assert inlet.objects() == []
    assert inlet.runs == []


def test_hostile_entries_cost_the_others_nothing() -> None:
    """The ones above that are entries, between two good ones."""
    inlet = Inlet()
    hostile = [body for kind, body, code in BODIES if kind == "deliveries" and code == 422]
    hostile = [body for body in hostile if isinstance(body, dict) and "entries" not in body]
    answer = inlet.post("deliveries", [MARK, *hostile, MARK])
    assert (answer.code, said(answer)["accepted"]) == (202, 2)
    assert [each["index"] for each in said(answer)["refused"]] == list(range(1, len(hostile) + 1))
    assert inlet.entries() == [MARK, MARK]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/", 404),
        ("/orgs/206", 404),
        ("/orgs/206/deliveries/", 404),
        ("/orgs/206/unknown", 404),
        ("/orgs//deliveries", 404),
        ("/orgs/../deliveries", 404),
        ("/orgs/%2e%2e/deliveries", 404),
        ("/orgs/206%2F..%2F207/deliveries", 404),
        ("/orgs/207/deliveries", 404),
        ("/orgs/206 /deliveries", 404),
        ("/orgs/" + "2" * 5000 + "/deliveries", 404),
        ("/orgs/\ud800/deliveries", 404),
        ("/orgs/206/inbox/x.json", 404),
        ("//orgs/206/deliveries", 404),
        ("/openapi.json", 405),
    ],
)
def test_other_paths_are_refused(path: str, code: int) -> None:
    inlet = Inlet()
    answer = inlet.ask(request(path, MARK, {"content-type": JSON}))
    assert answer.code == code
    assert inlet.objects() == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(method: str) -> None:
    inlet = Inlet()
    headers = {"content-type": JSON}
    answer = inlet.ask(request("/orgs/206/deliveries", MARK, headers, method=method))
    assert (answer.code, answer.headers["Allow"]) == (405, "POST")
    assert inlet.objects() == []


@pytest.mark.parametrize(
    ("headers", "query", "code"),
    [
        ({"content-type": ""}, "", 415),
        ({"content-type": "text/plain"}, "", 415),
        ({"content-type": "application/x-www-form-urlencoded"}, "", 415),
        ({"content-type": "multipart/form-data; boundary=x"}, "", 415),
        ({"content-encoding": "gzip"}, "", 415),
        ({"content-length": str(MAX_BODY + 1)}, "", 413),
        ({"content-length": "9" * 40}, "", 413),
        ({"idempotency-key": ""}, "", 400),
        ({"idempotency-key": "k" * 256}, "", 400),
        ({}, "replan=maybe", 400),
        ({}, "replan", 400),
        ({}, "org=207", 400),
        ({}, "replan=true&replan=true&x=1", 400),
    ],
)
def test_other_headers_and_parameters_are_refused(
    headers: Mapping[str, str], query: str, code: int
) -> None:
    inlet = Inlet()
    given: dict[str, Any] = {"content-type": JSON, **headers}
    answer = inlet.ask(request("/orgs/206/contacts", {"id": 1}, given, query))
    assert answer.code == code
    assert inlet.objects() == []


def test_a_body_of_more_than_ten_mebibytes_is_refused_and_one_of_ten_is_not() -> None:
    inlet = Inlet()
    mark = json.dumps(MARK)
    assert inlet.post("deliveries", mark + " " * (MAX_BODY - len(mark))).code == 202
    assert inlet.post("deliveries", mark + " " * (MAX_BODY - len(mark) + 1)).code == 413
    too_many = "[" + "1," * 100_000 + "1]"
    assert inlet.post("deliveries", too_many).code == 413
    assert inlet.post("deliveries", "1\n" * 100_001, content_type=LINES).code == 413
    assert len(inlet.objects()) == 1


def test_an_answer_names_a_thousand_refused_entries_and_counts_them_all() -> None:
    inlet = Inlet()
    answer = inlet.post("deliveries", [7] * 3000 + [MARK])
    document = said(answer)
    assert (document["accepted"], document["refused_count"]) == (1, 3000)
    assert len(document["refused"]) == 1000
