"""Who waits for a batch: revisions that supersede each other, contents that are shared; everybody leaves once."""

from collections import Counter
from collections.abc import Callable, Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Lane, Revision
from services.analyzer.batching import Work
from tests.unit.analyzer.fakes import FakeWaiter
from tests.unit.analyzer.windows import V1, a_task, a_window, add, contents_of, queues


def test_only_the_newest_waiting_revision_of_a_conversation_is_analysed() -> None:
    window = a_window()
    first, _ = add(window, "a", of="conv", revision=1)
    second, superseded = add(window, "b", of="conv", revision=2)
    assert superseded == [first]
    late, superseded = add(window, "c", of="conv", revision=1)
    assert superseded == [late]
    batch = window.close(1, queues())
    assert batch is not None
    assert [work.waiters for work in batch.works] == [[second]]


def test_a_replay_never_supersedes_what_is_live() -> None:
    window = a_window()
    add(window, "a", of="conv", revision=1)
    _, superseded = add(window, "b", of="conv", revision=2, lane=Lane.REPLAY)
    assert superseded == []
    assert window.waiting(Lane.LIVE) == window.waiting(Lane.REPLAY) == 1


def test_what_is_in_a_call_is_not_superseded() -> None:
    window = a_window()
    add(window, "a", of="conv", revision=1)
    window.close(1, queues())
    _, superseded = add(window, "b", of="conv", revision=2)
    assert superseded == []


def test_equal_content_is_sent_once_whether_it_waits_or_is_in_a_call() -> None:
    window = a_window()
    first, _ = add(window, "same", of="x")
    second, _ = add(window, "same", of="y")
    batch = window.close(1, queues())
    assert batch is not None
    (work,) = batch.works
    third, _ = add(window, "same", of="z")
    assert work.waiters == [first, second, third]
    assert window.ready_at(queues()) is None
    window.finish(work)
    add(window, "same", of="z")
    assert contents_of(window.close(9, queues())) == ["same"]


def test_a_then_b_then_a_again_ends_with_the_last_a_joining_the_first() -> None:
    window = a_window()
    add(window, "A", of="conv", revision=1)
    batch = window.close(1, queues())
    assert batch is not None
    older, _ = add(window, "B", of="conv", revision=2)
    newest, superseded = add(window, "A", of="conv", revision=3)
    assert superseded == [older]
    assert batch.works[0].waiters[-1] is newest
    assert window.close(9, queues()) is None


def test_a_conversation_that_shares_its_content_survives_the_others_superseding() -> None:
    window = a_window()
    add(window, "same", of="x", revision=1)
    other, _ = add(window, "same", of="y", revision=1)
    add(window, "new", of="x", revision=2)
    batch = window.close(1, queues())
    assert batch is not None
    assert contents_of(batch) == ["same", "new"]
    assert batch.works[0].waiters == [other]


def test_what_a_replay_waits_for_goes_live_when_somebody_live_waits_for_it() -> None:
    window = a_window()
    add(window, "same", of="x", lane=Lane.REPLAY)
    add(window, "same", of="y")
    assert (window.waiting(Lane.LIVE), window.waiting(Lane.REPLAY)) == (1, 0)
    batch = window.close(1, queues({Lane.REPLAY}))
    assert batch is not None
    assert batch.lane is Lane.LIVE
    assert window.close(1, queues()) is None


def test_who_need_not_be_answered_is_let_go_of_and_the_others_stay() -> None:
    window = a_window(start=1)
    add(window, "in a call", of="x")
    assert window.close(1, queues()) is not None
    unwanted, _ = add(window, "shared", of="y")
    wanted, _ = add(window, "shared", of="z")
    alone, _ = add(window, "alone", of="w")
    replayed, _ = add(window, "replayed", of="v", lane=Lane.REPLAY)
    assert window.give_up((Lane.LIVE, V1), lambda waiter: waiter is not wanted) == [unwanted, alone]
    assert (window.waiting(Lane.LIVE), window.waiting(Lane.REPLAY)) == (1, 1)
    batches = [window.close(9, queues()) for _ in range(3)]
    assert [batch and batch.works[0].waiters for batch in batches] == [[wanted], [replayed], None]
    _, superseded = add(window, "new", of="w", revision=0)
    assert superseded == [], "it is forgotten, so it supersedes nobody"


class Model:
    """Drives a window and keeps who waits, what is in calls, and who left."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.window = a_window(start=start)
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
        self.leave(self.window.add(waiter, a_task(str(content)), V1, tokens=1, now=self.now))

    def close(self, held: tuple[Lane, ...]) -> bool:
        batch = self.window.close(self.now, queues(held))
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
