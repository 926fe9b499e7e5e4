"""What a replay would take at most: tokens, dollars and hours, by the analyzer's own estimates. Pure.

Of equal contents one is paid for, and what is known under the version costs nothing. Conversations that the prefilter
would skip are counted: it is an upper bound of what the estimates say.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.conversation_received import ConversationReceived

_HASH_DIGITS = 14


@dataclass(frozen=True, slots=True)
class Tariff:
    """How an engine charges, and how fast the whole fleet may call it."""

    estimate: Callable[[ConversationReceived], tuple[int, int]]
    """(input, output) tokens that a conversation adds to a call."""
    tokens_of_call: int
    """Input tokens of a call before its first conversation."""
    cost_usd: Callable[[int, int], float]
    """US dollars for input and output tokens."""
    calls_per_second: float
    """What is permitted, after the pace; 0 is no limit."""
    tokens_per_minute: float
    largest_batch: int
    batch_tokens: int
    daily_budget_usd: float | None
    """None: no limit."""


@dataclass(frozen=True, slots=True)
class Price:
    """What is left to be analysed takes so much at most."""

    calls: int
    tokens: int
    cost_usd: float
    hours: float
    """At the rates that are permitted, when nothing live is waiting."""
    days_of_budget: float | None
    """How many days' budgets it takes; None without a budget."""


@dataclass(slots=True)
class Tally:
    """What a dry run counts; equal contents are recognised by 56 bits of their hash, which is plenty for a sum."""

    conversations: int = 0
    known: int = 0
    repeated: int = 0
    """Their content is that of another one that is not known."""
    input_tokens: int = 0
    output_tokens: int = 0
    _seen: set[int] = field(default_factory=set)

    def add(self, conversation: ConversationReceived, tariff: Tariff | None, *, is_known: bool) -> None:
        """Take one into account; without a tariff it costs nothing."""
        self.conversations += 1
        if is_known:
            self.known += 1
            return
        content = int(conversation.content_hash[:_HASH_DIGITS], 16)
        if content in self._seen:
            self.repeated += 1
            return
        self._seen.add(content)
        if tariff is not None:
            given, taken = tariff.estimate(conversation)
            self.input_tokens += given
            self.output_tokens += taken

    @property
    def to_analyse(self) -> int:
        """Contents that an engine would see."""
        return self.conversations - self.known - self.repeated


def price_of(tally: Tally, tariff: Tariff) -> Price:
    """What the tally takes."""
    if not tally.to_analyse:
        return Price(0, 0, 0.0, 0.0, None if tariff.daily_budget_usd is None else 0.0)
    mean_input = max(1.0, tally.input_tokens / tally.to_analyse)
    batch = max(1, min(tariff.largest_batch, int(tariff.batch_tokens / mean_input)))
    calls = math.ceil(tally.to_analyse / batch)
    input_tokens = tally.input_tokens + calls * tariff.tokens_of_call
    tokens = input_tokens + tally.output_tokens
    seconds = calls / tariff.calls_per_second if tariff.calls_per_second else 0.0
    if tariff.tokens_per_minute:
        seconds = max(seconds, tokens / tariff.tokens_per_minute * 60)
    cost = tariff.cost_usd(input_tokens, tally.output_tokens)
    budget = tariff.daily_budget_usd
    days = None if budget is None else (cost / budget if budget else math.inf)
    return Price(calls, tokens, cost, seconds / 3600, days)
