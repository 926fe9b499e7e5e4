"""The batching window: it closes at the permit, and every waiter leaves it exactly once."""

from collections import Counter
from collections.abc import Callable, Iterable

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


def test_work_waits_for_companions_until_the_oldest_has_waited_long_enough() -> None:
    window = _window()
    _add(window, "a", now=0.0)
    _add(window, "b", now=0.2)
    assert window.ready_at(()) == WINDOW
    assert window.close(0.24, ()) is None
    assert _contents(window.close(WINDOW, ())) == ["a", "b"]
    assert window.ready_at(()) is None


def test_a_full_batch_does_not_wait() -> None:
    window = _window(start=2)
    _add(window, "a", now=1.0)
    _add(window, "b", now=1.0)
    batch = window.close(1.0, ())
    assert _contents(batch) == ["a", "b"]
    assert batch is not None
    assert batch.is_full


def test_a_burst_becomes_batches_of_the_adaptive_maximum_oldest_first() -> None:
    window = _window(start=3)
    for place in range(7):
        _add(window, str(place), now=place / 100)
    assert _contents(window.close(1, ())) == ["0", "1", "2"]
    assert _contents(window.close(1, ())) == ["3", "4", "5"]
    assert _contents(window.close(1, ())) == ["6"]


def test_a_batch_keeps_the_token_budget_but_is_never_empty() -> None:
    window = _window(tokens=100)
    _add(window, "huge", tokens=500)
    _add(window, "a", tokens=60)
    _add(window, "b", tokens=60)
    assert [_contents(window.close(1, ())) for _ in range(3)] == [["huge"], ["a"], ["b"]]


def test_live_goes_before_replay_and_batches_are_never_mixed() -> None:
    window = _window()
    _add(window, "r", lane=Lane.REPLAY, now=0)
    _add(window, "l", now=1)
    _add(window, "other version", now=1, version="grok-4.3-p1")
    batches = [window.close(5, ()) for _ in range(3)]
    assert [_contents(batch) for batch in batches] == [["other version"], ["l"], ["r"]] or [
        _contents(batch) for batch in batches
    ] == [["l"], ["other version"], ["r"]]
    assert window.close(5, ()) is None


def test_replay_uses_a_permit_that_live_is_not_ready_for() -> None:
    window = _window()
    _add(window, "r", lane=Lane.REPLAY, now=0)
    _add(window, "l", now=1)
    assert _contents(window.close(1.0, ())) == ["r"]


def test_a_held_lane_does_not_hold_the_other() -> None:
    window = _window()
    _add(window, "r", lane=Lane.REPLAY)
    _add(window, "l")
    assert _contents(window.close(1, {Lane.LIVE})) == ["r"]
    assert window.ready_at({Lane.LIVE}) is None
    assert _contents(window.close(1, {Lane.REPLAY})) == ["l"]


def test_only_the_newest_waiting_revision_of_a_conversation_is_analysed() -> None:
    window = _window()
    first, _ = _add(window, "a", of="conv", revision=1)
    second, superseded = _add(window, "b", of="conv", revision=2)
    assert superseded == [first]
    late, superseded = _add(window, "c", of="conv", revision=1)
    assert superseded == [late]
    batch = window.close(1, ())
    assert batch is not None
    assert [work.waiters for work in batch.works] == [[second]]


def test_a_replay_never_supersedes_what_is_live() -> None:
    window = _window()
    _add(window, "a", of="conv", revision=1)
    _, superseded = _add(window, "b", of="conv", revision=2, lane=Lane.REPLAY)
    assert superseded == []
    assert window.waiting(Lane.LIVE) == window.waiting(Lane.REPLAY) == 1


def test_what_is_in_a_call_is_not_superseded() -> None:
    window = _window()
    _add(window, "a", of="conv", revision=1)
    window.close(1, ())
    _, superseded = _add(window, "b", of="conv", revision=2)
    assert superseded == []


def test_equal_content_is_sent_once_whether_it_waits_or_is_in_a_call() -> None:
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


def test_a_then_b_then_a_again_ends_with_the_last_a_joining_the_first() -> None:
    window = _window()
    _add(window, "A", of="conv", revision=1)
    batch = window.close(1, ())
    assert batch is not None
    older, _ = _add(window, "B", of="conv", revision=2)
    newest, superseded = _add(window, "A", of="conv", revision=3)
    assert superseded == [older]
    assert batch.works[0].waiters[-1] is newest
    assert window.close(9, ()) is None


def test_a_conversation_that_shares_its_content_survives_the_others_superseding() -> None:
    window = _window()
    _add(window, "same", of="x", revision=1)
    other, _ = _add(window, "same", of="y", revision=1)
    _add(window, "new", of="x", revision=2)
    batch = window.close(1, ())
    assert batch is not None
    assert _contents(batch) == ["same", "new"]
    assert batch.works[0].waiters == [other]


