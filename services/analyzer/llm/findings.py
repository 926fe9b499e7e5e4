"""From what was believed to an answer: findings by position, each with its share of tokens and cost. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from schemas.insight_produced import Path
from services.analyzer.engine import NOTHING, Answer, Finding, Refusal, Usage
from services.analyzer.llm.sending import Plan
from services.analyzer.llm.validation import Believed, quote_for, storable
from services.analyzer.shares import share_out

CONTENT_REFUSED = "content_refused"
INDISTINGUISHABLE = "indistinguishable"


def answer_of(
    plan: Plan,
    verdicts: Sequence[Believed | Refusal],
    *,
    model: str,
    usage: Usage,
    input_weights: Sequence[int],
    completion: str,
) -> Answer:
    """One result for each conversation of the batch; `verdicts` and weights are by position in `plan.sent`."""
    judged = dict(zip(plan.sent, verdicts, strict=True))
    shares = dict(zip(plan.sent, _shares(usage, input_weights, verdicts), strict=True))
    results: list[Finding | Refusal] = []
    for position in range(len(plan.passages)):
        source = plan.stands_for.get(position)
        if source is None:
            results.append(_indistinguishable())
            continue
        verdict = judged[source]
        if position != source:
            verdict = _as_spelled_here(verdict, plan, position)
        share = shares[source] if position == source else NOTHING  # a twin was not sent
        results.append(verdict if isinstance(verdict, Refusal) else _finding(verdict, model, share))
    return Answer(tuple(results), usage, storable(completion))


def answer_without(plan: Plan, detail: str, usage: Usage) -> Answer:
    """The answer when the only conversation that was sent is one that the model declines to judge."""
    refusal = Refusal(CONTENT_REFUSED, detail, is_final=True)
    size = len(plan.passages)
    return Answer(tuple(refusal if at in plan.stands_for else _indistinguishable() for at in range(size)), usage)


def _shares(usage: Usage, input_weights: Sequence[int], verdicts: Sequence[Believed | Refusal]) -> list[Usage]:
    """What a refused result took was paid for as well: those that are believed carry it, so nothing is lost."""
    is_carried = [int(isinstance(verdict, Believed)) for verdict in verdicts]
    inputs = [weight * carried for weight, carried in zip(input_weights, is_carried, strict=True)]
    return share_out(usage, inputs, is_carried)


def _as_spelled_here(verdict: Believed | Refusal, plan: Plan, position: int) -> Believed | Refusal:
    """A twin's verdict, its evidence quoted as this conversation spells the same words."""
    if isinstance(verdict, Refusal):
        return verdict
    quoted = quote_for(verdict.evidence, plan.passages[position], ())
    return quoted if isinstance(quoted, Refusal) else replace(verdict, evidence=quoted)


def _finding(believed: Believed, model: str, share: Usage) -> Finding:
    return Finding(
        sentiment_score=believed.sentiment_score,
        clusters=believed.clusters,
        confidence=believed.confidence,
        reasoning=believed.reasoning,
        evidence=believed.evidence,
        summary=believed.summary,
        path=Path.LLM,
        model=model,
        input_tokens=share.input_tokens,
        output_tokens=share.output_tokens,
        cost_usd=share.cost_usd,
        completion=believed.part,
    )


def _indistinguishable() -> Refusal:
    detail = "every turn of it also stands in another conversation of the call"
    return Refusal(INDISTINGUISHABLE, detail, is_final=False)
