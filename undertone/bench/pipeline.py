"""`undertone bench pipeline`: conversations through the whole pipeline, until each has its outcome in Postgres."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx

from services.runtime.counting import counted
from undertone.bench.analysis import Analysis, Counters, analysis_of
from undertone.bench.ingress import IngressLoad
from undertone.bench.ledger import Ledger
from undertone.bench.load import open_load
from undertone.bench.posts import Shape
from undertone.bench.run import Plan
from undertone.errors import CommandError

_POLL_SECONDS = 0.25
_PATIENCE_SECONDS = 120.0
"""Without a single new outcome for so long something is wrong."""
_OUTCOMES = ("completed", "skipped", "failed")


@dataclass(frozen=True)
class PipelineLoad:
    """What a person asks for."""

    conversations: int
    concurrency: int
    """Requests at once."""
    batch_size: int
    """Conversations in a request."""


@dataclass(frozen=True)
class PipelineResult:
    """What became of it. `all_seconds` runs from the first request to the last outcome."""

    accepted: int
    sending_seconds: float
    all_seconds: float
    outcomes: Mapping[str, int]
    analysis: Analysis

    @property
    def conversations_per_second(self) -> float:
        return self.accepted / self.all_seconds

    @property
    def is_exact(self) -> bool:
        """Every accepted conversation has exactly one outcome."""
        return self.accepted == sum(self.outcomes.values())

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "conversations_per_second": round(self.conversations_per_second, 1)}


@dataclass(frozen=True)
class Emptying:
    """How far it is at one moment."""

    seconds: float
    accepted: int
    done: int

    @property
    def queued(self) -> int:
        return self.accepted - self.done


Watch = Callable[[Emptying], None]


async def measure_pipeline(asked: PipelineLoad, addresses: Mapping[str, str], watch: Watch) -> PipelineResult:
    """Post, and follow until nothing is in flight. Raises CommandError when something answers wrongly or stands still.

    `addresses` are those of ingress, analyzer and read_api, of a stack that nobody else uses.
    """
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        before = await _counters(client, addresses["analyzer"])
        outcomes_before = await _outcomes(client, addresses["read_api"])

        async def outcomes_now() -> dict[str, int]:
            counts = await _outcomes(client, addresses["read_api"])
            return {name: counts[name] - outcomes_before[name] for name in _OUTCOMES}

        ledger = Ledger()
        began = monotonic()
        sending = asyncio.create_task(_send(asked, addresses["ingress"], ledger))
        try:
            outcomes = await _follow(outcomes_now, sending, ledger, watch)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        all_seconds = monotonic() - began
        grown = (await _counters(client, addresses["analyzer"])).since(before)
    return PipelineResult(len(ledger.accepted), sending.result(), all_seconds, outcomes, analysis_of(grown))


async def _send(asked: PipelineLoad, ingress_url: str, ledger: Ledger) -> float:
    """Post everything; returns the seconds that took."""
    url = urlsplit(ingress_url)
    began = monotonic()
    full, rest = divmod(asked.conversations, asked.batch_size)
    async with open_load(url, asked.concurrency) as load:
        for requests, size in ((full, asked.batch_size), (1, rest)):
            if requests and size:
                load_of = IngressLoad(Plan(requests=requests), shape=Shape.BULK, bulk_size=size, is_distinct=True)
                await load.run(load_of.plan, load_of.post_maker(url), ledger)
    if len(ledger.accepted) < asked.conversations:
        raise CommandError(
            f"The ingress accepted {len(ledger.accepted):,} of {counted(asked.conversations, 'conversation')}: "
            f"{len(ledger.refused):,} were refused, of {len(ledger.unknown):,} it is not known."
        )
    return monotonic() - began


async def _follow(
    outcomes_now: Callable[[], Awaitable[dict[str, int]]], sending: asyncio.Task[float], ledger: Ledger, watch: Watch
) -> dict[str, int]:
    """Wait until every accepted conversation has its outcome; returns how many came to which."""
    began = progressed_at = monotonic()
    done = 0
    while True:
        if sending.done():
            sending.result()  # raises what went wrong there
        outcomes = await outcomes_now()
        now, done_now = monotonic(), sum(outcomes.values())
        watch(Emptying(now - began, len(ledger.accepted), done_now))
        if sending.done() and done_now >= len(ledger.accepted):
            return outcomes
        if done_now > done:
            done, progressed_at = done_now, now
        if now - progressed_at > _PATIENCE_SECONDS:
            raise CommandError(f"No conversation got its outcome for {_PATIENCE_SECONDS:.0f} s; {done:,} have theirs.")
        await asyncio.sleep(_POLL_SECONDS)


async def _outcomes(client: httpx.AsyncClient, read_api_url: str) -> dict[str, int]:
    counts = (await _get(client, f"{read_api_url}/api/v1/status")).json()["conversations"]
    return {name: int(counts[name]) for name in _OUTCOMES}


async def _counters(client: httpx.AsyncClient, analyzer_url: str) -> Counters:
    return Counters.parse((await _get(client, f"{analyzer_url}/metrics")).text)


async def _get(client: httpx.AsyncClient, url: str) -> httpx.Response:
    try:
        answer = await client.get(url)
    except httpx.HTTPError as error:
        raise CommandError(f"{url} does not answer: {type(error).__name__}") from error
    if answer.status_code != httpx.codes.OK:
        raise CommandError(f"{url} answers {answer.status_code}.")
    return answer
