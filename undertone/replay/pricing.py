"""What a replay would take: tokens, dollars and hours, by the analyzer's own estimates and limits. Pure.

Of equal contents one is paid for, and what is known under the version costs nothing. Conversations that the prefilter
would skip are counted. Calls and hours follow from how the analyzers batch and pace (course.py), with what live traffic
leaves of the limits.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from schemas.conversation_received import ConversationReceived
from services.analyzer.budget import DAY_SECONDS
from services.analyzer.wallet import LIVE_PART
from undertone.replay.course import Fleet, course_of

_HASH_DIGITS = 14
LEAST_SHARE = 0.05
"""Where live traffic leaves less than this of the limits, nobody can say how long a replay takes."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of a conversation: what it probably adds to a call, and the most that it may."""

    given: int
    taken: int
    most_given: int
    most_taken: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """How an engine charges, and how fast the whole fleet may call it."""

    estimate: Callable[[ConversationReceived], Tokens]
    call: Tokens
    """The same of a call before its first conversation."""
    cost_usd: Callable[[int, int], float] | None
    """US dollars for input and output tokens; None: nobody knows the price of the model."""
    model: str
    price_from: str
    """Where the price is from, or, where it is not known, what gives it."""
    calls_per_second: float
    """What is permitted, after the pace; 0 is no limit."""
    tokens_per_minute: float
    first_batch: int
    largest_batch: int
    batch_tokens: int
    window_seconds: float
    most_in_flight: int
    daily_budget_usd: float | None
    """None: no limit."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What goes on beside a replay."""

    instances: int = 1
    """Analyzers at work."""
    live_per_second: float = 0.0
    """Live conversations, each as often as it is analysed by an engine that costs."""
    replay_per_second: float = 0.0
    """How fast the replay may send; 0 is no limit."""


@dataclass(frozen=True, slots=True)
class Waits:
    """What keeps a replay from starting."""

    held_seconds: float = 0.0
    """How long the replay lane is held yet."""
    hold_reason: str = ""
    spent_usd: float = 0.0
    """Of today's budget, by all analyzers, reserved or spent."""
    seconds_to_midnight: float = DAY_SECONDS
    """Until the next UTC day has a budget of its own."""


NO_WAITS = Waits()


@dataclass(frozen=True, slots=True)
class Price:
    """What is left to be analysed takes so much."""

    calls: int
    tokens: int
    cost_usd: float | None
    """Probably; None where no price is known."""
    most_usd: float | None
    """With every answer as long as it may be; calls that fail and are repeated come on top."""
    hours: float | None
    """None: live traffic leaves too little to say."""
    days_of_budget: float | None
    """How many days' budgets it takes, without what live traffic keeps; None without a budget or a price."""


@dataclass(slots=True)
class Tally:
    """What a dry run counts; equal contents are recognised by 56 bits of their hash, which is plenty for a sum."""

    conversations: int = 0
    known: int = 0
    repeated: int = 0
    """Their content is that of another one that is not known."""
    tokens: Tokens = Tokens(0, 0, 0, 0)
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
            self.tokens = _sum(self.tokens, tariff.estimate(conversation))

    @property
    def to_analyse(self) -> int:
        """Contents that an engine would see."""
        return self.conversations - self.known - self.repeated


def price_of(tally: Tally, tariff: Tariff, beside: Beside, waits: Waits = NO_WAITS) -> Price:
    """What the tally takes, from now on."""
    budget = tariff.daily_budget_usd
    if not tally.to_analyse:
        return Price(0, 0, 0.0, 0.0, 0.0, None if budget is None else 0.0)
    mean = max(1.0, (tally.tokens.given + tally.tokens.taken) / tally.to_analyse)
    share = _share_of_replays(tariff, beside, mean)
    course = course_of(tally.to_analyse, _fleet(tariff, beside, mean, max(share, LEAST_SHARE)))
    tokens = _sum(tally.tokens, tariff.call, course.calls)
    cost = most = days = None
    if tariff.cost_usd is not None:
        cost = tariff.cost_usd(tokens.given, tokens.taken)
        most = tariff.cost_usd(tokens.most_given, tokens.most_taken)
    if budget is not None and cost is not None:
        days = cost / (budget * (1 - LIVE_PART)) if budget else math.inf
    seconds = None
    if share >= LEAST_SHARE:
        work = _seconds_of_work(tokens, course.seconds, tariff, share)
        seconds = waits.held_seconds + work
        if days:
            seconds = max(seconds, _seconds_by_budget(work, days, room_today(tariff, waits), waits))
    hours = None if seconds is None else seconds / 3600
    return Price(course.calls, tokens.given + tokens.taken, cost, most, hours, days)


def room_today(tariff: Tariff, waits: Waits) -> float:
    """The part of a whole day's budget for replays that is left today: 1 where there is no limit."""
    budget = tariff.daily_budget_usd
    if budget is None:
        return 1.0
    return max(0.0, 1 - waits.spent_usd / (budget * (1 - LIVE_PART))) if budget else 0.0


def _share_of_replays(tariff: Tariff, beside: Beside, mean_tokens: float) -> float:
    """The part of the limits that live traffic leaves: it goes first."""
    live = beside.live_per_second
    share = 1.0
    if tariff.calls_per_second:
        # Alone while little comes, a window's worth in a call while more does; never more than the batch at its start.
        windows = beside.instances / tariff.window_seconds if tariff.window_seconds else math.inf
        share = 1 - max(min(live, windows), live / tariff.first_batch) / tariff.calls_per_second
    if tariff.tokens_per_minute:
        share = min(share, 1 - live * 60 * (mean_tokens + tariff.call.given) / tariff.tokens_per_minute)
    return max(0.0, share)


def _fleet(tariff: Tariff, beside: Beside, mean_tokens: float, share: float) -> Fleet:
    calls_per_second = tariff.calls_per_second * share
    largest = min(tariff.largest_batch, int(tariff.batch_tokens / mean_tokens))
    if beside.replay_per_second:  # of what comes slowly no more goes into a call than waits when it may start
        slot = beside.instances / calls_per_second if calls_per_second else 0.0
        largest = min(largest, int(beside.replay_per_second / beside.instances * max(tariff.window_seconds, slot)))
    largest = max(1, largest)
    return Fleet(
        instances=beside.instances,
        calls_per_second=calls_per_second,
        first_batch=min(tariff.first_batch, largest),
        largest_batch=largest,
        most_in_flight=tariff.most_in_flight,
        arrivals_per_second=beside.replay_per_second,
    )


def _seconds_of_work(tokens: Tokens, seconds: float, tariff: Tariff, share: float) -> float:
    if tariff.tokens_per_minute:
        seconds = max(seconds, (tokens.given + tokens.taken) / (tariff.tokens_per_minute * share) * 60)
    return seconds


def _seconds_by_budget(work: float, days: float, room: float, waits: Waits) -> float:
    """Until the day begins whose budget has enough for the rest, and the work on that."""
    rest = days - room
    if rest <= 0 or math.isinf(rest):
        return max(0.0, rest)
    whole_days = math.ceil(rest) - 1
    return waits.seconds_to_midnight + whole_days * DAY_SECONDS + work * (rest - whole_days) / days


def _sum(one: Tokens, other: Tokens, times: int = 1) -> Tokens:
    return replace(
        one,
        given=one.given + times * other.given,
        taken=one.taken + times * other.taken,
        most_given=one.most_given + times * other.most_given,
        most_taken=one.most_taken + times * other.most_taken,
    )
