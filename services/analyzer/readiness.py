"""Is the analyzer ready, and what does it say about itself."""

import math
from collections.abc import Callable
from typing import Final

from pydantic import JsonValue

from schemas.event import Lane
from services.analyzer.batching import LANES_IN_ORDER
from services.analyzer.holds import Holds
from services.analyzer.live_versions import describe_missing
from services.analyzer.llm.breaker import Cause, Circuit
from services.analyzer.metrics import (
    BATCH_MAXIMUM,
    BREAKER_STATE,
    BUDGET,
    BUDGET_RESERVED,
    BUDGET_USED_UP,
    HELD,
    IN_FLIGHT_BYTES,
    IN_FLIGHT_RECORDS,
    OLDEST_WAITING_SECONDS,
    QUEUE_DEPTH,
    SHARE,
    VERSION_LIVE,
    VERSIONS_MISSING,
)
from services.analyzer.pipeline import Pipeline
from services.runtime.health import CheckResult, Health

HEARTBEAT_OVERDUE_SECONDS = 15.0
_STATES: Final = {Circuit.CLOSED: 0, Circuit.HALF_OPEN: 1, Circuit.OPEN: 2}


def health_of(pipeline: Pipeline, clock: Callable[[], float], is_kafka_connected: Callable[[], bool]) -> Health:
    """Checks and description of a pipeline."""

    def kafka() -> CheckResult:
        if not is_kafka_connected() or pipeline.heartbeat_at is None:
            return CheckResult(ok=False, detail="Kafka has not been reached yet")
        age = clock() - pipeline.heartbeat_at
        if age > HEARTBEAT_OVERDUE_SECONDS:
            return CheckResult(ok=False, detail=f"the consumer group has not answered for {age:.0f} s")
        return CheckResult(ok=True)

    def assignment() -> CheckResult:
        if pipeline.is_rebalancing:
            return CheckResult(ok=False, detail="the consumer group is dealing out partitions")
        if not pipeline.control_log.is_caught_up:
            return CheckResult(ok=False, detail="the control log is not read yet: no call may start")
        return CheckResult(ok=True)

    def lanes() -> CheckResult:
        reasons = [f"{lane.value}: {reason}" for lane, reason in pipeline.ledger.blocked.items()]
        reasons += [
            f"{lane.value}: held for long: {hold.reason}"
            for lane, hold in pipeline.holds.active().items()
            if hold.is_long
        ]
        return CheckResult(ok=not reasons, detail="; ".join(reasons) or None)

    checks = {
        "kafka": kafka,
        "assignment": assignment,
        "lanes": lanes,
        "engine": lambda: _engines(pipeline),
        "versions": lambda: _versions(pipeline),
        "budget": lambda: _budget(pipeline),
        "lookup": lambda: _lookup(pipeline),
    }
    return Health("analyzer", checks, lambda: describe(pipeline))


def _engines(pipeline: Pipeline) -> CheckResult:
    breakers = {version: terms.breaker for version, terms in pipeline.terms.items()}
    reasons = {version: breaker.reason for version, breaker in breakers.items() if breaker.reason is not None}
    told = [f"{version}: {reason}" if len(breakers) > 1 else reason for version, reason in reasons.items()]
    is_ok = all(breaker.cause is not Cause.MISCONFIGURATION for breaker in breakers.values())
    return CheckResult(ok=is_ok, detail="; ".join(told) or None)


def _versions(pipeline: Pipeline) -> CheckResult:
    missing = pipeline.versions.missing
    return CheckResult(ok=not missing, detail=describe_missing(missing, pipeline.terms) if missing else None)


def _circuit(pipeline: Pipeline) -> Circuit:
    """The worst of all engines."""
    return max((terms.breaker.circuit for terms in pipeline.terms.values()), key=lambda circuit: _STATES[circuit])


def _batch_maximum(pipeline: Pipeline) -> int:
    """Of the engine of the active version, or of the own one where no engine has that."""
    active = pipeline.versions.active
    return pipeline.window.sizes.of(active if active in pipeline.terms else next(iter(pipeline.terms))).current


