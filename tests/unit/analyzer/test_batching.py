"""The batching window: it closes at the permit, and every waiter leaves it exactly once."""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Lane, Revision
from services.analyzer.batching import Batch, BatchingWindow, BatchSize, Work
from services.analyzer.engine import Task
from tests.builders import a_turn
from tests.unit.analyzer.fakes import FakeWaiter

V1 = "offline-1"
WINDOW = 0.25


def _window(*, start: int = 5, maximum: int = 50, tokens: int = 10_000) -> BatchingWindow[FakeWaiter]:
    return BatchingWindow(window_seconds=WINDOW, size=BatchSize(1, start, maximum), token_budget=tokens)


def _task(content: str) -> Task:
    return Task("any", content, (a_turn(),))


def _add(
    window: BatchingWindow[FakeWaiter],
    content: str,
    *,
    of: str | None = None,
    now: float = 0.0,
    lane: Lane = Lane.LIVE,
    revision: int = 1,
    version: str = V1,
    tokens: int = 10,
) -> tuple[FakeWaiter, list[FakeWaiter]]:
    waiter = FakeWaiter(of or f"conv-{content}", Revision(revision, revision), lane)
    return waiter, window.add(waiter, _task(content), version, tokens=tokens, now=now)


def _contents(batch: Batch[FakeWaiter] | None) -> list[str]:
    return [work.task.content_hash for work in batch.works] if batch else []


def test_work_waits_for_companions_until_the_oldest_has_waited_long_enough():
    window = _window()
    _add(window, "a", now=0.0)
    _add(window, "b", now=0.2)
    assert window.ready_at(()) == WINDOW
    assert window.close(0.24, ()) is None
    assert _contents(window.close(WINDOW, ())) == ["a", "b"]
    assert window.ready_at(()) is None


def test_a_full_batch_does_not_wait():
    window = _window(start=2)
    _add(window, "a", now=1.0)
    _add(window, "b", now=1.0)
    batch = window.close(1.0, ())
    assert _contents(batch) == ["a", "b"]
    assert batch is not None
    assert batch.is_full


def test_a_burst_becomes_batches_of_the_adaptive_maximum_oldest_first():
    window = _window(start=3)
    for place in range(7):
        _add(window, str(place), now=place / 100)
    assert _contents(window.close(1, ())) == ["0", "1", "2"]
    assert _contents(window.close(1, ())) == ["3", "4", "5"]
    assert _contents(window.close(1, ())) == ["6"]


def test_a_batch_keeps_the_token_budget_but_is_never_empty():
    window = _window(tokens=100)
    _add(window, "huge", tokens=500)
    _add(window, "a", tokens=60)
    _add(window, "b", tokens=60)
    assert [_contents(window.close(1, ())) for _ in range(3)] == [["huge"], ["a"], ["b"]]


def test_live_goes_before_replay_and_batches_are_never_mixed():
    window = _window()
    _add(window, "r", lane=Lane.REPLAY, now=0)
    _add(window, "l", now=1)
    _add(window, "other version", now=1, version="grok-4.3-p1")
    batches = [window.close(5, ()) for _ in range(3)]
    assert [_contents(batch) for batch in batches] == [["other version"], ["l"], ["r"]] or [
        _contents(batch) for batch in batches
    ] == [["l"], ["other version"], ["r"]]
    assert window.close(5, ()) is None


def test_replay_uses_a_permit_that_live_is_not_ready_for():
    window = _window()
    _add(window, "r", lane=Lane.REPLAY, now=0)
    _add(window, "l", now=1)
    assert _contents(window.close(1.0, ())) == ["r"]


def test_a_held_lane_does_not_hold_the_other():
    window = _window()
    _add(window, "r", lane=Lane.REPLAY)
    _add(window, "l")
    assert _contents(window.close(1, {Lane.LIVE})) == ["r"]
    assert window.ready_at({Lane.LIVE}) is None
    assert _contents(window.close(1, {Lane.REPLAY})) == ["l"]


