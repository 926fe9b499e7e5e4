"""Is it alive, is it ready, how is it: the same addresses at every service.

`/livez` says that the event loop turns, `/readyz` (= `/health/ready`) asks every named check and is 503 when one
fails, `/health` and `/healthz` describe the service and are always 200. Details are for callers with a key only
(or for everybody when no keys are configured, or on METRICS_PORT).
"""

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import JsonValue
from starlette.responses import JSONResponse, Response

from services.runtime.http_metrics import written_metrics
from services.runtime.logs import get_logger

_log = get_logger(__name__)

_REMEMBERED_SECONDS = 0.5
"""Results are shared for so long: these addresses are not limited, and a check may open a connection."""
_CHECK_SECONDS = 2.0
"""A check that takes longer has failed: whoever asks must not wait."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Whether a part works; `detail` is one sentence without secrets."""

    ok: bool
    detail: str | None = None


Check = Callable[[], CheckResult | Awaitable[CheckResult]]
Description = Mapping[str, JsonValue]
Describe = Callable[[], Description | Awaitable[Description]]


def _nothing() -> Description:
    return {}


@dataclass(slots=True)
class _Latest:
    at: float = -math.inf
    results: dict[str, CheckResult] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True)
class Health:
    """What a service says about itself; `checks` decide readiness, `describe` adds members."""

    service: str
    checks: Mapping[str, Check]
    describe: Describe = _nothing
    always_detailed: bool = False
    _latest: _Latest = field(default_factory=_Latest)

    async def run_checks(self) -> dict[str, CheckResult]:
        """Every check's result, all asked at once, at most half a second ago."""
        async with self._latest.lock:
            if monotonic() - self._latest.at > _REMEMBERED_SECONDS:
                results = await asyncio.gather(*(_run(name, check) for name, check in self.checks.items()))
                self._latest.results = dict(zip(self.checks, results, strict=True))
                self._latest.at = monotonic()
            return self._latest.results

    async def description(self) -> dict[str, JsonValue]:
        """What `describe` says; a part of it that fails is left out rather than failing the answer."""
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                described = self.describe()
                return dict(await described if inspect.isawaitable(described) else described)
        except Exception:  # noqa: BLE001 - health must answer when anything else is broken
            _log.exception("health_description_failed")
            return {}


async def _run(name: str, check: Check) -> CheckResult:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            result = check()
            return await result if inspect.isawaitable(result) else result
    except TimeoutError:
        return CheckResult(ok=False, detail=f"did not answer within {_CHECK_SECONDS:g} s")
    except Exception:  # noqa: BLE001 - a check that breaks is a check that fails
        _log.exception("health_check_failed", check=name)
        return CheckResult(ok=False, detail="the check itself failed; see the log")


@dataclass(frozen=True)
class _Endpoints:
    health: Health
    responses: Mapping[int | str, Mapping[str, Any]] = field(default_factory=dict)

    async def live(self) -> Response:
        """Whether the process answers."""
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """Whether the service can do its work: 503 when a check fails, each check by name."""
        results = await self.health.run_checks()
        is_ready = all(result.ok for result in results.values())
        members: dict[str, Any] = {"status": "ready" if is_ready else "not_ready", "service": self.health.service}
        detailed = self._is_detailed_for(request)
        members["checks"] = {name: _shown(result, detailed=detailed) for name, result in results.items()}
        if detailed:
            members |= await self.health.description()
        return JSONResponse(members, 200 if is_ready else 503)

    async def describe(self, request: Request) -> Response:
        """How the service is; always 200."""
        results = await self.health.run_checks()
        members: dict[str, Any] = {
            "status": "ok" if all(result.ok for result in results.values()) else "degraded",
            "service": self.health.service,
        }
        if self._is_detailed_for(request):
            members |= await self.health.description()
        return JSONResponse(members)

    async def metrics(self) -> Response:
        """Metrics in Prometheus' text format."""
        return Response(written_metrics(), media_type=CONTENT_TYPE_LATEST)

    def _is_detailed_for(self, request: Request) -> bool:
        return self.health.always_detailed or bool(request.app.state.access.knows(request.headers.raw))


def _shown(result: CheckResult, *, detailed: bool) -> dict[str, Any]:
    if detailed and result.detail is not None:
        return {"ok": result.ok, "detail": result.detail}
    return {"ok": result.ok}


def health_router(health: Health) -> APIRouter:
    """The routes of liveness, readiness, health and metrics."""
    router = APIRouter(tags=["health"])
    endpoints = _Endpoints(health)
    not_ready: dict[int | str, dict[str, Any]] = {503: {"description": "A check fails."}}
    text: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}, "description": "The metrics."}}
    router.get("/livez", summary="Is it alive?")(endpoints.live)
    router.get("/readyz", summary="Is it ready?", responses=not_ready)(endpoints.ready)
    router.get("/health/ready", summary="Is it ready?", responses=not_ready)(endpoints.ready)
    router.get("/health", summary="How is it?")(endpoints.describe)
    router.get("/healthz", summary="How is it?")(endpoints.describe)
    router.get("/metrics", summary="Metrics", response_class=Response, responses=text)(endpoints.metrics)
    return router
