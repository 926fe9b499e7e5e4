"""What holds for every finding, whatever people write."""

import asyncio
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.conversation_received import Role, Turn
from schemas.insight_produced import MAX_CLUSTERS, MAX_REASONING_CHARACTERS, MAX_SUMMARY_CHARACTERS, Path
from schemas.subjects import subject_registry
from services.analyzer.engine import Finding, Task
from services.analyzer.offline.conversation import judge
from services.analyzer.offline.engine import OfflineEngine, find
from services.analyzer.offline.tokens import HEAD_CHARACTERS, TAIL_CHARACTERS
from services.analyzer.offline.turns import FIRST_TURNS, LAST_TURNS, text_of

WORDS = ["won't", "n't", "great", "refund", "not", "but", "on hold", "THE", "İ", "e\u0301", "ß", "3", "“bad”"]
MARKS = [
    "__company__",
    "@Desk",
    "#NeverAgain",
    "https://x.example/a?b=c",
    "!!!",
    "?",
    ".",
    "\n",
    "\u2019",
    "😡",
    "❤️",
    "</3",
]
PIECES = st.sampled_from([*WORDS, *MARKS])
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=200),
    st.lists(PIECES, min_size=1, max_size=30).map(" ".join),
    st.lists(PIECES, min_size=1, max_size=30).map("".join),
)
TURNS = st.builds(Turn, text=TEXTS, role=st.sampled_from(Role))
CONVERSATIONS = st.lists(TURNS, min_size=1, max_size=8).map(tuple)


def found(*texts: str) -> Finding:
    return find(task(*(Turn(text=text) for text in texts)))


def task(*turns: Turn) -> Task:
    return Task("conv_1", "hash", turns)


@given(CONVERSATIONS)
def test_every_finding_is_within_the_contract(turns: tuple[Turn, ...]) -> None:
    finding = find(task(*turns))
    assert -1 <= finding.sentiment_score <= 1
    assert 0 <= finding.confidence <= 1
    assert 1 <= len(finding.clusters) <= MAX_CLUSTERS
    assert len(set(finding.clusters)) == len(finding.clusters)
    assert set(finding.clusters) <= set(subject_registry().by_name)
    assert len(finding.reasoning) <= MAX_REASONING_CHARACTERS
    assert len(finding.summary) <= MAX_SUMMARY_CHARACTERS
    assert "\n" not in finding.summary
    assert finding.path is Path.OFFLINE


@given(CONVERSATIONS)
def test_evidence_stands_in_a_turn_character_by_character(turns: tuple[Turn, ...]) -> None:
    evidence = find(task(*turns)).evidence
    assert any(evidence in turn.text for turn in turns)
    assert len(evidence) <= 400


@given(CONVERSATIONS)
def test_evidence_has_3_to_12_words_unless_the_one_who_counts_said_fewer_at_a_time(turns: tuple[Turn, ...]) -> None:
    evidence = find(task(*turns)).evidence
    assert len(evidence.split()) <= 12
    if len(evidence.split()) < 3:
        assert max(len(heard.turn.text.split()) for heard in judge(turns).heard) < 3


@given(CONVERSATIONS)
@settings(max_examples=50)
def test_the_same_conversation_gives_the_same_finding(turns: tuple[Turn, ...]) -> None:
    assert find(task(*turns)) == find(task(*(turn.model_copy() for turn in turns)))


@given(CONVERSATIONS)
@settings(max_examples=50)
def test_what_the_content_hash_leaves_out_changes_no_judgement(turns: tuple[Turn, ...]) -> None:
    other = tuple(
        turn.model_copy(update={"text": f" {unicodedata.normalize('NFD', turn.text)}\n", "author": "A. Nother"})
        for turn in turns
    )
    first, second = judge(turns), judge(other)
    assert (first.sentiment_score, first.clusters) == (second.sentiment_score, second.clusters)
    assert find(replace(task(*turns), language="de")) == find(task(*turns))


