"""Which conversations can share a call."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.conversation_received import Role
from services.analyzer.llm.sending import plan_call
from tests.llm_tasks import TASKS, a_task


def test_different_conversations_are_all_sent_in_their_order() -> None:
    plan = plan_call(TASKS)

    assert plan.sent == (0, 1, 2, 3)
    assert plan.deferred == ()


def test_the_same_words_are_sent_once() -> None:
    plan = plan_call([a_task("I want a refund"), a_task("i want a  REFUND")])

    assert plan.sent == (0,)
    assert plan.stands_for == {0: 0, 1: 0}


def test_the_same_words_of_another_speaker_are_another_conversation() -> None:
    plan = plan_call([a_task("I want a refund"), a_task("I want a refund", role=Role.AGENT)])

    assert plan.sent == (0,)
    assert plan.deferred == (1,)


def test_one_that_stands_within_another_waits_for_the_next_call() -> None:
    plan = plan_call([a_task("thanks"), a_task("Thanks, that was quick", "bye"), a_task("Bye", "thanks")])

    assert plan.sent == (1,)
    assert plan.deferred == (0, 2)


words = st.lists(st.sampled_from(["a", "b", "c", "refund", "now"]), min_size=1, max_size=3).map(" ".join)


@given(st.lists(st.lists(words, min_size=1, max_size=3).map(lambda said: a_task(*said)), min_size=1, max_size=12))
def test_everyone_is_sent_shares_or_waits_and_someone_is_always_sent(batch: list) -> None:  # type: ignore[type-arg]
    plan = plan_call(batch)

    assert plan.sent
    assert sorted([*plan.stands_for, *plan.deferred]) == list(range(len(batch)))
    assert set(plan.stands_for.values()) == set(plan.sent)
    assert all(plan.stands_for[position] == position for position in plan.sent)
