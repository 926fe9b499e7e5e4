"""Speaking Chat Completions: one pooled HTTP client, one deadline a call, and a bounded answer.

A call either gives a `Completion` or raises an `EngineError` that says what it was. Cancelling a call closes its
connection. The key goes into one header and nowhere else.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from services.analyzer.engine import (
    AnswerUnusable,
    EngineError,
    EngineMisconfigured,
    EngineUnavailable,
    Usage,
)
from services.analyzer.http_client import HttpClient
from services.analyzer.llm.connections import Connections, Trace, is_loopback
from services.analyzer.llm.headers import RateLimits, rate_limits_of
from services.analyzer.llm.options import LlmOptions
from services.analyzer.llm.pricing import usage_of
from services.analyzer.llm.prompt import THINKING_TOKENS, Prompt
from services.analyzer.llm.refusals import (
    JSON_OBJECT,
    JSON_SCHEMA,
    MAX_COMPLETION_TOKENS,
    REASONING_EFFORT,
    TEMPERATURE,
    ContentRefused,
    FeatureRefused,
    RequestRefused,
    error_of,
)
from services.analyzer.llm.schema import JSON_OBJECT_FORMAT, JSON_SCHEMA_FORMAT
from services.runtime.garbage import collection_postponed
from services.runtime.logs import get_logger

MAX_ANSWER_BYTES = 1024 * 1024
_CONNECT_SECONDS = 10.0
_KEEP_ALIVE_SECONDS = 300.0
"""Longer than httpx's 5 s: a new TLS handshake in the middle would shift calls against their pace."""
_REFUSALS_IN_A_ROW = 20
"""More refused requests than any search needs to find a bad conversation: then it is not the conversations."""

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back, unjudged."""

    text: str
    is_cut_off: bool
    """The model ran out of tokens."""
    usage: Usage


@dataclass(frozen=True, slots=True)
class Request:
    """A call that is ready to be sent."""

    body: bytes
    features: frozenset[str]
    """What of the protocol it uses; see `refusals`."""


class ChatClient:
    """Calls one endpoint; get one from `open_chat_client`. Safe to use from several tasks."""

    def __init__(self, http: httpx.AsyncClient, options: LlmOptions, now: Callable[[], datetime]) -> None:
        self._http = http
        self._options = options
        self._now = now
        self.connections = Connections(self._touch, options.max_connections)
        self._features = {JSON_SCHEMA, JSON_OBJECT, TEMPERATURE, MAX_COMPLETION_TOKENS}
        if options.reasoning_effort is not None:
            self._features.add(REASONING_EFFORT)
        self._has_answered = False
        self._refused_in_a_row = 0
        self.rate_limits: RateLimits | None = None
        """What the last answer said about the provider's limits."""
        self.on_rate_limits: Callable[[RateLimits], None] = lambda _: None
        """Told what each answer says about them."""

    def prepare(self, prompt: Prompt) -> Request:
        """Everything about a call that can be done before it is sent."""
        features = frozenset(self._features)
        body = json.dumps(self._request(prompt, features), ensure_ascii=False).encode("utf-8", "replace")
        return Request(body, features)

    async def complete(self, request: Request, on_sent: Callable[[], None] = lambda: None) -> Completion:
        """One call; `on_sent` is told when its first bytes are out. Raises an EngineError for all but an answer."""
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                status, headers, answer = await self._post(request.body, on_sent)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise EngineUnavailable(
                f"no answer within {self._options.timeout_seconds:g} s"
            ).of_unknown_cost() from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise EngineMisconfigured("ANALYZER_LLM_BASE_URL is no http or https address") from error
        except (httpx.ConnectError, httpx.ProxyError) as error:
            raise EngineUnavailable(f"no connection: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            failure = EngineUnavailable(f"the connection failed: {type(error).__name__}")
            raise failure.of_unknown_cost() from error
        self._note_limits(headers)
        if status != httpx.codes.OK:
            raise self._refusal(error_of(status, headers, answer, self._now()), request.features)
        completion = self._completion(answer)
        self._has_answered, self._refused_in_a_row = True, 0
        return completion

    def _note_limits(self, headers: Mapping[str, str]) -> None:
        limits = rate_limits_of(headers)
        if limits is not None:
            self.rate_limits = limits
            self.on_rate_limits(limits)

    async def warm(self, connections: int) -> None:
        """Open so many connections ahead of the first calls, so that these start on time. Never raises."""
        await self.connections.open(connections)

    async def _touch(self, trace: Trace) -> None:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._http.head("models", extensions={"trace": trace})
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL):
            return

    async def _post(self, body: bytes, on_sent: Callable[[], None]) -> tuple[int, Mapping[str, str], bytes]:
        with self.connections.used(), collection_postponed() as collect_again:

            def sent() -> None:
                on_sent()
                collect_again()
                self.connections.sent()

            trace = self.connections.trace(sent)
            request = self._http.stream("POST", "chat/completions", content=body, extensions={"trace": trace})
            return await self._read(request)

    @staticmethod
    async def _read(request: AbstractAsyncContextManager[httpx.Response]) -> tuple[int, Mapping[str, str], bytes]:
        async with request as response:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise EngineUnavailable("the answer is compressed, which was not asked for").of_unknown_cost()
            parts: list[bytes] = []
            size = 0
            async for part in response.aiter_raw():
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    raise AnswerUnusable(f"the answer is larger than {MAX_ANSWER_BYTES // 1024} KiB").of_unknown_cost()
                parts.append(part)
            return response.status_code, response.headers, b"".join(parts)

    def _request(self, prompt: Prompt, features: Set[str]) -> dict[str, Any]:
        room = self._options.output_tokens_per_conversation * len(prompt.ids) + THINKING_TOKENS
        request: dict[str, Any] = {
            "model": self._options.model,
            "max_completion_tokens" if MAX_COMPLETION_TOKENS in features else "max_tokens": room,
            "messages": [
                {"role": "system", "content": prompt.instructions},
                {"role": "user", "content": prompt.conversations},
            ],
        }
        if JSON_SCHEMA in features:
            request["response_format"] = JSON_SCHEMA_FORMAT
        elif JSON_OBJECT in features:
            request["response_format"] = JSON_OBJECT_FORMAT
        if TEMPERATURE in features:
            request["temperature"] = 0
        if REASONING_EFFORT in features:
            request["reasoning_effort"] = self._options.reasoning_effort
        return request

    def _refusal(self, error: EngineError, features: Set[str]) -> EngineError:
        """Turn a refused request into what it means in the light of what was sent and of the calls before it."""
        if isinstance(error, FeatureRefused):
            is_format = error.feature == JSON_SCHEMA and JSON_SCHEMA not in features
            feature = JSON_OBJECT if is_format else error.feature
            if feature in features:
                self._features.discard(feature)
                _log.warning("llm_feature_refused", feature=feature)
                return error
            error = RequestRefused("the endpoint refuses the request")  # it was sent without that feature
        if isinstance(error, RequestRefused):
            self._refused_in_a_row += 1
            if not self._has_answered or self._refused_in_a_row > _REFUSALS_IN_A_ROW:
                # Never answered well, or no longer: the request is wrong, not what a customer wrote in it.
                return EngineMisconfigured(f"{error.reason}; it is the same for every request")
        return error

    def _completion(self, answer: bytes) -> Completion:
        try:
            document = json.loads(answer)
        except (ValueError, RecursionError) as error:
            raise EngineUnavailable("the answer is not JSON").of_unknown_cost() from error
        if not isinstance(document, dict) or "choices" not in document:
            raise EngineUnavailable("the answer is no chat completion").of_unknown_cost()
        usage = usage_of(document.get("usage"), self._options.price)
        choices = document["choices"]
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(message, dict):
            raise AnswerUnusable("the answer holds no completion", usage=usage)
        text = message.get("content")
        reason = choice.get("finish_reason")
        if reason == "content_filter" or message.get("refusal"):
            raise ContentRefused("the model declined to judge a conversation", usage=usage)
        return Completion(text if isinstance(text, str) else "", is_cut_off=reason == "length", usage=usage)


@asynccontextmanager
async def open_chat_client(
    options: LlmOptions, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> AsyncIterator[ChatClient]:
    """A client with its own connections, closed at the end. Raises EngineMisconfigured for an impossible address."""
    headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
    if options.api_key is not None:
        headers["Authorization"] = f"Bearer {options.api_key.get_secret_value()}"
    try:
        http = HttpClient(
            base_url=options.base_url.rstrip("/") + "/",
            headers=headers,
            timeout=httpx.Timeout(options.timeout_seconds, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(
                max_connections=options.max_connections,
                max_keepalive_connections=options.max_connections,
                keepalive_expiry=_KEEP_ALIVE_SECONDS,
            ),
            trust_env=not is_loopback(options.base_url),
        )
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        raise EngineMisconfigured("ANALYZER_LLM_BASE_URL or XAI_API_KEY cannot be right") from error
    client = ChatClient(http, options, now)
    async with http:
        try:
            yield client
        finally:
            await client.connections.close()
