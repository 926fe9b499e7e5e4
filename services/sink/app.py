"""The composition root: routes and health from open resources."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from fastapi import Depends, FastAPI
from pydantic import JsonValue

from services.runtime.client_address import TrustedProxies
from services.runtime.client_limits import ClientLimits
from services.runtime.health import Check, CheckResult, Health
from services.runtime.http_app import create_http_app
from services.runtime.inbound import allowed_origins
from services.runtime.rate_limits import WindowLimit
from services.sink.batch_consumer import BatchConsumer
from services.sink.endpoints.context import ReadContext
from services.sink.endpoints.conversations import conversations_router
from services.sink.endpoints.dead_letters import dead_letters_router
from services.sink.endpoints.export import export_router
from services.sink.endpoints.insights import insights_router
from services.sink.endpoints.lookup import lookup_router
from services.sink.endpoints.parameters import refuse_unexpected
from services.sink.endpoints.redrives import redrives_router
from services.sink.endpoints.standings import standings_router
from services.sink.endpoints.stream import stream_router
from services.sink.endpoints.trends import trends_router
from services.sink.endpoints.version_decisions import version_decisions_router
from services.sink.endpoints.versions import versions_router
from services.sink.reads.status import count_statuses
from services.sink.redriving.redriver import Redriver
from services.sink.resources import Resources
from services.sink.roles import Role
from services.sink.settings import SinkSettings
from services.sink.versioning.deciding import Decisions
from services.sink.worker import WorkerWatch

_DESCRIPTION = "Insights on customer conversations: how customers feel, what it is about, how sure we are, and why."


def create_app(settings: SinkSettings, resources: Resources, role: Role, consumer: BatchConsumer | None) -> FastAPI:
    """The HTTP side of a process; `consumer` is what health asks, None when the process stores nothing."""
    health = Health("sink", _checks(resources, consumer), _Description(resources, role))
    limit = WindowLimit.parse(settings.client_limit)
    app = create_http_app(
        title="Undertone read API",
        service="sink",
        health=health,
        settings=settings,
        description=_DESCRIPTION,
        trusted_proxies=TrustedProxies.parse(settings.trusted_proxies),
        client_limits=ClientLimits(resources.windows, of_keys=limit, of_addresses=limit) if limit else None,
        origins=allowed_origins(settings.cors_origins),
    )
    if role is not Role.CONSUMER:
        context = ReadContext(
            resources.database,
            resources.lag,
            resources.offers,
            lambda: datetime.now(UTC),
            settings.query_timeout_seconds,
        )
        strict = [Depends(refuse_unexpected)]
        app.include_router(stream_router(resources.feed), dependencies=strict)
        redriver = Redriver(resources.write_pool, resources.publisher, resources.connection)
        app.include_router(redrives_router(context, redriver, resources.write_pool), dependencies=strict)
        decisions = Decisions(resources.write_pool)
        app.include_router(version_decisions_router(decisions, resources.announcer), dependencies=strict)
        for router in (
            export_router,
            insights_router,
            conversations_router,
            trends_router,
            lookup_router,
            standings_router,
            dead_letters_router,
            versions_router,
        ):
            app.include_router(router(context), dependencies=strict)
    return app


def _checks(resources: Resources, consumer: BatchConsumer | None) -> dict[str, Check]:
    async def postgres() -> CheckResult:
        problem = await resources.database.problem()
        return CheckResult(ok=problem is None, detail=problem)

    checks: dict[str, Check] = {"postgres": postgres}
    if consumer is not None:
        checks |= {"assignment": consumer.check_assignment, "storing": consumer.check_storing}
    return checks


class _Description:
    """What /health adds: how much is waiting, whether somebody works on it, whether the database answers."""

    def __init__(self, resources: Resources, role: Role) -> None:
        self._resources = resources
        self._role = role
        self._worker = WorkerWatch(resources.connection, resources.database)

    async def __call__(self) -> Mapping[str, JsonValue]:
        db_ok, worker_running = await asyncio.gather(self._resources.database.is_up(), self._worker.is_running())
        return {
            "role": self._role.value,
            "queue_size": await self._queue_size() if db_ok else None,
            "worker_running": worker_running,
            "db_ok": db_ok,
            "client_limits": self._resources.windows.description,
        }

    async def _queue_size(self) -> int:
        async with self._resources.database.snapshot() as connection:
            counts = await count_statuses(connection)
        return counts["queued"] + counts["processing"]
