"""Whether the ingress can do its work: whether Kafka answers."""

from collections.abc import Callable

from pydantic import JsonValue

from services.ingress.resources import Resources
from services.runtime.health import CheckResult, Health
from services.runtime.rate_limits import ClientLimiter


def health_of(resources: Callable[[], Resources], windows: ClientLimiter) -> Health:
    """The checks of the ingress."""

    async def kafka() -> CheckResult:
        opened = resources()
        if opened.publisher.is_connected and await opened.is_kafka_reachable():
            return CheckResult(ok=True)
        return CheckResult(ok=False, detail=f"Kafka does not answer at {opened.bootstrap_servers}")

    def describe() -> dict[str, JsonValue]:
        return {"waiting_sends": resources().publisher.waiting, "client_limits": windows.description}

    return Health("ingress", {"kafka": kafka}, describe)
