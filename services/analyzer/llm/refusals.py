"""What a provider means when it does not answer: an outage, a limit, a wrong setting, or this very request.

Pure. Sources of the oddities: xAI answers a wrong key with 400, missing credit with 429 or 403, a content check
with 403, and `error` may be a plain string. The provider's words decide the class but are never repeated: they
may quote a conversation, or the key.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

from services.analyzer.engine import (
    AnswerTruncated,
    AnswerUnusable,
    EngineError,
    EngineLimited,
    EngineMisconfigured,
    EngineUnavailable,
)
from services.analyzer.llm.headers import hold_seconds_of

JSON_SCHEMA = "json_schema"
JSON_OBJECT = "json_object"
REASONING_EFFORT = "reasoning_effort"
TEMPERATURE = "temperature"
MAX_COMPLETION_TOKENS = "max_completion_tokens"


class FeatureRefused(EngineLimited):
    """The endpoint does not know an optional feature; the next call goes without it, at once."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"the endpoint refuses {feature}; calls go on without it", hold_seconds=0.0)
        self.feature = feature


class ContentRefused(AnswerUnusable):
    """The model declined to judge what one of the conversations says."""


class RequestRefused(AnswerUnusable):
    """The endpoint refuses this request and does not say what is wrong with it."""


class PromptTooLong(AnswerTruncated):
    """The request is larger than the model or the endpoint takes: send smaller batches."""


_NO_CREDIT = (
    "insufficient_quota",
    "exceeded your current quota",
    "spending limit",
    "available credits",
    "any credits",
    "out of credits",
    "purchase more credits",
    "insufficient credit",
    "insufficient balance",
)
_BAD_KEY = ("incorrect api key", "invalid api key", "invalid_api_key", "missing api key", "no api key")
_CONTENT = ("violates usage guidelines", "safety_check", "content_filter", "content_policy", "content policy")
_TOO_LONG = ("context length", "context_length", "maximum prompt length", "maximum context", "prompt is too long")
_UNKNOWN_MODEL = ("model_not_found", "model not found", "unknown model", "invalid model")
_FEATURES = {
    JSON_SCHEMA: ("response_format", "json_schema", "structured output"),
    REASONING_EFFORT: ("reasoning_effort", "reasoningeffort", "reasoning effort"),
    TEMPERATURE: ("temperature",),
    MAX_COMPLETION_TOKENS: ("max_completion_tokens",),
}
_MEANS_TRY_LATER = {408, 409, 423, 425}


def error_of(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> EngineError:
    """The error that an answer other than 200 stands for."""
    words = _words_of(body)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _MEANS_TRY_LATER:
        return EngineUnavailable(f"the endpoint answered HTTP {status}")
    if _any(_NO_CREDIT, words) or status == HTTPStatus.PAYMENT_REQUIRED:
        return EngineMisconfigured(
            f"the account has no credit left or reached its spending limit (HTTP {status}); "
            f"add credit or raise the limit: it is tried again each minute"
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return EngineLimited("the endpoint limits us (HTTP 429)", hold_seconds=hold_seconds_of(headers, now))
    if _any(_BAD_KEY, words) or status == HTTPStatus.UNAUTHORIZED:
        return EngineMisconfigured(f"the API key is refused (HTTP {status}); set XAI_API_KEY to a valid one")
    if _any(_CONTENT, words):
        return ContentRefused(f"the content of a conversation is refused (HTTP {status})")
    return _error_of_request(status, words)


def _error_of_request(status: int, words: str) -> EngineError:
    if _any(_TOO_LONG, words) or status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return PromptTooLong(f"the prompt is longer than the model takes (HTTP {status})")
    if status == HTTPStatus.FORBIDDEN:
        return EngineMisconfigured("the API key has no permission for this (HTTP 403)")
    if status == HTTPStatus.NOT_FOUND or _any(_UNKNOWN_MODEL, words):
        return EngineMisconfigured(
            f"the endpoint does not know the model or the path (HTTP {status}); "
            f"check ANALYZER_LLM_MODEL and ANALYZER_LLM_BASE_URL"
        )
    for feature, phrases in _FEATURES.items():
        if _any(phrases, words):
            return FeatureRefused(feature)
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
        return RequestRefused(f"the endpoint refuses the request (HTTP {status})")
    return EngineMisconfigured(f"the endpoint answered HTTP {status}; check ANALYZER_LLM_BASE_URL")


def _any(phrases: tuple[str, ...], words: str) -> bool:
    return any(phrase in words for phrase in phrases)


def _words_of(body: bytes) -> str:
    """All texts of an error document in lower case, wherever they stand; the body itself when it is not JSON."""
    text = body[:4_096].decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text.lower()
    members = list(document.values()) if isinstance(document, dict) else [document]
    members += [part for member in members if isinstance(member, dict) for part in member.values()]
    return " ".join(member for member in members if isinstance(member, str)).lower()
