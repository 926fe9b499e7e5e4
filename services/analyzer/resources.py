"""What the analyzer opens at its start and closes at its end."""

import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass

from services.analyzer.calls import CallPolicy
from services.analyzer.engine import Engine, EngineMisconfigured
from services.analyzer.llm.engine import open_llm_engine
from services.analyzer.llm.options import PRICES, LlmOptions, Price
from services.analyzer.lookup import SinkLookup, open_lookup
from services.analyzer.offline.engine import OfflineEngine
from services.analyzer.options import Batching, InFlight, Limits, Membership, PipelineOptions
from services.analyzer.pacing import Clocks
from services.analyzer.recall import Patience
from services.analyzer.settings import OFFLINE, AnalyzerSettings
from services.runtime.dead_letters import DeadLetters
from services.runtime.instances import instance_name
from services.runtime.kafka import KafkaConnection
from services.runtime.publisher import EventPublisher, open_publisher


@dataclass(frozen=True, slots=True)
class Resources:
    """Open as long as the service runs."""

    connection: KafkaConnection
    publisher: EventPublisher
    dead_letters: DeadLetters
    engines: Sequence[Engine]
    """Its own first; no two of one analysis version."""
    clocks: Clocks
    lookup: SinkLookup | None = None
    """None where nothing is asked: no address, or no engine that costs."""


LOOKUP_SECONDS = 5.0
"""For one look-up: it reads a few hundred rows by index."""

AFTER_THE_CALL_SECONDS = 5.0
"""At the end: for what follows the last answers."""

OpenEngines = Callable[[AnalyzerSettings], AbstractAsyncContextManager[Sequence[Engine]]]

WARM_CONNECTIONS = 20
"""Opened before the first calls, so that these start on their permits; more are opened as they are needed."""


@asynccontextmanager
async def open_engines(
    settings: AnalyzerSettings, warm_connections: int = WARM_CONNECTIONS
) -> AsyncIterator[Sequence[Engine]]:
    """The engines that the settings name, the own first. Without connections to warm nobody is asked anything.

    Raises EngineMisconfigured for an impossible address or key, and for two engines of one analysis version.
    """
    own = settings.llm_model if settings.uses_llm else None
    further = [None if name == OFFLINE else name for name in settings.named_further_engines]
    async with AsyncExitStack() as opened:
        engines: dict[str, Engine] = {}
        for model in (own, *further):
            engine = await opened.enter_async_context(_open(settings, model, warm_connections))
            if engine.analysis_version in engines:
                raise EngineMisconfigured(
                    f"ANALYZER_FURTHER_ENGINES names {model or OFFLINE}, but this analyzer has an engine of the "
                    f"analysis version {engine.analysis_version} already: take it out"
                )
            engines[engine.analysis_version] = engine
        yield tuple(engines.values())


@asynccontextmanager
async def _open(settings: AnalyzerSettings, model: str | None, warm_connections: int) -> AsyncIterator[Engine]:
    if model is None:
        yield OfflineEngine()
        return
    async with open_llm_engine(llm_options(settings, model)) as engine:
        if warm_connections:
            await engine.warm(warm_connections)
        yield engine


def llm_options(settings: AnalyzerSettings, model: str | None = None) -> LlmOptions:
    """What the engine of a model (by default the own) is told.

    Prices in the settings are the own model's, and those of other models that the table does not know.
    """
    model = model or settings.llm_model
    prices = dict(PRICES)
    is_given = settings.llm_price_input_usd is not None and settings.llm_price_output_usd is not None
    if is_given and (model == settings.llm_model or model not in prices):
        prices[model] = _given_price(settings)
    return LlmOptions(
        base_url=settings.llm_base_url,
        model=model,
        api_key=settings.xai_api_key,
        timeout_seconds=settings.llm_timeout_seconds,
        max_connections=max(100, math.ceil(settings.calls_per_second * settings.llm_timeout_seconds)),
        reasoning_effort=settings.llm_reasoning_effort,
        prices=prices,
    )


def _given_price(settings: AnalyzerSettings) -> Price:
    given, cached, taken = settings.llm_price_input_usd, settings.llm_price_cached_usd, settings.llm_price_output_usd
    assert given is not None, "checked by who asks"
    assert taken is not None, "checked by the settings: both or none"
    return Price(given, given if cached is None else cached, taken)


def pipeline_options(settings: AnalyzerSettings) -> PipelineOptions:
    """What a pipeline is told."""
    budget = settings.daily_budget_usd
    return PipelineOptions(
        instance=instance_name(settings.instance_id),
        membership=Membership(settings.instance_id, settings.session_timeout_seconds),
        limits=Limits(settings.calls_per_second, settings.tokens_per_minute, settings.pace),
        batching=Batching(
            settings.window_seconds,
            settings.min_batch,
            settings.start_batch,
            settings.max_batch,
            settings.batch_tokens,
        ),
        in_flight=InFlight(settings.in_flight_bytes, settings.in_flight_count),
        policy=CallPolicy(settings.max_attempts, settings.backoff_seconds),
        patience=Patience(settings.lookup_wait_seconds, settings.lookup_required),
        call_timeout_seconds=settings.llm_timeout_seconds,
        drain_seconds=settings.drain_seconds or settings.llm_timeout_seconds + AFTER_THE_CALL_SECONDS,
        daily_budget_usd=None if budget == "unlimited" else budget,
        breaker_threshold=settings.breaker_threshold,
        breaker_cooldown_seconds=settings.breaker_cooldown_seconds,
        cache_size=settings.cache_size,
        prefilter_min_characters=settings.min_characters if settings.prefilter == "on" else None,
    )


@asynccontextmanager
async def open_resources(settings: AnalyzerSettings, engines_for: OpenEngines) -> AsyncIterator[Resources]:
    """Open what the analyzer needs; Kafka may be away, the publisher connects when it is back."""
    connection = KafkaConnection.from_settings(settings)
    async with (
        engines_for(settings) as engines,
        open_publisher(connection) as publisher,
        _lookup_for(settings, engines) as lookup,
    ):
        yield Resources(
            connection,
            publisher,
            DeadLetters(publisher, "analyzer"),
            engines,
            Clocks(time.monotonic, time.time),
            lookup,
        )


def _lookup_for(
    settings: AnalyzerSettings, engines: Sequence[Engine]
) -> AbstractAsyncContextManager[SinkLookup | None]:
    """An analysis that costs nothing is cheaper than asking whether it was made before."""
    if not settings.lookup_url or not any(engine.is_paced for engine in engines):
        return nullcontext()
    return open_lookup(settings.lookup_url, settings.lookup_api_key, LOOKUP_SECONDS)
