"""Metrics of the HTTP half, shared by all services."""

import os

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from services.runtime.metrics import REGISTRY, SECONDS, Counter, Gauge, Histogram

REQUEST_SECONDS = Histogram(
    "undertone_http_request_seconds",
    "Time from a request's arrival to its answer, by method, route and status.",
    ["method", "route", "status"],
    buckets=SECONDS,
)
CONNECTIONS_REFUSED = Counter(
    "undertone_http_connections_refused",
    "Connections and requests cut off before the application saw them, by reason.",
    ["reason"],
)
CONNECTIONS_OPEN = Gauge("undertone_http_connections_open", "Open connections.", multiprocess_mode="livesum")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_children: dict[tuple[str, str, int], Histogram] = {}


def written_metrics() -> bytes:
    """All metrics in Prometheus' text format; of every worker, where several processes serve one port."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    everybody = CollectorRegistry()
    MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
    return generate_latest(everybody)


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request. Invented methods count as `other`, so that strangers cannot make series."""
    key = (method, route, status)
    child = _children.get(key)
    if child is None:
        key = (method if method in _METHODS else "other", route, status)
        child = _children.setdefault(key, REQUEST_SECONDS.labels(key[0], route, str(status)))
    child.observe(seconds)
