"""What the LLM engine is told: where to call, as whom, which model, and what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from pydantic import SecretStr

ReasoningEffort = Literal["none", "low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    input_usd: float
    cached_input_usd: float
    output_usd: float


PRICES: Mapping[str, Price] = MappingProxyType({"grok-4.3": Price(1.25, 0.20, 2.50)})
"""List prices of the default model (docs.x.ai, models and pricing, May 2026; prompts up to 200,000 tokens)."""

PRICE_OF_UNKNOWN_MODEL = Price(6.0, 6.0, 30.0)
"""Dearer than the known models: a budget errs towards stopping early, never towards overspending."""


@dataclass(frozen=True, slots=True)
class LlmOptions:
    """Everything the engine needs; the analyzer's settings make one of these."""

    base_url: str = "https://api.x.ai/v1"
    model: str = "grok-4.3"
    api_key: SecretStr | None = None
    timeout_seconds: float = 60.0
    """For a whole call, from the first byte sent to the last one read."""
    max_connections: int = 600
    """At least calls/s times the timeout, else calls wait for a connection and the pace is lost."""
    reasoning_effort: ReasoningEffort | None = "low"
    """Left out when None, and from then on when the endpoint refuses it."""
    max_conversation_characters: int = 12_000
    """A longer conversation is shortened in the middle; about 3,000 tokens."""
    output_tokens_per_conversation: int = 400
    """Room in the answer for one result; a call may also think for `THINKING_TOKENS`."""
    prices: Mapping[str, Price] = field(default_factory=lambda: PRICES)

    @property
    def price(self) -> Price:
        """What the model costs; a dear guess when nobody said."""
        return self.prices.get(self.model, PRICE_OF_UNKNOWN_MODEL)