def test_what_a_replay_waits_for_goes_live_when_somebody_live_waits_for_it() -> None:
    window = _window()
    _add(window, "same", of="x", lane=Lane.REPLAY)
    _add(window, "same", of="y")
    assert (window.waiting(Lane.LIVE), window.waiting(Lane.REPLAY)) == (1, 0)
    batch = window.close(1, {Lane.REPLAY})
    assert batch is not None
    assert batch.lane is Lane.LIVE
    assert window.close(1, ()) is None


def test_a_retry_waits_in_the_place_of_its_arrival() -> None:
    window = _window(start=1)
    _add(window, "old", now=0)
    batch = window.close(1, ())
    assert batch is not None
    _add(window, "young", now=1)
    window.send_again(batch.works[0])
    assert _contents(window.close(2, ())) == ["old"]
    assert _contents(window.close(2, ())) == ["young"]


def test_a_rebalance_drops_what_waits_and_keeps_what_is_in_a_call_for_others_to_join() -> None:
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


def test_the_maximum_halves_and_grows_by_one_within_its_bounds() -> None:
    size = BatchSize(1, 5, 6)
    size.grow()
    size.grow()
    assert size.current == 6
    for expected in (3, 1, 1):
        size.shrink()
        assert size.current == expected


class Model:
    """Drives a window and keeps who waits, what is in calls, and who left."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.window = _window(start=start)
        self.now = 0.0
        self.inside: set[FakeWaiter] = set()
        self.in_calls: list[Work[FakeWaiter]] = []
        self.left: Counter[FakeWaiter] = Counter()

    def leave(self, waiters: Iterable[FakeWaiter]) -> None:
        for waiter in list(waiters):
            self.inside.discard(waiter)
            self.left[waiter] += 1

    def add(self, who: int, content: int, revision: int, lane: Lane) -> None:
        waiter = FakeWaiter(f"c{who}", Revision(revision, 0), lane)
        self.inside.add(waiter)
        self.leave(self.window.add(waiter, _task(str(content)), V1, tokens=1, now=self.now))

    def close(self, held: tuple[Lane, ...]) -> bool:
        batch = self.window.close(self.now, held)
        if batch is None:
            return False
        assert 1 <= len(batch.works) <= self.start
        assert all(work.waiters for work in batch.works)
        assert batch.lane not in held
        self.in_calls += batch.works
        contents = [work.task.content_hash for work in self.in_calls]
        assert len(set(contents)) == len(contents), "one content is in two calls"
        return True

    def end(self, place: int, *, again: bool) -> None:
        if not self.in_calls:
            return
        work = self.in_calls.pop(place % len(self.in_calls))
        if again:
            self.window.send_again(work)
        else:
            self.window.finish(work)
            self.leave(work.waiters)

    def drop(self) -> None:
        self.window.drop_waiting()
        in_calls = {waiter for work in self.in_calls for waiter in work.waiters}
        self.leave(self.inside - in_calls)


_LANE = st.sampled_from([Lane.LIVE, Lane.REPLAY])
_STEP: st.SearchStrategy[Callable[[Model], object]] = st.one_of(
    st.builds(
        lambda who, content, revision, lane: lambda model: model.add(who, content, revision, lane),
        st.integers(0, 3),
        st.integers(0, 4),
        st.integers(1, 5),
        _LANE,
    ),
    st.builds(lambda held: lambda model: model.close(held), st.sampled_from([(), (Lane.LIVE,), (Lane.REPLAY,)])),
    st.builds(lambda place, again: lambda model: model.end(place, again=again), st.integers(0, 20), st.booleans()),
    st.just(Model.drop),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_STEP, max_size=80), st.integers(1, 4))
def test_in_any_history_every_waiter_leaves_exactly_once_and_no_content_is_in_two_calls(
    steps: list[Callable[[Model], object]], start: int
) -> None:
    model = Model(start)
    for step in steps:
        model.now += 0.1
        step(model)
    model.now += 10
    while model.close(()):
        pass
    while model.in_calls:
        model.end(0, again=False)
    assert not model.inside
    assert set(model.left.values()) <= {1}
    assert model.window.waiting(Lane.LIVE) == model.window.waiting(Lane.REPLAY) == 0


@pytest.mark.parametrize("version", ["offline-1", "grok-4.3-p1"])
def test_the_same_content_under_two_versions_is_two_works(version: str) -> None:
    window = _window()
    _add(window, "same", version="another")
    _add(window, "same", version=version)
    assert window.waiting(Lane.LIVE) == 2
