"""Real analyzer processes that call the simulator, and what the control log says of their money."""

import uuid

from schemas.analysis_control import SpendReserved, SpendSettled
from schemas.codec import decode
from schemas.topics import CONTROL
from services.analyzer.budget import NANO, Budget, day_of
from tests.integration.analyzer.world import World
from undertone.simulator.server import Running


def llm_settings(simulator: Running, **more: str) -> dict[str, str]:
    """The environment of an analyzer that calls this simulator."""
    return {
        "ANALYZER_ENGINE": "llm",
        "ANALYZER_LLM_BASE_URL": simulator.base_url,
        "XAI_API_KEY": f"not-a-key-{uuid.uuid4()}",
        "ANALYZER_BREAKER_COOLDOWN_SECONDS": "0.5",
        "ANALYZER_SESSION_TIMEOUT_SECONDS": "6",
        **more,
    }


async def reserved_usd(world: World, daily_usd: float) -> float:
    """What the log says is spent or reserved, as any reader adds it up."""
    budget, days = Budget(daily_usd), set()
    for record in await world.records(CONTROL):
        event, at = decode(record, CONTROL).event, record.timestamp_ms / 1000
        if isinstance(event, SpendReserved):
            budget.reserve(event.reservation_id, event.amount_usd, at, event.daily_budget_usd)
            days.add(day_of(at))
        elif isinstance(event, SpendSettled):
            budget.settle(event.reservation_id, event.spent_usd)
    return sum(budget.reserved(day) for day in days) / NANO


async def unsettled_usd(world: World) -> float:
    """Money of blocks that nobody gave back: asked for by killed instances."""
    asked: dict[uuid.UUID, float] = {}
    for record in await world.records(CONTROL):
        event = decode(record, CONTROL).event
        if isinstance(event, SpendReserved):
            asked[event.reservation_id] = event.amount_usd
        elif isinstance(event, SpendSettled):
            asked.pop(event.reservation_id, None)
    return sum(asked.values())