def test_only_the_newest_waiting_revision_of_a_conversation_is_analysed():
    window = _window()
    first, _ = _add(window, "a", of="conv", revision=1)
    second, superseded = _add(window, "b", of="conv", revision=2)
    assert superseded == [first]
    late, superseded = _add(window, "c", of="conv", revision=1)
    assert superseded == [late]
    batch = window.close(1, ())
    assert batch is not None
    assert [work.waiters for work in batch.works] == [[second]]


def test_a_replay_never_supersedes_what_is_live():
    window = _window()
    _add(window, "a", of="conv", revision=1)
    _, superseded = _add(window, "b", of="conv", revision=2, lane=Lane.REPLAY)
    assert superseded == []
    assert window.waiting(Lane.LIVE) == window.waiting(Lane.REPLAY) == 1


def test_what_is_in_a_call_is_not_superseded():
    window = _window()
    _add(window, "a", of="conv", revision=1)
    window.close(1, ())
    _, superseded = _add(window, "b", of="conv", revision=2)
    assert superseded == []


def test_equal_content_is_sent_once_whether_it_waits_or_is_in_a_call():
    window = _window()
    first, _ = _add(window, "same", of="x")
    second, _ = _add(window, "same", of="y")
    batch = window.close(1, ())
    assert batch is not None
    (work,) = batch.works
    third, _ = _add(window, "same", of="z")
    assert work.waiters == [first, second, third]
    assert window.ready_at(()) is None
    window.finish(work)
    _add(window, "same", of="z")
    assert _contents(window.close(9, ())) == ["same"]


def test_a_then_b_then_a_again_ends_with_the_last_a_joining_the_first():
    window = _window()
    _add(window, "A", of="conv", revision=1)
    batch = window.close(1, ())
    assert batch is not None
    older, _ = _add(window, "B", of="conv", revision=2)
    newest, superseded = _add(window, "A", of="conv", revision=3)
    assert superseded == [older]
    assert batch.works[0].waiters[-1] is newest
    assert window.close(9, ()) is None


def test_a_conversation_that_shares_its_content_survives_the_others_superseding():
    window = _window()
    _add(window, "same", of="x", revision=1)
    other, _ = _add(window, "same", of="y", revision=1)
    _add(window, "new", of="x", revision=2)
    batch = window.close(1, ())
    assert batch is not None
    assert _contents(batch) == ["same", "new"]
    assert batch.works[0].waiters == [other]


def test_what_a_replay_waits_for_goes_live_when_somebody_live_waits_for_it():
    window = _window()
    _add(window, "same", of="x", lane=Lane.REPLAY)
    _add(window, "same", of="y")
    assert (window.waiting(Lane.LIVE), window.waiting(Lane.REPLAY)) == (1, 0)
    batch = window.close(1, {Lane.REPLAY})
    assert batch is not None
    assert batch.lane is Lane.LIVE
    assert window.close(1, ()) is None


def test_a_retry_waits_in_the_place_of_its_arrival():
    window = _window(start=1)
    _add(window, "old", now=0)
    batch = window.close(1, ())
    assert batch is not None
    _add(window, "young", now=1)
    window.send_again(batch.works[0])
    assert _contents(window.close(2, ())) == ["old"]
    assert _contents(window.close(2, ())) == ["young"]


def test_a_work_that_must_be_alone_is_alone():
    window = _window()
    _add(window, "bad", now=0.1)
    batch = window.close(1, ())
    assert batch is not None
    batch.works[0].must_be_alone = True
    window.send_again(batch.works[0])
    _add(window, "a", now=0)
    _add(window, "b", now=0.2)
    assert _contents(window.close(2, ())) == ["a", "b"]
    assert _contents(window.close(2, ())) == ["bad"]
    window.send_again(batch.works[0])
    _add(window, "c", now=3)
    assert _contents(window.close(9, ())) == ["bad"]


