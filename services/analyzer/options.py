"""What the analyzer is told, as values: `resources` makes them of the settings."""

from dataclasses import dataclass

from services.analyzer.calls import CallPolicy
from services.analyzer.recall import Patience


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the whole fleet; 0 is no limit."""

    calls_per_second: float
    tokens_per_minute: float
    pace: float
    """The part of them that is used."""


@dataclass(frozen=True, slots=True)
class Batching:
    """When a window closes, and how much goes into a batch."""

    window_seconds: float
    min_batch: int
    start_batch: int
    max_batch: int
    token_budget: int


@dataclass(frozen=True, slots=True)
class InFlight:
    """The bounds of a lane between Kafka and its acknowledgement."""

    max_bytes: int
    max_count: int | None
    """None is what full use of the limits needs."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Of the consumer group."""

    instance_id: str | None
    """Static membership; None is dynamic."""
    session_timeout_seconds: float


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """Everything that a pipeline needs to know."""

    instance: str
    """How this instance signs what it writes to the control log."""
    membership: Membership
    limits: Limits
    batching: Batching
    in_flight: InFlight
    policy: CallPolicy
    patience: Patience
    call_timeout_seconds: float
    drain_seconds: float
    daily_budget_usd: float | None
    """None is no limit."""
    breaker_threshold: int
    breaker_cooldown_seconds: float
    cache_size: int
    prefilter_min_characters: int | None
    """None analyses everything."""