def _budget(pipeline: Pipeline) -> CheckResult:
    # A used budget is what its owner asked for: the process is as ready as it can be until tomorrow.
    return CheckResult(ok=True, detail=pipeline.spending.describe())


def _lookup(pipeline: Pipeline) -> CheckResult:
    recall = pipeline.recall
    return CheckResult(ok=True) if recall is None else CheckResult(ok=recall.is_ready, detail=recall.reason)


def describe(pipeline: Pipeline) -> dict[str, JsonValue]:
    """What `/health` adds: engines and versions, holds, and how much is under way."""
    versions, terms = pipeline.versions, pipeline.terms
    shown = terms.get(versions.active) or next(iter(terms.values()))
    return {
        "engine": shown.engine.name,
        "analysis_version": versions.active,
        "also_analysed_under": list[JsonValue](versions.also),
        "engines": {version: one.engine.name for version, one in terms.items()},
        "budget": {
            "daily_usd": pipeline.spending.daily_usd,
            "reserved_usd": round(pipeline.spending.reserved_usd, 6),
            "used_up_for": [lane.value for lane in pipeline.spending.lanes_without_budget()],
        },
        "breaker": _circuit(pipeline).value,
        **describe_holds(pipeline.holds),
        "blocked": {lane.value: reason for lane, reason in pipeline.ledger.blocked.items()},
        "partitions": {lane.value: list[JsonValue](sorted(owned)) for lane, owned in pipeline.assigned.items()},
        "share": round(pipeline.permits.share, 4),
        "queue_depth": {lane.value: pipeline.window.waiting(lane) for lane in LANES_IN_ORDER},
        "in_flight": pipeline.ledger.unacknowledged,
        "calls_in_flight": pipeline.dispatcher.calls_in_flight,
        "batch_maximum": _batch_maximum(pipeline),
    }


def describe_holds(holds: Holds) -> dict[str, JsonValue]:
    """Why lanes are held, and until when."""
    active = holds.active()
    return {
        "holds": {lane.value: hold.reason for lane, hold in active.items()},
        "held_until": {lane.value: holds.ends_at(hold).isoformat() for lane, hold in active.items()},
    }


def register_gauges(pipeline: Pipeline, clock: Callable[[], float]) -> None:
    """Let the gauges read the pipeline when they are scraped, so that they cost nothing in between."""
    for lane in LANES_IN_ORDER:
        _register_gauges_of(lane, pipeline)
    BATCH_MAXIMUM.set_function(lambda: _batch_maximum(pipeline))
    BREAKER_STATE.set_function(lambda: _STATES[_circuit(pipeline)])
    VERSIONS_MISSING.set_function(lambda: len(pipeline.versions.missing))
    for version in pipeline.terms:
        _register_version(version, pipeline)
    BUDGET.set(math.inf if pipeline.spending.daily_usd is None else pipeline.spending.daily_usd)
    BUDGET_RESERVED.set_function(lambda: pipeline.spending.reserved_usd)
    SHARE.set_function(lambda: pipeline.permits.share)
    OLDEST_WAITING_SECONDS.set_function(
        lambda: clock() - oldest if (oldest := pipeline.window.oldest_arrival()) is not None else 0
    )


def _register_version(version: str, pipeline: Pipeline) -> None:
    versions = pipeline.versions
    VERSION_LIVE.labels(version).set_function(
        lambda: 2 if version == versions.active else 1 if version in versions.also else 0
    )


def _register_gauges_of(lane: Lane, pipeline: Pipeline) -> None:
    window = pipeline.ledger.window(lane)
    IN_FLIGHT_RECORDS.labels(lane.value).set_function(lambda: window.count)
    IN_FLIGHT_BYTES.labels(lane.value).set_function(lambda: window.bytes)
    QUEUE_DEPTH.labels(lane.value).set_function(lambda: pipeline.window.waiting(lane))
    BUDGET_USED_UP.labels(lane.value).set_function(lambda: lane in pipeline.spending.lanes_without_budget())
    HELD.labels(lane.value).set_function(lambda: lane in pipeline.dispatcher.held_lanes())