def test_a_rebalance_drops_what_waits_and_keeps_what_is_in_a_call_for_others_to_join():
    window = _window(start=1)
    _add(window, "sent", of="x")
    batch = window.close(1, ())
    assert batch is not None
    _add(window, "waiting", of="y")
    assert window.drop_waiting() == 1
    assert window.ready_at(()) is None
    again, _ = _add(window, "sent", of="x")
    assert batch.works[0].waiters[-1] is again
    _add(window, "waiting", of="y")
    assert _contents(window.close(9, ())) == ["waiting"]
    assert window.oldest_arrival() is None


def test_the_maximum_halves_and_grows_by_one_within_its_bounds():
    size = BatchSize(1, 5, 6)
    size.grow()
    size.grow()
    assert size.current == 6
    for expected in (3, 1, 1):
        size.shrink()
        assert size.current == expected


@dataclass
class Model:
    """Who waits, who is in a call, who was told to go."""

    inside: set[FakeWaiter] = field(default_factory=set)
    in_calls: list[Work[FakeWaiter]] = field(default_factory=list)
    left: Counter[FakeWaiter] = field(default_factory=Counter)

    def leave(self, waiter: FakeWaiter) -> None:
        self.inside.discard(waiter)
        self.left[waiter] += 1


_STEP = st.one_of(
    st.tuples(
        st.just("add"),
        st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 5), st.sampled_from([Lane.LIVE, Lane.REPLAY])),
    ),
    st.tuples(st.just("close"), st.sampled_from([(), (Lane.LIVE,), (Lane.REPLAY,)])),
    st.tuples(st.just("finish"), st.integers(0, 20)),
    st.tuples(st.just("again"), st.integers(0, 20)),
    st.tuples(st.just("drop"), st.none()),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_STEP, max_size=80), st.integers(1, 4))
def test_in_any_history_every_waiter_leaves_exactly_once_and_no_content_is_in_two_calls(
    steps: list[tuple[str, object]], start: int
):
    window = _window(start=start)
    model = Model()
    now = 0.0
    for step, argument in steps:
        now += 0.1
        if step == "add":
            who, content, revision, lane = argument  # type: ignore[misc]  # given by _STEP
            waiter = FakeWaiter(f"c{who}", Revision(revision, 0), lane)  # type: ignore[has-type]
            model.inside.add(waiter)
            for gone in window.add(waiter, _task(str(content)), V1, tokens=1, now=now):  # type: ignore[has-type]
                model.leave(gone)
        elif step == "close":
            batch = window.close(now, argument)  # type: ignore[arg-type]  # given by _STEP
            if batch is not None:
                assert 1 <= len(batch.works) <= start
                model.in_calls += batch.works
                contents = [work.task.content_hash for work in model.in_calls]
                assert len(set(contents)) == len(contents)
                assert all(work.waiters for work in batch.works)
        elif step in {"finish", "again"} and model.in_calls:
            work = model.in_calls.pop(argument % len(model.in_calls))  # type: ignore[operator]  # given by _STEP
            if step == "again":
                window.send_again(work)
            else:
                window.finish(work)
                for gone in list(work.waiters):
                    model.leave(gone)
        elif step == "drop":
            window.drop_waiting()
            in_calls = {waiter for work in model.in_calls for waiter in work.waiters}
            for gone in model.inside - in_calls:
                model.leave(gone)
    while (batch := window.close(now + 10, ())) is not None:
        model.in_calls += batch.works
    for work in model.in_calls:
        for gone in list(work.waiters):
            model.leave(gone)
    assert not model.inside
    assert set(model.left.values()) <= {1}
    assert window.waiting(Lane.LIVE) == window.waiting(Lane.REPLAY) == 0


@pytest.mark.parametrize("version", ["offline-1", "grok-4.3-p1"])
def test_the_same_content_under_two_versions_is_two_works(version: str):
    window = _window()
    _add(window, "same", version="another")
    _add(window, "same", version=version)
    assert window.waiting(Lane.LIVE) == 2
