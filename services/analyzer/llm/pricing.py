"""What a call cost: read from the provider's `usage` where it says so, else from the price table.

`usage` is as untrusted as the rest of an answer: numbers are bounded, anything else counts as not stated.
"""

from typing import Any

from services.analyzer.engine import Usage
from services.analyzer.llm.options import Price

USD_PER_TICK = 1e-10
"""Source: docs.x.ai, cost tracking: 1 USD = 10,000,000,000 ticks."""
_MILLION = 1_000_000
_MOST_TOKENS = 10_000_000
"""No call can use more; a larger figure is an error of the provider."""
_MOST_TICKS = 10_000_000_000_000
"""1,000 US dollars; likewise."""


def usage_of(stated: Any, price: Price) -> Usage:
    """Read a Chat Completions `usage` object; zeros for what it does not state.

    Reasoning tokens are billed as output. xAI leaves them out of `completion_tokens` and adds them to
    `total_tokens`, others include them: the larger of the two readings is taken.
    """
    if not isinstance(stated, dict):
        return Usage()
    prompt = _tokens(stated.get("prompt_tokens"))
    output = max(_tokens(stated.get("completion_tokens")), _tokens(stated.get("total_tokens")) - prompt)
    details = stated.get("prompt_tokens_details")
    cached = min(prompt, _tokens(details.get("cached_tokens")) if isinstance(details, dict) else 0)
    usage = Usage(prompt, cached, output)
    cost = _ticks_as_usd(stated.get("cost_in_usd_ticks"))
    return Usage(prompt, cached, output, cost_of(usage, price) if cost is None else cost)


def cost_of(usage: Usage, price: Price) -> float:
    """US dollars for these tokens by the price table."""
    fresh = usage.input_tokens - usage.cached_input_tokens
    dollars = (
        fresh * price.input_usd
        + usage.cached_input_tokens * price.cached_input_usd
        + usage.output_tokens * price.output_usd
    )
    return dollars / _MILLION


def _tokens(stated: Any) -> int:
    is_count = isinstance(stated, int) and not isinstance(stated, bool)
    return min(stated, _MOST_TOKENS) if is_count and stated > 0 else 0


def _ticks_as_usd(ticks: Any) -> float | None:
    if not isinstance(ticks, int | float) or isinstance(ticks, bool):
        return None
    # Compared before it is multiplied: an integer of hundreds of digits fits into no float. NaN is in no range.
    return ticks * USD_PER_TICK if 0 <= ticks <= _MOST_TICKS else None
