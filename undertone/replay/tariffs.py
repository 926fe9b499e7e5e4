"""The tariff of an analysis version: what its engine charges, by the analyzer's own settings and estimates."""

import re
from collections.abc import Callable

from schemas.conversation_received import ConversationReceived
from services.analyzer.engine import Task, Usage
from services.analyzer.in_flight import default_for_paced, needed_by_paced
from services.analyzer.llm.engine import analysis_version_of
from services.analyzer.llm.options import PRICES, LlmOptions
from services.analyzer.llm.pricing import cost_of
from services.analyzer.llm.prompt import INSTRUCTION_TOKENS, THINKING_TOKENS, estimate_task, most_input_tokens
from services.analyzer.offline.engine import OFFLINE_VERSION
from services.analyzer.resources import llm_options
from services.analyzer.settings import OFFLINE, AnalyzerSettings
from undertone.replay.pricing import Tariff, Tokens

_PROMPT = re.compile(r"-p\d+$")
_SETTINGS = "ANALYZER_LLM_PRICE_INPUT_USD and ANALYZER_LLM_PRICE_OUTPUT_USD"


def tariff_of(version: str | None, settings: AnalyzerSettings) -> Tariff | None:
    """None where the engine costs nothing and is not limited. `version` None is the one that the settings make."""
    configured = analysis_version_of(settings.llm_model) if settings.uses_llm else OFFLINE_VERSION
    version = version or configured
    if version == OFFLINE_VERSION:
        return None
    options = llm_options(settings, _model_of(version, settings))
    budget = settings.daily_budget_usd
    cost_usd, price_from = _price(options)
    return Tariff(
        estimate=_estimate(options),
        call=Tokens(INSTRUCTION_TOKENS, 0, most_input_tokens([], 0), THINKING_TOKENS),
        cost_usd=cost_usd,
        model=options.model,
        price_from=price_from,
        calls_per_second=settings.calls_per_second * settings.pace,
        tokens_per_minute=settings.tokens_per_minute * settings.pace,
        first_batch=settings.start_batch,
        largest_batch=settings.max_batch,
        batch_tokens=settings.batch_tokens,
        window_seconds=settings.window_seconds,
        most_in_flight=_most_in_flight(settings),
        daily_budget_usd=None if budget == "unlimited" else budget,
    )


def _model_of(version: str, settings: AnalyzerSettings) -> str:
    """The model that a version names: one of ours, whose name it may not have word for word, or else any other."""
    further = (name for name in settings.named_further_engines if name != OFFLINE)
    known = {analysis_version_of(model): model for model in (*PRICES, *further, settings.llm_model)}
    return known.get(version) or _PROMPT.sub("", version)


def _price(options: LlmOptions) -> tuple[Callable[[int, int], float] | None, str]:
    """What tokens cost, and where that is from; nothing where an analyzer could only guess."""
    price = options.prices.get(options.model)
    if price is None:
        return None, _SETTINGS
    is_listed = PRICES.get(options.model) == price
    return (
        lambda given, taken: cost_of(Usage(input_tokens=given, output_tokens=taken), price),
        "the list price" if is_listed else _SETTINGS,
    )


def _estimate(options: LlmOptions) -> Callable[[ConversationReceived], Tokens]:
    limit = options.max_conversation_characters
    most_of_call = most_input_tokens([], limit)

    def estimate(conversation: ConversationReceived) -> Tokens:
        task = Task(conversation.conversation_id, conversation.content_hash, conversation.turns)
        given, taken = estimate_task(task, limit)
        most_given = most_input_tokens([task], limit) - most_of_call
        return Tokens(given, taken, max(given, most_given), options.output_tokens_per_conversation)

    return estimate


def _most_in_flight(settings: AnalyzerSettings) -> int:
    needed = needed_by_paced(settings.calls_per_second, settings.llm_timeout_seconds, settings.max_batch)
    return settings.in_flight_count or default_for_paced(needed)
