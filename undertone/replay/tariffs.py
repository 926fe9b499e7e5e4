"""The tariff of an analysis version: what its engine charges, by the analyzer's own settings and estimates."""

from schemas.conversation_received import ConversationReceived
from services.analyzer.engine import Task, Usage
from services.analyzer.llm.engine import analysis_version_of
from services.analyzer.llm.pricing import cost_of
from services.analyzer.llm.prompt import INSTRUCTION_TOKENS, PROMPT_VERSION, estimate_task
from services.analyzer.offline.engine import OFFLINE_VERSION
from services.analyzer.resources import llm_options
from services.analyzer.settings import AnalyzerSettings
from undertone.replay.pricing import Tariff


def tariff_of(version: str | None, settings: AnalyzerSettings) -> Tariff | None:
    """None where the engine costs nothing and is not limited. `version` None is the one that the settings make."""
    configured = analysis_version_of(settings.llm_model) if settings.uses_llm else OFFLINE_VERSION
    if (version or configured) == OFFLINE_VERSION:
        return None
    options = llm_options(settings)
    model = (version or configured).removesuffix(f"-{PROMPT_VERSION}")
    price = options.price if version in {None, configured} else options.prices.get(model, options.price)
    budget = settings.daily_budget_usd

    def estimate(conversation: ConversationReceived) -> tuple[int, int]:
        task = Task(conversation.conversation_id, conversation.content_hash, conversation.turns)
        return estimate_task(task, options.max_conversation_characters)

    return Tariff(
        estimate=estimate,
        tokens_of_call=INSTRUCTION_TOKENS,
        cost_usd=lambda given, taken: cost_of(Usage(input_tokens=given, output_tokens=taken), price),
        calls_per_second=settings.calls_per_second * settings.pace,
        tokens_per_minute=settings.tokens_per_minute * settings.pace,
        largest_batch=settings.max_batch,
        batch_tokens=settings.batch_tokens,
        daily_budget_usd=None if budget == "unlimited" else budget,
    )