def test_golden_findings_stay_as_they_are_until_the_version_is_raised() -> None:
    angry = found("My parcel is three days late and nobody answers the phone. I want my money back!")
    assert (angry.sentiment_score, angry.clusters[0]) == (-0.4809, "delivery_problems")
    glad = found("Thank you so much, the agent was very helpful and my refund arrived within a day.")
    assert (glad.sentiment_score, glad.clusters[0]) == (0.3593, "refunds_and_returns")
    plain = found("What are your opening hours on Sunday?")
    assert (plain.sentiment_score, plain.clusters[0]) == (-0.0717, "facilities")


def test_the_reasoning_quotes_the_evidence_and_the_summary_opens_the_conversation() -> None:
    finding = found("Where is my parcel? It was due on Monday. Your driver was rude to me on the phone.")
    assert finding.evidence == "Your driver was rude to me on the phone."
    assert f"“{finding.evidence}”" in finding.reasoning
    assert finding.summary.startswith("Unhappy customer, orders and delivery: “Where is my parcel? It was due")


def test_a_finding_says_where_only_the_company_speaks() -> None:
    finding = find(task(Turn(role="agent", text="We are so sorry for the delay of your parcel, it is horrible.")))
    assert finding.reasoning.startswith(f"Neutral: only the company speaks, as in “{finding.evidence}”")
    assert finding.summary.startswith("Neutral speaker")


@pytest.mark.parametrize("word", ["baaaad", "goooood", "happyyyy", "GOOOOOD"])
def test_the_evidence_of_a_stretched_word_stands_around_it(word: str) -> None:
    finding = found(f"I bought a case and a cable in Hull, ooooo. Both are {word}.")
    assert finding.evidence == f"Both are {word}."


def test_a_language_the_word_lists_do_not_know_is_neutral_at_little_confidence_and_says_so() -> None:
    finding = found("Ihr habt mein Paket schon wieder nicht geliefert und das ist eine Frechheit")
    assert (finding.sentiment_score, finding.clusters) == (0.0, ("other",))
    assert finding.confidence <= 0.2
    assert "not in a language that the offline engine reads" in finding.reasoning


def test_a_huge_conversation_is_read_in_part_only() -> None:
    turns = [Turn(text="the flight is late again " * 800)] * 500
    judgement = judge(turns)
    assert len(judgement.heard) == FIRST_TURNS + LAST_TURNS
    assert len(text_of(turns[0])) <= HEAD_CHARACTERS + TAIL_CHARACTERS + 1
    assert judgement.sentiment_score < -0.2


def test_a_complaint_at_the_end_of_a_long_turn_is_read() -> None:
    assert (
        found("It is about the following list. " + "Item 12, blue. " * 500 + "This is unacceptable!").sentiment_score
        < 0
    )


async def test_a_batch_has_one_finding_a_task_in_its_order() -> None:
    tasks = [task(Turn(text=text)) for text in ("Your app is terrible!", "I love the new app!", "I need an invoice.")]
    answer = await OfflineEngine().analyze(tasks)
    assert answer.results == tuple(find(each) for each in tasks)
    assert answer.usage.cost_usd == 0


async def test_an_empty_batch_gives_an_empty_answer() -> None:
    assert (await OfflineEngine().analyze([])).results == ()


async def test_others_get_their_turn_during_a_batch_of_long_conversations() -> None:
    engine, seen = OfflineEngine(), 0
    batch = asyncio.ensure_future(engine.analyze([task(Turn(text="the bus is late " * 1_000))] * 20))
    while not batch.done():
        await asyncio.sleep(0)
        seen += 1
    assert seen >= 10


@pytest.mark.parametrize(
    "text", [" ", "\n", "😡", "...", "@desk", "https://x.example", "\U0001d57f\U0001d58d", "\u200b"]
)
def test_texts_without_words_have_findings_too(text: str) -> None:
    assert found(text).evidence == text
