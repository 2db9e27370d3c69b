"""The description of the function `intake` is valid, and says what the function does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from almanac.intake.events import ENTRIES, EVENTS
from almanac.intake.openapi_examples import EXAMPLES
from tests.support.intake_posts import JSON, Inlet, request, said


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as the function gives it."""
    answer = Inlet().ask(request("/openapi.json", b"", {}, method="GET"))
    assert (answer.code, answer.content_type) == (200, JSON)
    found: dict[str, Any] = json.loads(answer.body)
    return found


def described(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """A validator of a schema of the document."""
    return Draft202012Validator({**schema, "components": document["components"]})


def body_of(document: dict[str, Any], kind: str) -> Any:
    content = document["paths"][f"/orgs/{{org}}/{kind}"]["post"]["requestBody"]["content"]
    return described(document, content[JSON]["schema"])


def answer_of(document: dict[str, Any], kind: str, code: int) -> Any:
    responses = document["paths"][f"/orgs/{{org}}/{kind}"]["post"]["responses"]
    ((_, content),) = responses[str(code)]["content"].items()
    return described(document, content["schema"])


def test_it_is_openapi(document: dict[str, Any]) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_it_has_every_kind_with_the_fields_of_its_entries(document: dict[str, Any]) -> None:
    paths = {f"/orgs/{{org}}/{kind}" for kind in EVENTS}
    assert document["paths"].keys() == paths | {"/openapi.json"}
    for model in ENTRIES.values():
        schema = document["components"]["schemas"][model.__name__]
        assert schema["properties"].keys() == model.model_fields.keys()


@pytest.mark.parametrize("kind", EVENTS)
def test_every_example_is_described_and_accepted(kind: str, document: dict[str, Any]) -> None:
    post = document["paths"][f"/orgs/{{org}}/{kind}"]["post"]
    examples = post["requestBody"]["content"][JSON]["examples"]
    assert {name: each["value"] for name, each in examples.items()} == EXAMPLES[kind]
    inlet = Inlet()
    for example in EXAMPLES[kind].values():
        assert list(body_of(document, kind).iter_errors(example)) == []
        answer = inlet.post(kind, example)
        assert (answer.code, said(answer)["refused"]) == (202, [])
        assert list(answer_of(document, kind, 202).iter_errors(said(answer))) == []


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("deliveries", b"{", 400),
        ("deliveries", {"entries": [{"id": 1, "status": "sent"}], "replan": True}, 422),
        ("deliveries", [{"id": 1, "status": "dispatched"}], 422),
        ("activity", {"type": "click", "contact_id": 1, "more": 1}, 422),
        ("suppressions", {"entries": []}, 422),
        ("contacts", {"id": 1, "state": []}, 422),
        ("campaigns", {"type": 7}, 422),
    ],
)
def test_what_is_refused_is_not_described_and_the_refusal_is(
    kind: str, body: Any, code: int, document: dict[str, Any]
) -> None:
    answer = Inlet().post(kind, body)
    assert answer.code == code
    assert list(answer_of(document, kind, code).iter_errors(said(answer))) == []
    if not isinstance(body, bytes):
        assert list(body_of(document, kind).iter_errors(body)) != []
