"""The HTTP answers of Chat Completions, as providers word them: completions, usage, errors and headers."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from undertone.simulator.conduct import Conduct, Fault, FaultKind
from undertone.simulator.statistics import Statistics

_BYTES_PER_TOKEN = 4
_TICKS_PER_TOKEN = {"fresh": 12_500, "cached": 2_000, "output": 25_000}
"""List prices of grok-4.3 in 1e-10 US dollars: $1.25, $0.20 and $2.50 a million."""
_USD_PER_TICK = 1e-10


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer that is ready to be sent."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


_ERRORS: dict[FaultKind, tuple[int, dict[str, Any]]] = {
    FaultKind.NO_CREDIT: (
        429,
        {
            "code": "Some resource has been exhausted",
            "error": "Your team has either used all available credits or reached its monthly spending limit.",
        },
    ),
    FaultKind.BAD_KEY: (
        400,
        {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***ey."},
    ),
    FaultKind.UNKNOWN_MODEL: (
        404,
        {"code": "Some requested entity was not found", "error": "The model does not exist or you lack access to it."},
    ),
    FaultKind.CONTENT_REFUSED: (
        403,
        {
            "code": "The caller does not have permission to execute the specified operation",
            "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO",
        },
    ),
    FaultKind.PROMPT_TOO_LONG: (
        400,
        {"error": {"message": "This model's maximum prompt length is 131072.", "code": "context_length_exceeded"}},
    ),
    FaultKind.REQUEST_REFUSED: (400, {"error": {"message": "Invalid request.", "type": "invalid_request_error"}}),
    FaultKind.SCHEMA_REFUSED: (
        400,
        {"error": {"message": "response_format of type json_schema is not supported by this model."}},
    ),
    FaultKind.FORMAT_REFUSED: (400, {"error": {"message": "response_format is not supported."}}),
    FaultKind.TEMPERATURE_REFUSED: (
        400,
        {"error": {"message": "Unsupported value: 'temperature' does not support 0."}},
    ),
    FaultKind.SIZE_REFUSED: (400, {"error": {"message": "Unrecognized argument: max_completion_tokens."}}),
    FaultKind.EFFORT_REFUSED: (400, {"error": "Argument not supported on this model: reasoning_effort"}),
}
_CONDITIONAL = {
    FaultKind.SCHEMA_REFUSED: "json_schema",
    FaultKind.FORMAT_REFUSED: "response_format",
    FaultKind.EFFORT_REFUSED: "reasoning_effort",
    FaultKind.TEMPERATURE_REFUSED: "temperature",
    FaultKind.SIZE_REFUSED: "max_completion_tokens",
}
"""Faults that strike only a request in which this word stands."""


def error_reply(fault: Fault, request: Mapping[str, Any]) -> Reply | None:
    """The answer in place of a completion; None when the fault is of another sort, or does not fit the request."""
    if fault.kind is FaultKind.RATE_LIMITED:
        return limited(fault.retry_after_seconds, as_date=fault.as_date)
    if fault.kind is FaultKind.SERVER_ERROR:
        return Reply(fault.status, _json({"error": "The service is overloaded."}), _retry_after(fault))
    if fault.kind not in _ERRORS:
        return None
    word = _CONDITIONAL.get(fault.kind)
    is_asked_for = word in request or word == (request.get("response_format") or {}).get("type")
    if word is not None and not is_asked_for:
        return None
    status, document = _ERRORS[fault.kind]
    return Reply(status, _json(document))


def limited(retry_after_seconds: float | None, *, as_date: bool = False) -> Reply:
    """A 429."""
    document = {"code": "Some resource has been exhausted", "error": "Too many requests for your team's rate limit."}
    fault = Fault(kind=FaultKind.RATE_LIMITED, retry_after_seconds=retry_after_seconds, as_date=as_date)
    return Reply(429, _json(document), _retry_after(fault))


def refused(kind: FaultKind) -> Reply:
    """The answer to a wrong key, an unknown model or a request that is none."""
    status, document = _ERRORS[kind]
    return Reply(status, _json(document))


def completion_reply(text: str, usage: Mapping[str, Any], *, call: int, model: str, fault: Fault | None) -> Reply:
    """A completion, or what `not_json` and the like make of it."""
    kind = fault.kind if fault else None
    if kind is FaultKind.NOT_JSON:
        return Reply(200, b"<html><body>Please sign in to the network.</body></html>", {"content-type": "text/html"})
    if kind is FaultKind.HUGE:
        text = "x" * (2 * 1024 * 1024)
    is_declined = kind is FaultKind.DECLINED
    message = {
        "role": "assistant",
        "content": None if is_declined else text,
        "refusal": "I cannot help with that." if is_declined else None,
    }
    reason = "length" if kind is FaultKind.TRUNCATED else "stop"
    document = {
        "id": f"chatcmpl-{call:08d}",
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": usage,
    }
    headers = {"content-encoding": "gzip"} if kind is FaultKind.COMPRESSED else {}
    return Reply(200, _json(document), headers)


def usage_of(instructions: str, prompt: str, completion: str, *, is_cached: bool) -> dict[str, Any]:
    """The `usage` of a call; equal instructions are served from the cache from the second call on."""
    fixed = tokens_of(instructions)
    given, taken = fixed + tokens_of(prompt), tokens_of(completion)
    return {
        "prompt_tokens": given,
        "completion_tokens": taken,
        "total_tokens": given + taken,
        "prompt_tokens_details": {"text_tokens": given, "cached_tokens": fixed if is_cached else 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def cost_ticks_of(usage: Mapping[str, Any]) -> int:
    """What the call costs, in 1e-10 US dollars."""
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    fresh = usage["prompt_tokens"] - cached
    return int(
        fresh * _TICKS_PER_TOKEN["fresh"]
        + cached * _TICKS_PER_TOKEN["cached"]
        + usage["completion_tokens"] * _TICKS_PER_TOKEN["output"]
    )


def usd_of(ticks: int) -> float:
    """The same in US dollars."""
    return ticks * _USD_PER_TICK


def tokens_of(text: str) -> int:
    """Four bytes a token."""
    return math.ceil(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)


def limit_headers(conduct: Conduct, statistics: Statistics) -> dict[str, str]:
    """The x-ratelimit-… headers for the limits that are set."""
    headers: dict[str, str] = {}
    if conduct.calls_per_second is not None:
        left = int(conduct.calls_per_second) - statistics.granted_in_last_second()
        headers["x-ratelimit-limit-requests"] = str(int(conduct.calls_per_second))
        headers["x-ratelimit-remaining-requests"] = str(max(0, left))
        headers["x-ratelimit-reset-requests"] = "1s"
    if conduct.tokens_per_minute is not None:
        left = int(conduct.tokens_per_minute) - statistics.tokens_in_last_minute()
        headers["x-ratelimit-limit-tokens"] = str(int(conduct.tokens_per_minute))
        headers["x-ratelimit-remaining-tokens"] = str(max(0, left))
        headers["x-ratelimit-reset-tokens"] = "1m0s"
    return headers


def _retry_after(fault: Fault) -> dict[str, str]:
    if fault.retry_after_seconds is None:
        return {}
    if fault.as_date:
        moment = datetime.now(UTC) + timedelta(seconds=fault.retry_after_seconds)
        return {"retry-after": format_datetime(moment, usegmt=True)}
    return {"retry-after": f"{math.ceil(fault.retry_after_seconds)}"}


def _json(document: Any) -> bytes:
    # ASCII: lone surrogates, which a model may well write, pass only as escapes.
    return json.dumps(document).encode()
