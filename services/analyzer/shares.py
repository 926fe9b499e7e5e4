"""What a call used, shared among the conversations that were in it, so that the parts add up to the whole. Pure.

Whoever got a finding carries it all. Where nobody did, those who wait carry it until they have an outcome.
"""

from collections.abc import Sequence

from services.analyzer.budget import NANO
from services.analyzer.engine import NOTHING, Usage
from services.runtime.splitting import split


def share_out(usage: Usage, input_weights: Sequence[int], output_weights: Sequence[int]) -> list[Usage]:
    """A part for each; the cost, to a billionth of a dollar, goes with the tokens."""
    inputs, outputs = split(usage.input_tokens, input_weights), split(usage.output_tokens, output_weights)
    tokens = [given + taken for given, taken in zip(inputs, outputs, strict=True)]
    costs = split(_nanousd(usage), tokens if any(tokens) else output_weights)
    return [Usage(given, 0, taken, cost / NANO) for given, taken, cost in zip(inputs, outputs, costs, strict=True)]


def added(one: Usage, other: Usage) -> Usage:
    """Both together."""
    if other == NOTHING:
        return one
    return Usage(
        one.input_tokens + other.input_tokens,
        one.cached_input_tokens + other.cached_input_tokens,
        one.output_tokens + other.output_tokens,
        (_nanousd(one) + _nanousd(other)) / NANO,
    )


def left_of(usage: Usage, carried: Sequence[Usage]) -> Usage:
    """What nobody of these carries."""
    cost = _nanousd(usage) - sum(map(_nanousd, carried))
    return Usage(
        input_tokens=max(0, usage.input_tokens - sum(one.input_tokens for one in carried)),
        output_tokens=max(0, usage.output_tokens - sum(one.output_tokens for one in carried)),
        cost_usd=max(0, cost) / NANO,
    )


def _nanousd(usage: Usage) -> int:
    return round(usage.cost_usd * NANO)
