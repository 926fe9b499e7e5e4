"""The composition root: health, pipeline and Faust app in one event loop, from start to last acknowledgement."""

import asyncio
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaClient
from fastapi import FastAPI

from schemas.topics import CONTROL, RECEIVED, REPLAY
from services.analyzer.agents import AnalyzerApp, create_faust_app
from services.analyzer.options import Membership
from services.analyzer.pipeline import Pipeline
from services.analyzer.readiness import health_of, register_gauges
from services.analyzer.resources import OpenEngines, Resources, open_engines, open_resources, pipeline_options
from services.analyzer.settings import AnalyzerSettings
from services.runtime.http_app import create_http_app
from services.runtime.kafka import KafkaConnection, wait_for_kafka
from services.runtime.logs import get_logger
from services.runtime.server import UNEXPECTED_EXIT_CODE, serve

_log = get_logger(__name__)

FAUST_STOP_SECONDS: Final = 20.0
_TOPIC_RETRY_SECONDS: Final = 1.0


async def run_analyzer(settings: AnalyzerSettings, stop: asyncio.Event, engines_for: OpenEngines = open_engines) -> int:
    """Run until `stop` is set (then drain), or until something unexpected happens; returns the exit code."""
    async with open_resources(settings, engines_for) as resources:
        options = pipeline_options(settings)
        pipeline = Pipeline(options, resources)
        http_app = create_app(settings, pipeline, resources)
        stop_serving = asyncio.Event()
        serving = asyncio.create_task(serve(http_app, settings, stop=stop_serving))
        working = asyncio.create_task(_work(pipeline, resources, options.membership, stop))
        try:
            await asyncio.wait({serving, working}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving  # raises: it does not end by itself
            return await working
        finally:
            await _cancelled(working)
            stop_serving.set()
            await serving


def create_app(settings: AnalyzerSettings, pipeline: Pipeline, resources: Resources) -> FastAPI:
    """Health and metrics over HTTP."""
    clock = resources.clocks.monotonic
    register_gauges(pipeline, clock)
    health = health_of(pipeline, clock, lambda: resources.publisher.is_connected)
    return create_http_app(title="Undertone analyzer", service="analyzer", health=health, settings=settings)


async def _work(pipeline: Pipeline, resources: Resources, membership: Membership, stop: asyncio.Event) -> int:
    own, *further = resources.engines
    _log.info(
        "starting",
        engine=own.name,
        analysis_version=own.analysis_version,
        is_paced=own.is_paced,
        further_versions=[engine.analysis_version for engine in further],
    )
    stopping = asyncio.create_task(stop.wait())
    kafka = asyncio.create_task(_wait_for_topics(resources.connection))
    await asyncio.wait({stopping, kafka}, return_when=asyncio.FIRST_COMPLETED)
    if not kafka.done():
        await _cancelled(kafka)
        return 0
    await kafka
    faust_app = create_faust_app(pipeline, resources.connection, membership)
    beside = [
        asyncio.create_task(pipeline.control_log.follow()),
        asyncio.create_task(pipeline.dispatcher.run()),
        asyncio.create_task(pipeline.spending.run()),
        asyncio.create_task(pipeline.repeating.run()),
        asyncio.create_task(pipeline.offering.run()),
        asyncio.create_task(pipeline.giving_up.run()),
        asyncio.create_task(faust_app.start()),
    ]
    try:
        is_expected = await _until_end(pipeline, faust_app, stopping, beside)
        if is_expected:
            await _drain(pipeline, faust_app)
        return 0 if is_expected else UNEXPECTED_EXIT_CODE
    finally:
        faust_app.leaves_at_stop = stop.is_set()
        await _stop(faust_app)
        for task in (*beside, stopping):
            await _cancelled(task)
        await pipeline.tasks.cancel()


async def _until_end(
    pipeline: Pipeline, faust_app: AnalyzerApp, stopping: "asyncio.Task[bool]", beside: "list[asyncio.Task[None]]"
) -> bool:
    """True when the end was asked for; False, with the reason in the log, when something broke."""
    crashed = asyncio.create_task(faust_app._crashed.wait())  # noqa: SLF001 - Faust tells of a crash nowhere else
    watched: set[asyncio.Future[Any]] = {stopping, crashed, pipeline.tasks.failure, *beside}
    try:
        while True:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                return True
            if crashed.done():
                _log_unexpected("kafka_client_crashed", faust_app._crash_reason)  # noqa: SLF001
                return False
            if pipeline.tasks.failure.done():
                _log_unexpected("work_failed", pipeline.tasks.failure.result())
                return False
            for task in [task for task in beside if task.done()]:
                await task  # raises what ended it
                watched.discard(task)
                beside.remove(task)
    finally:
        await _cancelled(crashed)


def _log_unexpected(event: str, error: BaseException | None) -> None:
    try:
        raise error or RuntimeError("no reason was given")  # noqa: TRY301 - raised only to be logged with its trace
    except BaseException:  # noqa: BLE001 - what it is does not matter: the process ends
        _log.exception(event)


async def _drain(pipeline: Pipeline, faust_app: AnalyzerApp) -> None:
    if not await pipeline.drain():
        _log.warning("calls_abandoned", calls_in_flight=pipeline.dispatcher.calls_in_flight)
    if not pipeline.is_rebalancing:
        with suppress(TimeoutError):
            async with asyncio.timeout(FAUST_STOP_SECONDS):
                await faust_app.consumer.commit()


async def _stop(faust_app: AnalyzerApp) -> None:
    try:
        async with asyncio.timeout(FAUST_STOP_SECONDS):
            await faust_app.stop()
    except TimeoutError:
        _log.warning("kafka_client_did_not_stop", waited_seconds=FAUST_STOP_SECONDS)


async def _cancelled(task: "asyncio.Future[Any]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task


async def _wait_for_topics(connection: KafkaConnection) -> None:
    """Return once Kafka answers and has the topics that the analyzer reads: a service creates none."""
    await wait_for_kafka(connection, _log)
    wanted = {connection.topic_name(topic) for topic in (RECEIVED, REPLAY, CONTROL)}
    client = AIOKafkaClient(**connection.client_options())
    await client.bootstrap()
    try:
        reminded = False
        while True:
            await client.force_metadata_update()
            missing = sorted(wanted - set(client.cluster.topics()))
            if not missing:
                return
            if not reminded:
                _log.warning("topics_missing", topics=missing, what_to_do="run `undertone topics apply`")
                reminded = True
            await asyncio.sleep(_TOPIC_RETRY_SECONDS)
    finally:
        await client.close()
