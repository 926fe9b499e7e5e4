"""How a problem document is described in OpenAPI; `problems.py` makes them."""

from typing import Any

from services.runtime.problems import MEDIA_TYPE

FIELD_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["field", "problem"],
    "properties": {
        "field": {"type": "string", "description": "As the client wrote it, such as `turns.0.text`."},
        "problem": {"type": "string"},
    },
}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457, with `error` (a code), `details` (one sentence) and `errors` (each field).",
    "required": ["type", "title", "status", "detail", "correlation_id", "error", "details"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The request's path; not there when it could not be read."},
        "correlation_id": {"type": "string"},
        "error": {"type": "string"},
        "details": {"type": "string"},
        "errors": {"type": "array", "items": FIELD_PROBLEM},
        "retry_after": {"type": "integer", "description": "Seconds, as in `Retry-After`."},
    },
}
_REFERENCE = {"$ref": "#/components/schemas/Problem"}


def problem_answer(description: str, example: dict[str, Any] | None = None) -> dict[str, Any]:
    """One documented error of a route; the document needs `describe_problems`."""
    content: dict[str, Any] = {"schema": _REFERENCE}
    if example is not None:
        content["example"] = example
    return {"description": description, "content": {MEDIA_TYPE: content}}


def describe_problems(document: dict[str, Any]) -> None:
    """Add what the errors of a document refer to."""
    document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
