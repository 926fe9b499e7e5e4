"""The protocol between the analyzer and whatever judges conversations: an LLM, the offline engine, a fake.

An engine is handed a batch of tasks of one lane and one analysis version and gives back one result a task, by
position. It owns no retries, no pacing and no publishing: those belong to the analyzer. What it guarantees:

- `Answer.results` has exactly one entry a task, in the order of the batch;
- a `Finding` is within the bounds of the contract (`schemas.insight_produced`) whatever a model said, and its
  evidence occurs in its own conversation;
- a conversation the engine cannot judge is a `Refusal` and never hurts its neighbours;
- when the call fails as a whole it raises an `EngineError`, whose class says what the analyzer does next;
  each carries the `Usage` of the failed call: what was spent counts even when nothing came of it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, Self, runtime_checkable

from schemas.conversation_received import Turn
from schemas.insight_produced import Path


@dataclass(frozen=True, slots=True)
class Task:
    """One conversation to analyse; `language` is what the sender declared, if anything."""

    conversation_id: str
    content_hash: str
    turns: tuple[Turn, ...]
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call cost; zeros for an engine that spends nothing."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


NOTHING: Final = Usage()


@dataclass(frozen=True, slots=True)
class Finding:
    """What an engine says of one conversation, validated and within the contract's bounds."""

    sentiment_score: float
    """-1 (very unhappy) to 1 (very happy)."""
    clusters: tuple[str, ...]
    """1 to 5 slugs, as the engine named them; `schemas.subjects` maps them to the registry."""
    confidence: float
    """0 to 1: how often a finding like this one has the right sentiment."""
    reasoning: str
    """At most 500 characters, for a person."""
    evidence: str
    """3 to 12 words in a row out of this conversation; fewer only where the text has fewer."""
    summary: str
    """At most 280 characters, one line."""
    path: Path
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    completion: str | None = None
    """This conversation's part of the raw completion, where there was one."""

    @property
    def usage(self) -> Usage:
        """Its share of what the call used."""
        return Usage(self.input_tokens, 0, self.output_tokens, self.cost_usd)


@dataclass(frozen=True, slots=True)
class Refusal:
    """No finding for this conversation.

    `reason` is a code (`missing_result`, `evidence_not_found`, …), `detail` a sentence free of conversation
    text. A final refusal would come again (a content filter, a text the engine cannot take): the conversation
    fails at once. Any other one may succeed when sent again.
    """

    reason: str
    detail: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a call ended."""

    usage: Usage | None
    """None when it was given up on the way."""
    is_answered: bool = False
    """The provider worked on it and said so: it does not limit us."""
    is_cost_known: bool = True
    is_sent: bool = True
    """False when the call was not made after all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call gave: a finding or a refusal for each task, by position, and what the call cost."""

    results: tuple[Finding | Refusal, ...]
    usage: Usage = field(default_factory=Usage)
    completion: str | None = None
    """The raw completion of the whole call, where there was one."""


class EngineError(Exception):
    """The call failed as a whole: no task of the batch has a result.

    The message names the cause for an operator and holds no conversation text and no key.
    """

    is_cost_known = True
    """Whether `usage` is all that the call cost. A call that was sent and lost may have been paid for."""

    def __init__(self, reason: str, *, usage: Usage | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.usage = usage or Usage()

    def of_unknown_cost(self) -> Self:
        """This error, of a call that the provider may have worked on."""
        self.is_cost_known = False
        return self


class EngineUnavailable(EngineError):  # noqa: N818 - named for the state, as callers read it
    """An outage (5xx, timeout, reset): back off, count toward the breaker; it fails no conversation."""


class EngineLimited(EngineError):  # noqa: N818 - named for the state, as callers read it
    """The provider asked for a pause (429): the fleet holds for `hold_seconds`; it costs no attempt."""

    def __init__(self, reason: str, *, hold_seconds: float, usage: Usage | None = None) -> None:
        super().__init__(reason, usage=usage)
        self.hold_seconds = hold_seconds


class EngineMisconfigured(EngineError):  # noqa: N818 - named for the state, as callers read it
    """Bad key, no credit, unknown model: one call a minute looks whether a person acted; nothing is dead-lettered."""


class AnswerTruncated(EngineError):  # noqa: N818 - named for the state, as callers read it
    """The answer ended before its first complete result: send smaller batches.

    Where some results were complete the engine gives an `Answer` with `Refusal("truncated", …)` for the rest.
    """


class AnswerUnusable(EngineError):  # noqa: N818 - named for the state, as callers read it
    """An answer came and nothing in it could be read: the search for a bad conversation begins."""


class Engine(Protocol):
    """Judges batches of conversations. Safe to call from several tasks at once."""

    @property
    def name(self) -> str:
        """How the engine is called in the start line, `/readyz` and summaries."""
        ...

    @property
    def analysis_version(self) -> str:
        """Engine, model and prompt in one word (`offline-2`); part of every insight's identity."""
        ...

    @property
    def is_paced(self) -> bool:
        """Whether its calls draw on the fleet's calls/s, tokens/min and budget."""
        ...

    async def analyze(self, batch: Sequence[Task]) -> Answer:
        """One result a task, by position. Raises an `EngineError` when the call fails as a whole.

        A cancelled call leaves nothing behind. An empty batch gives an empty answer.
        """
        ...


PreparedCall = Callable[[Callable[[], None]], Awaitable[Answer]]
"""A call of which everything is done but the sending; it tells the callable when its first bytes have gone out."""


@runtime_checkable
class PreparesCalls(Protocol):
    """An engine whose calls are paced, so that what takes time has to be done before a call starts."""

    def prepare(self, batch: Sequence[Task]) -> PreparedCall:
        """As `analyze`, which it is in two steps; a call is sent once."""
        ...


def prepared(engine: Engine, batch: Sequence[Task]) -> PreparedCall:
    """A call of any engine that is ready to be sent."""
    if isinstance(engine, PreparesCalls):
        return engine.prepare(batch)

    async def call(_: Callable[[], None]) -> Answer:
        return await engine.analyze(batch)

    return call
