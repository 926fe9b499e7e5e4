"""Deciding which results of a completion are believed: pure, field by field, and nothing is believed by default.

A result is taken only when its id was asked for in this call and answered once, every value has the right type
and lies in its range, and its evidence stands in its own conversation and in no other of the call: that is what
exposes results that were swapped. One bad result never touches its neighbours. Texts that are a little too long
are cut, marked by an ellipsis; anything else that breaks the contract is refused.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.insight_produced import MAX_CLUSTERS, MAX_REASONING_CHARACTERS, MAX_SUMMARY_CHARACTERS
from schemas.subjects import slug_of
from services.analyzer.engine import Refusal
from services.analyzer.llm.reading import Reading, Result
from services.analyzer.llm.schema import RESULT_MEMBERS
from services.analyzer.llm.text import Passages, normalise, occurs_elsewhere, shortened, unquoted, visible

MAX_PART_CHARACTERS = 16_384
"""Of a conversation's part of the completion, as `InsightProduced.completion` bounds it."""
_PATIENCE = 4
"""A text up to so many times its limit is cut; a longer one means that the model ran away."""
_MAX_CLUSTERS_READ = 20
_MAX_CLUSTER_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A conversation of the call: the id that it was fenced with, and its words."""

    id: str
    passages: Passages


@dataclass(frozen=True, slots=True)
class Believed:
    """A result within the contract's bounds."""

    sentiment_score: float
    clusters: tuple[str, ...]
    confidence: float
    reasoning: str
    evidence: str
    summary: str
    part: str
    """Its piece of the completion."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One verdict for each conversation, by position, and what else the completion held."""

    by_position: tuple[Believed | Refusal, ...]
    foreign_results: int
    """Results whose id nobody asked for, or that have none."""


class _Unbelievable(Exception):  # noqa: N818 - it names what was found
    """Why a result is refused; never leaves this module."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def judge(reading: Reading, asked: Sequence[Asked]) -> Verdicts:
    """Believe or refuse a result for each conversation that was asked for."""
    positions = {conversation.id: position for position, conversation in enumerate(asked)}
    answers: dict[int, list[Result]] = {}
    foreign = 0
    for result in reading.results:
        position = positions.get(_id_of(result.value))
        if position is None:
            foreign += 1
        else:
            answers.setdefault(position, []).append(result)
    absent = _absent(reading)
    verdicts = tuple(
        _verdict(answers[position], position, asked) if position in answers else absent
        for position in range(len(asked))
    )
    return Verdicts(verdicts, foreign)


def quote_for(evidence: str, own: Passages, others: Sequence[Passages]) -> str | Refusal:
    """The evidence as the conversation has it, or why it proves nothing."""
    quoted = own.quote(evidence)
    is_elsewhere = occurs_elsewhere(evidence, others)
    if quoted is None:
        reason = "evidence_of_another" if is_elsewhere else "evidence_not_found"
        where = "in another conversation of the call" if is_elsewhere else "in no conversation of the call"
        return Refusal(reason, f"the evidence stands not in this conversation but {where}", is_final=False)
    # A quotation that was cut may stand elsewhere although the whole of it does not; one that grew cannot.
    was_cut = unquoted(evidence) not in normalise(quoted)
    if is_elsewhere or (was_cut and occurs_elsewhere(quoted, others)):
        detail = "the evidence stands in another conversation of the call too"
        return Refusal("evidence_shared", detail, is_final=False)
    return quoted


def _verdict(results: Sequence[Result], position: int, asked: Sequence[Asked]) -> Believed | Refusal:
    if any(result.text != results[0].text for result in results[1:]):
        return Refusal("duplicated_result", f"{len(results)} different results came for it", is_final=False)
    result, own = results[0], asked[position]
    others = [conversation for index, conversation in enumerate(asked) if index != position]
    try:
        return _believed(result, own, others)
    except _Unbelievable as why:
        return Refusal(why.reason, str(why), is_final=False)


def _believed(result: Result, own: Asked, others: Sequence[Asked]) -> Believed:
    members: Mapping[str, Any] = result.value
    missing = [name for name in RESULT_MEMBERS if name not in members]
    if missing:
        raise _Unbelievable("missing_member", f"the result has no {missing[0]}")
    score = _number(members, "sentiment_score", -1.0)
    confidence = _number(members, "confidence", 0.0)
    clusters = _clusters(members["clusters"])
    reasoning = _sentence(members, "reasoning", MAX_REASONING_CHARACTERS)
    summary = _sentence(members, "summary", MAX_SUMMARY_CHARACTERS)
    for conversation in others:
        if conversation.id in result.text:
            raise _Unbelievable("foreign_reference", "the result names another conversation of the call")
    evidence = quote_for(
        _text(members, "evidence", MAX_REASONING_CHARACTERS * _PATIENCE),
        own.passages,
        [conversation.passages for conversation in others],
    )
    if isinstance(evidence, Refusal):
        raise _Unbelievable(evidence.reason, evidence.detail)
    part = storable(result.text)[:MAX_PART_CHARACTERS]
    return Believed(score, clusters, confidence, reasoning, evidence, summary, part)


def _id_of(value: Any) -> str:
    stated = value.get("id") if isinstance(value, dict) else None
    return stated.strip() if isinstance(stated, str) else ""


def _number(members: Mapping[str, Any], name: str, least: float) -> float:
    value = members[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unbelievable("wrong_type", f"{name} is not a number")
    # Compared before it becomes a float: an integer of a thousand digits would not fit into one.
    if not least <= value <= 1 or not math.isfinite(value):
        raise _Unbelievable("out_of_range", f"{name} is not between {least:g} and 1")
    return float(value)


def _text(members: Mapping[str, Any], name: str, longest: int) -> str:
    value = members[name]
    if not isinstance(value, str):
        raise _Unbelievable("wrong_type", f"{name} is not a text")
    if len(value) > longest:
        raise _Unbelievable("too_long", f"{name} has {len(value)} characters")
    return value


def _sentence(members: Mapping[str, Any], name: str, limit: int) -> str:
    text = visible(storable(_text(members, name, limit * _PATIENCE)))
    if not text:
        raise _Unbelievable("empty", f"{name} is empty")
    return shortened(text, limit)


def _clusters(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _Unbelievable("wrong_type", "clusters is not a list of texts")
    if not 1 <= len(value) <= _MAX_CLUSTERS_READ or any(len(name) > _MAX_CLUSTER_CHARACTERS for name in value):
        raise _Unbelievable("out_of_range", "clusters are none, too many or too long")
    return tuple(dict.fromkeys(slug_of(name) for name in value))[:MAX_CLUSTERS]


def storable(text: str) -> str:
    """The text without what neither UTF-8 nor Postgres can hold: lone surrogates and U+0000."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _absent(reading: Reading) -> Refusal:
    if reading.is_cut_off:
        return Refusal("truncated", "the answer ended before a result for it", is_final=False)
    if not reading.is_whole:
        return Refusal("malformed", "the answer is malformed where its result may have been", is_final=False)
    return Refusal("missing_result", "the answer has no result for it", is_final=False)
