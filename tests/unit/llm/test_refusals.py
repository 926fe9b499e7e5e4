"""What a provider's refusal means."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.engine import EngineError, EngineLimited, EngineMisconfigured, EngineUnavailable
from services.analyzer.llm.refusals import (
    JSON_SCHEMA,
    REASONING_EFFORT,
    ContentRefused,
    FeatureRefused,
    PromptTooLong,
    RequestRefused,
    error_of,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def error(status: int, document: Any = None, headers: dict[str, str] | None = None) -> EngineError:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return error_of(status, headers or {}, body, NOW)


@pytest.mark.parametrize(
    ("status", "document", "kind"),
    [
        (500, {}, EngineUnavailable),
        (503, b"<html>", EngineUnavailable),
        (529, {"error": {"type": "overloaded_error"}}, EngineUnavailable),
        (408, {}, EngineUnavailable),
        (429, {"error": "Too many requests for team T and model M."}, EngineLimited),
        (429, {"error": {"message": "Rate limit reached; add a payment method to your billing."}}, EngineLimited),
        (429, {"error": "Your team has used all available credits or reached its limit."}, EngineMisconfigured),
        (429, {"error": {"message": "x", "code": "insufficient_quota"}}, EngineMisconfigured),
        (403, {"code": "denied", "error": "You have run out of credits or need a subscription."}, EngineMisconfigured),
        (402, {}, EngineMisconfigured),
        (401, {}, EngineMisconfigured),
        (400, {"code": "c", "error": "Incorrect API key provided: xa***yz."}, EngineMisconfigured),
        (403, {"error": "No access."}, EngineMisconfigured),
        (404, {"error": "The model grok-9 does not exist."}, EngineMisconfigured),
        (400, {"error": {"message": "Model not found: grok-9"}}, EngineMisconfigured),
        (405, {}, EngineMisconfigured),
        (301, b"", EngineMisconfigured),
        (403, {"error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"}, ContentRefused),
        (400, {"error": {"code": "content_filter"}}, ContentRefused),
        (400, {"error": {"code": "context_length_exceeded"}}, PromptTooLong),
        (413, b"", PromptTooLong),
        (400, {"error": {"message": "something is wrong"}}, RequestRefused),
        (422, [], RequestRefused),
        (400, b"\xff\xfe", RequestRefused),
        (400, b"[" * 10_000, RequestRefused),
    ],
)
def test_an_answer_means(status: int, document: Any, kind: type[EngineError]) -> None:
    assert type(error(status, document)) is kind


@pytest.mark.parametrize(
    ("words", "feature"),
    [
        ("response_format.json_schema is unsupported", JSON_SCHEMA),
        ("Argument not supported on this model: reasoningEffort", REASONING_EFFORT),
    ],
)
def test_a_refused_feature_is_named_and_costs_no_hold(words: str, feature: str) -> None:
    refused = error(400, {"error": words})

    assert isinstance(refused, FeatureRefused)
    assert (refused.feature, refused.hold_seconds) == (feature, 0)


def test_a_limit_says_how_long() -> None:
    limited = error(429, {}, {"retry-after": "17"})

    assert isinstance(limited, EngineLimited)
    assert limited.hold_seconds == 17


@given(st.integers(300, 599), st.binary(max_size=200), st.text(min_size=8, max_size=50))
def test_no_words_of_the_provider_are_repeated(status: int, body: bytes, quoted: str) -> None:
    # The marker cannot be part of our own sentences by chance.
    marker = f"zq{quoted}qz"
    for document in (body + marker.encode("utf-8", "replace"), json.dumps({"error": marker}).encode()):
        refused = error_of(status, {}, document, NOW)
        assert isinstance(refused, EngineError)
        assert marker not in refused.reason


def test_missing_credit_is_named_with_what_helps() -> None:
    reason = error(402).reason
    assert "add credit" in reason
    assert "tried again each minute" in reason
