"""The LLM as an engine: one call a batch, and of its answer only what can be believed."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from services.analyzer.engine import (
    Answer,
    AnswerTruncated,
    AnswerUnusable,
    EngineMisconfigured,
    EngineUnavailable,
    PreparedCall,
    Refusal,
    Task,
    Usage,
)
from services.analyzer.llm.client import ChatClient, Completion, Request, open_chat_client
from services.analyzer.llm.findings import answer_of, answer_without
from services.analyzer.llm.headers import RateLimits
from services.analyzer.llm.options import LlmOptions
from services.analyzer.llm.pricing import cost_of
from services.analyzer.llm.prompt import (
    INSTRUCTION_TOKENS,
    PROMPT_VERSION,
    THINKING_TOKENS,
    Prompt,
    estimate_task,
    most_input_tokens,
    write_prompt,
)
from services.analyzer.llm.reading import Reading, read_completion
from services.analyzer.llm.refusals import ContentRefused, PromptTooLong
from services.analyzer.llm.sending import Plan, plan_call
from services.analyzer.llm.validation import Asked, Believed, judge
from services.runtime.logs import get_logger

_UNUSABLE_IN_A_ROW = 20
"""More than a search for a bad conversation meets: then the model is out of order, not a conversation."""
_LONGEST_VERSION = 64
_NOT_IN_A_VERSION = re.compile(r"[^A-Za-z0-9._:-]")

_log = get_logger(__name__)


class LlmEngine:
    """Judges a batch by one call; get one from `open_llm_engine`."""

    is_paced = True

    def __init__(self, client: ChatClient, options: LlmOptions) -> None:
        self._client = client
        self._options = options
        self._unusable_in_a_row = 0
        self.name = f"llm ({options.model})"
        self.analysis_version = analysis_version_of(options.model)

    @property
    def rate_limits(self) -> RateLimits | None:
        """What the provider last said about its limits."""
        return self._client.rate_limits

    def tell_rate_limits(self, listener: Callable[[RateLimits], None]) -> None:
        """Tell what each answer says about them."""
        self._client.on_rate_limits = listener

    @property
    def call_tokens(self) -> int:
        """Estimated tokens of a call before its first conversation."""
        return INSTRUCTION_TOKENS

    def estimate_tokens(self, task: Task) -> int:
        """Estimated tokens, in and out, that a conversation adds to a call."""
        return sum(estimate_task(task, self._options.max_conversation_characters))

    def estimate_usage(self, batch: Sequence[Task]) -> Usage:
        """What a call for these would use and cost; on the careful side, nothing taken as cached."""
        estimates = [estimate_task(task, self._options.max_conversation_characters) for task in batch]
        usage = Usage(
            input_tokens=INSTRUCTION_TOKENS + sum(given for given, _ in estimates),
            output_tokens=sum(taken for _, taken in estimates),
        )
        return replace(usage, cost_usd=cost_of(usage, self._options.price))

    def most_usd(self, batch: Sequence[Task]) -> float:
        """What a call for these can cost at most: every token that the answer has room for, nothing cached."""
        options = self._options
        usage = Usage(
            input_tokens=most_input_tokens(batch, options.max_conversation_characters),
            output_tokens=options.output_tokens_per_conversation * len(batch) + THINKING_TOKENS,
        )
        return cost_of(usage, options.price)

    async def warm(self, connections: int) -> None:
        """Open connections ahead of the first calls."""
        await self._client.warm(connections)

    async def analyze(self, batch: Sequence[Task]) -> Answer:
        """One call, one result a task, by position. Raises an EngineError when the call fails as a whole."""
        return await self.prepare(batch)(lambda: None)

    def prepare(self, batch: Sequence[Task]) -> PreparedCall:
        """The same, ready to be sent: its prompt is written and encoded."""
        if not batch:
            return _no_call
        plan = plan_call(batch)
        prompt = write_prompt([batch[at] for at in plan.sent], self._options.max_conversation_characters)
        request = self._client.prepare(prompt)
        return lambda on_sent: self._call(plan, prompt, request, on_sent)

    async def _call(self, plan: Plan, prompt: Prompt, request: Request, on_sent: Callable[[], None]) -> Answer:
        try:
            completion = await self._client.complete(request, on_sent)
        except ContentRefused as error:
            if len(plan.sent) > 1:
                raise
            return answer_without(plan, error.reason, error.usage)
        except PromptTooLong as error:
            if len(plan.sent) > 1:
                raise
            raise EngineMisconfigured(f"{error.reason}, even for one shortened conversation") from error
        return answer_of(
            plan,
            self._judged(plan, prompt, completion),
            model=self._options.model,
            usage=completion.usage,
            input_weights=prompt.shares,
            completion=completion.text,
        )

    def _judged(self, plan: Plan, prompt: Prompt, completion: Completion) -> tuple[Believed | Refusal, ...]:
        asked = [Asked(fence, plan.passages[at]) for fence, at in zip(prompt.ids, plan.sent, strict=True)]
        verdicts = judge(self._read(completion), asked)
        refused = [verdict.reason for verdict in verdicts.by_position if isinstance(verdict, Refusal)]
        if refused or verdicts.foreign_results:
            _log.warning(
                "llm_results_refused",
                sent=len(asked),
                foreign=verdicts.foreign_results,
                refused={reason: refused.count(reason) for reason in sorted(set(refused))},
            )
        return verdicts.by_position

    def _read(self, completion: Completion) -> Reading:
        reading = read_completion(completion.text)
        if completion.is_cut_off and not reading.is_whole:
            reading = replace(reading, is_cut_off=True)
        if reading.is_cut_off and not reading.results:
            raise AnswerTruncated("the answer ended before its first result", usage=completion.usage)
        if reading.is_readable:
            self._unusable_in_a_row = 0
            return reading
        self._unusable_in_a_row += 1
        if self._unusable_in_a_row > _UNUSABLE_IN_A_ROW:
            raise EngineUnavailable("no answer is readable any more", usage=completion.usage)
        raise AnswerUnusable("the answer is not the JSON that was asked for", usage=completion.usage)


async def _no_call(_: Callable[[], None]) -> Answer:
    return Answer(())


def analysis_version_of(model: str) -> str:
    """Model and prompt in one word: `grok-4.3-p1`."""
    word = _NOT_IN_A_VERSION.sub("-", model)[: _LONGEST_VERSION - len(PROMPT_VERSION) - 1]
    return f"{word}-{PROMPT_VERSION}"


@asynccontextmanager
async def open_llm_engine(options: LlmOptions) -> AsyncIterator[LlmEngine]:
    """The engine with connections of its own. Raises EngineMisconfigured for an impossible address or key."""
    async with open_chat_client(options) as client:
        yield LlmEngine(client, options)
