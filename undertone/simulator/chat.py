"""Answering Chat Completions: count the call, check it, let a fault strike, else answer as a model would."""

import asyncio
import json
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.subjects import subject_registry
from undertone.simulator.answers import (
    Reply,
    completion_reply,
    cost_ticks_of,
    error_reply,
    limit_headers,
    limited,
    refused,
    tokens_of,
    usage_of,
    usd_of,
)
from undertone.simulator.conduct import Conduct, Fault, FaultKind
from undertone.simulator.damage import damaged_results, written
from undertone.simulator.judgement import Fenced, conversations_of, judge
from undertone.simulator.statistics import Statistics

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

TRANSPORT = "undertone.transport"
"""Where the server puts the connection's transport into the scope, so that it can be reset."""
SLOW_SECONDS = 10.0
_MAX_REQUEST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Call:
    number: int
    arrived_at: float
    request: Mapping[str, Any]
    instructions: str
    prompt: str
    conversations: list[Fenced]
    chance: random.Random


class Chat:
    """Behaves as its `conduct` says, and counts in `statistics`."""

    def __init__(self, conduct: Conduct) -> None:
        subject_registry()  # read now: the first call is not to be slower than the others
        self.conduct = conduct
        self.closing = asyncio.Event()
        """Set at the end: what hangs, hangs no longer."""
        self.statistics = Statistics(time.monotonic)
        self.used: Counter[int] = Counter()
        """How often each fault of the conduct struck, by its position."""
        self._known_instructions: set[str] = set()

    def forget(self) -> None:
        """Count from zero, and know no instructions."""
        self.statistics = Statistics(time.monotonic)
        self._known_instructions.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one call from its arrival to its end."""
        statistics = self.statistics  # also when they are reset in the meantime
        number, arrived_at = statistics.arrived(), statistics.last_arrival
        outcome = "aborted"  # by the client, unless we come to an end below
        try:
            outcome = await self._answer(number, arrived_at, scope, receive, send)
        finally:
            statistics.ended(outcome)

    async def _answer(self, number: int, arrived_at: float, scope: Scope, receive: Receive, send: Send) -> str:
        request = document_of(await read(receive)) or {}
        prompt = _content(request, "user")
        chance = random.Random(f"{self.conduct.seed}:{number}")  # noqa: S311 - it is meant to be foreseeable
        instructions = _content(request, "system")
        call = _Call(number, arrived_at, request, instructions, prompt, conversations_of(prompt), chance)
        refusal = self._refusal(scope, call)
        if refusal is not None:
            await self._send(send, refusal[1])
            return refusal[0]
        self.statistics.grant(arrived_at)
        fault = self._fault(call)
        if fault is None:
            await self._complete(call, None, send)
            return "answered"
        await self._misbehave(call, fault, scope, send)
        return fault.kind

    def _refusal(self, scope: Scope, call: _Call) -> tuple[str, Reply] | None:
        """What is refused before any fault: a wrong key or model, no conversations, and calls above the limits."""
        conduct, statistics = self.conduct, self.statistics
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if conduct.api_key is not None and headers.get("authorization") != f"Bearer {conduct.api_key}":
            return FaultKind.BAD_KEY, refused(FaultKind.BAD_KEY)
        if conduct.model is not None and call.request.get("model") != conduct.model:
            return FaultKind.UNKNOWN_MODEL, refused(FaultKind.UNKNOWN_MODEL)
        if not call.conversations:
            return FaultKind.REQUEST_REFUSED, refused(FaultKind.REQUEST_REFUSED)
        limit = conduct.calls_per_second
        if limit and (wait := statistics.seconds_until_grant(limit, call.arrived_at)) > 0:
            return "over_limit", limited(wait)
        if conduct.tokens_per_minute and statistics.tokens_in_last_minute() >= conduct.tokens_per_minute:
            return "over_token_limit", limited(1.0)
        return None

    def _fault(self, call: _Call) -> Fault | None:
        texts = [conversation.body for conversation in call.conversations]
        for index, fault in enumerate(self.conduct.faults):
            if fault.strikes(call.number, self.used[index], texts, call.chance):
                self.used[index] += 1
                return fault
        return None

    async def _misbehave(self, call: _Call, fault: Fault, scope: Scope, send: Send) -> None:
        if fault.kind is FaultKind.RESET:
            _reset(scope)
        elif fault.kind is FaultKind.HANG:
            await self._wait(fault.seconds)
        elif (reply := error_reply(fault, call.request)) is not None:
            await self._send(send, reply)
        else:
            await self._complete(call, fault, send)

    async def _complete(self, call: _Call, fault: Fault | None, send: Send) -> None:
        conduct, kind = self.conduct, fault.kind if fault else None
        # In a thread: calls that arrive meanwhile must be counted when they arrive.
        text = await asyncio.to_thread(_completion, call, fault)
        usage = usage_of(call.instructions, call.prompt, text, is_cached=call.instructions in self._known_instructions)
        self._known_instructions.add(call.instructions)
        ticks = cost_ticks_of(usage)
        if conduct.states_cost:
            usage["cost_in_usd_ticks"] = ticks
        seconds = conduct.latency_seconds + conduct.seconds_per_output_token * usage["completion_tokens"]
        if fault is not None and kind is FaultKind.SLOW:
            seconds += SLOW_SECONDS if fault.seconds is None else fault.seconds
        await self._wait(seconds)
        bodies = [conversation.body for conversation in call.conversations]
        fixed = tokens_of(call.instructions)
        self.statistics.answered(bodies, usage, instruction_tokens=fixed, cost_usd=usd_of(ticks))
        reply = completion_reply(text, usage, call=call.number, model=str(call.request.get("model")), fault=fault)
        breaks_off = kind in {FaultKind.CUT_BODY, FaultKind.STALL}
        await self._send(send, reply, cut_at=len(reply.body) // 2 if breaks_off else None)
        if fault is not None and kind is FaultKind.STALL:
            await self._wait(fault.seconds)

    async def _wait(self, seconds: float | None) -> None:
        """Take this long, or until the end of the simulator; None is for ever."""
        if seconds == 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self.closing.wait()
        except TimeoutError:
            return

    async def _send(self, send: Send, reply: Reply, *, cut_at: int | None = None) -> None:
        await send_reply(send, reply, limit_headers(self.conduct, self.statistics), cut_at=cut_at)


def _completion(call: _Call, fault: Fault | None) -> str:
    """What the model writes."""
    results = judge(call.conversations)
    if fault is not None:
        results = damaged_results(results, call.conversations, fault, call.chance)
    return written(results, fault, call.conversations, call.chance)


async def read(receive: Receive) -> bytes:
    """The body of a request, up to 16 MiB of it."""
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if not event.get("more_body") or size > _MAX_REQUEST_BYTES:
            return b"".join(parts)


async def send_reply(
    send: Send, reply: Reply, more_headers: Mapping[str, str] | None = None, *, cut_at: int | None = None
) -> None:
    """Send an answer; one that is cut states its full length all the same, and the connection breaks off."""
    headers = {"content-type": "application/json", "content-length": str(len(reply.body))}
    headers |= {**reply.headers, **(more_headers or {})}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
    await send({"type": "http.response.body", "body": reply.body[:cut_at], "more_body": cut_at is not None})


def document_of(body: bytes) -> dict[str, Any] | None:
    """A JSON object; None for anything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _content(request: Mapping[str, Any], role: str) -> str:
    messages = request.get("messages")
    said = [
        message.get("content")
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, dict) and message.get("role") == role
    ]
    return "\n".join(text for text in said if isinstance(text, str))


def _reset(scope: Scope) -> None:
    """Break the connection off with a TCP reset, as a dying server or a firewall does."""
    transport = scope[TRANSPORT]
    # Lingering for zero seconds makes the kernel send RST in place of FIN.
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
