"""How the two routes that take conversations are described: bodies, examples, and every answer."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from services.ingress.posted import PostedConversation, PostedExternalText, PostedSingleText
from services.ingress.reading import MAX_CONVERSATIONS
from services.runtime.problem_schema import FIELD_PROBLEM, describe_problems, problem_answer
from services.runtime.problems import FieldProblem, Problem

_REF = "#/components/schemas/{model}"
_SHAPES = (PostedConversation, PostedSingleText, PostedExternalText)

_CONVERSATION = {
    "conversation_id": "order-4711",
    "turns": [
        {"role": "customer", "text": "My parcel is late again.", "at": "2026-01-31T12:00:00Z"},
        {"role": "agent", "text": "I am sorry. It arrives tomorrow."},
    ],
    "channel": "chat",
}
_SINGLE = {"text": "The refund came within a day, thank you!", "author": "kim"}
_EXTERNAL = {"external_id": "tweet-20", "text": "Why is nobody answering?", "raw": {"lang": "en"}}
_EXAMPLES = {
    "conversation": {"summary": "A conversation with its turns", "value": _CONVERSATION},
    "text": {"summary": "One text", "value": _SINGLE},
    "external": {"summary": "One text under your own id", "value": _EXTERNAL},
}
_ONE = {"anyOf": [{"$ref": _REF.format(model=shape.__name__)} for shape in _SHAPES]}
_MANY = {"type": "array", "items": _ONE, "minItems": 1, "maxItems": MAX_CONVERSATIONS}

BODY_OF_ONE = {"required": True, "content": {"application/json": {"schema": _ONE, "examples": _EXAMPLES}}}
BODY_OF_MANY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": _MANY,
            "examples": {"array": {"summary": "A JSON array", "value": [_CONVERSATION, _SINGLE]}},
        },
        "application/x-ndjson": {
            "schema": {"type": "string", "format": "ndjson", "description": "One conversation a line."},
            "examples": {"lines": {"summary": "One a line", "value": '{"text": "Great!"}\n{"text": "Never again."}\n'}},
        },
    },
}
PARAMETERS = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Ids are made from it for conversations without one: the same request, the same ids.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    },
]

_ACCEPTED = {
    "type": "object",
    "required": ["status", "conversation_id", "message"],
    "properties": {
        "status": {"const": "accepted"},
        "conversation_id": {"type": "string"},
        "message": {"type": "string"},
    },
}
_RESULT = {
    "type": "object",
    "required": ["index", "status"],
    "properties": {
        "index": {"type": "integer"},
        "status": {"enum": ["accepted", "rejected", "unknown"]},
        "conversation_id": {"type": "string"},
        "error": {
            "type": "object",
            "required": ["error", "details"],
            "properties": {
                "error": {"type": "string"},
                "details": {"type": "string"},
                "errors": {"type": "array", "items": FIELD_PROBLEM},
            },
        },
    },
}
_BULK = {
    "type": "object",
    "required": ["ingested", "enqueued", "rejected", "results"],
    "properties": {
        "ingested": {"type": "integer", "description": "Conversations that could be read."},
        "enqueued": {"type": "integer", "description": "Those that Kafka acknowledged."},
        "rejected": {"type": "integer"},
        "results": {"type": "array", "items": _RESULT},
    },
}
_WORDS = {
    400: ("It is no conversation, or not as it must be; every problem is named.", "Missing required field: text"),
    401: ("A key is needed, or the one shown is not known.", "This API key is not known here."),
    403: ("The key may not do this.", "This needs a key with the scope `ingest`."),
    408: ("The request did not arrive in time.", "The request did not arrive in time; send it again."),
    413: ("The body is too large.", "A body has at most 1,048,576 bytes; send less at once"),
    415: ("The body is of another type, or compressed.", "Send the body as application/json, in UTF-8"),
    429: ("Too many requests; `Retry-After` says when to come back.", "More than 100 requests in 1 s"),
    503: (
        "Kafka did not acknowledge in time: unknown. Repeat it with the same id.",
        "Kafka did not acknowledge in time",
    ),
}
_CODES = {
    400: "invalid_schema",
    401: "unauthenticated",
    403: "forbidden",
    408: "request_timeout",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "rate_limit_exceeded",
    503: "kafka_unavailable",
}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _answer(description: str, schema: dict[str, Any], headers: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}, "headers": headers}


def _problems() -> dict[int | str, dict[str, Any]]:
    answers: dict[int | str, dict[str, Any]] = {}
    for status, (description, details) in _WORDS.items():
        answers[status] = problem_answer(description, _example(status, details))
        if status in {429, 503}:
            answers[status]["headers"] = {"Retry-After": _header("Seconds to wait.")}
    return answers


def _example(status: int, details: str) -> dict[str, Any]:
    errors = [FieldProblem("text", "is required")] if status == 400 else []
    retry_after = 2 if status in {429, 503} else None
    problem = Problem(status, _CODES[status], details, errors=errors, retry_after=retry_after)
    return problem.document(instance="/api/v1/conversations", correlation="9f86d081884c7d659a2feaa0c55ad015")


_CORRELATION = {"X-Correlation-Id": _header("The id that follows this request through Kafka and the logs.")}
RESPONSES_OF_ONE: dict[int | str, dict[str, Any]] = {
    202: _answer(
        "Kafka has it.", _ACCEPTED, {"Location": _header("Where the read API shows the conversation."), **_CORRELATION}
    ),
    **_problems(),
}
RESPONSES_OF_MANY: dict[int | str, dict[str, Any]] = {
    202: _answer("Kafka has some of them or all; each has its result.", _BULK, _CORRELATION),
    **_problems(),
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _, definitions = models_json_schema([(shape, "validation") for shape in _SHAPES], ref_template=_REF)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas |= definitions["$defs"]
        describe_problems(document)
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        app.openapi_schema = document
    return app.openapi_schema
