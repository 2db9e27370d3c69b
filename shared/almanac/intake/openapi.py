"""The description of the function `intake` as OpenAPI 3.1, made from the models of its entries."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from almanac.intake.answers import JSON, PROBLEM
from almanac.intake.body import EVENT_KEYS, LINES_TYPES
from almanac.intake.events import ENTRIES, EVENTS
from almanac.intake.openapi_examples import EXAMPLES
from almanac.names import EVENT_ID, ORG_ID

REPLANNED = tuple(
    kind for kind, event in EVENTS.items() if event.model_fields["replan"].annotation is bool
)
_REF = "#/components/schemas/{model}"
_PROBLEMS = {
    400: "The body, a header or a parameter cannot be read",
    404: "The store has no database of the organization, or there is nothing at this path",
    405: "Another method",
    409: "Another body had the same Idempotency-Key or event_id",
    413: "The body is larger than 10 MiB, or has more than 100,000 entries",
    415: "The body is neither JSON nor JSON lines, or is compressed",
    422: "No entry can be taken, or the event's own keys are wrong; nothing was taken",
    429: "Too much is in flight; try again after Retry-After seconds",
    500: "A fault of the function",
    503: "The store does not answer; send the same again, with the same Idempotency-Key",
}


@cache
def openapi() -> bytes:
    """Return the document as JSON."""
    return json.dumps(document(), indent=2).encode() + b"\n"


def document() -> dict[str, Any]:
    """Return the document as plain data."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in ENTRIES.values()], ref_template=_REF
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Almanac intake",
            "version": "1",
            "description": "What happens between two runs: marks, clicks, suppressions, contacts, "
            "targets and campaigns. An answer with 202 means that it is durable; it takes effect "
            "with the next run, and in what is due at once.",
        },
        "paths": {
            **{f"/orgs/{{org}}/{kind}": {"post": _operation(kind)} for kind in EVENTS},
            "/openapi.json": {
                "get": {
                    "operationId": "openapi",
                    "summary": "This document",
                    "responses": {"200": _content("OpenAPI 3.1", JSON, {"type": "object"})},
                }
            },
        },
        "components": {"schemas": {**schemas["$defs"], "Accepted": _ACCEPTED, "Problem": _PROBLEM}},
    }


def _operation(kind: str) -> dict[str, Any]:
    words = [line.strip() for line in (EVENTS[kind].__doc__ or "").splitlines() if line.strip()]
    parameters = [_ORG, _KEY, *([_REPLAN] if kind in REPLANNED else [])]
    return {
        "operationId": kind,
        "summary": words[0],
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": _body(kind),
                    "examples": {name: {"value": value} for name, value in EXAMPLES[kind].items()},
                },
                LINES_TYPES[0]: {
                    "schema": {"type": "string", "description": "An entry on each line."}
                },
            },
        },
        "responses": {
            "202": _content(
                "What was accepted is durable", JSON, {"$ref": _REF.format(model="Accepted")}
            ),
            **{
                str(code): _content(text, PROBLEM, {"$ref": _REF.format(model="Problem")})
                for code, text in _PROBLEMS.items()
            },
        },
    }


def _body(kind: str) -> dict[str, Any]:
    entry = {"$ref": _REF.format(model=ENTRIES[kind].__name__)}
    entries = {"type": "array", "items": entry, "minItems": 1}
    keys = {
        "event_id": {"type": "string", "pattern": f"^{EVENT_ID.pattern}$"},
        "org_id": {"type": "string", "description": "That of the path, if it is given."},
        "entries": entries,
        "replan": {"type": "boolean", "default": False},
    }
    assert tuple(keys) == EVENT_KEYS
    event = {
        "type": "object",
        "properties": keys if kind in REPLANNED else keys | {"replan": {"const": False}},
        "required": ["entries"],
        "additionalProperties": False,
    }
    return {"anyOf": [event, entries, entry]}


def _content(text: str, content_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {content_type: {"schema": schema}}}


_ORG = {
    "name": "org",
    "in": "path",
    "required": True,
    "description": "The organization.",
    "schema": {"type": "string", "pattern": f"^{ORG_ID.pattern}$"},
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A repetition with the same key is the same event, and counts once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_REPLAN = {
    "name": "replan",
    "in": "query",
    "description": "Plan the contacts that this affects at once, and not with the next run.",
    "schema": {"type": "boolean"},
}
_REFUSED = {
    "type": "array",
    "description": "The first 1,000 entries that were refused.",
    "items": {
        "type": "object",
        "properties": {
            "index": {"type": "integer", "description": "Its place in the body, from 0."},
            "why": {"type": "string"},
        },
        "required": ["index", "why"],
    },
}
_ACCEPTED = {
    "type": "object",
    "properties": {
        "accepted": {"type": "integer", "description": "Entries that were taken."},
        "event_ids": {"type": "array", "items": {"type": "string"}},
        "refused_count": {"type": "integer"},
        "refused": _REFUSED,
    },
    "required": ["accepted", "event_ids", "refused_count", "refused"],
}
_PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "refused_count": {"type": "integer"},
        "refused": _REFUSED,
    },
    "required": ["type", "title", "status", "detail"],
}
